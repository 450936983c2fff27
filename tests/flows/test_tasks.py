"""Tasks pass on what a stage says, wait for a busy repository, and do not repeat a refusal."""

import fnmatch
import importlib.util
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from urllib.parse import parse_qs

import pytest
import yaml

from exsitu.registry.place import fingerprint


@pytest.fixture(scope="module")
def tasks(repository: Path) -> ModuleType:
    """The module of tasks, loaded by its file, as Prefect does."""
    spec = importlib.util.spec_from_file_location("exsitu_tasks", repository / "flows" / "tasks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def no_flow(tasks: ModuleType, monkeypatch: pytest.MonkeyPatch):
    """Commands run outside a flow here."""
    monkeypatch.setattr(tasks, "_flow_run_id", lambda: "none")


def test_what_a_command_says_is_returned(tasks: ModuleType):
    assert "hello" in tasks.run_command(sys.executable, "-c", "print('hello')")


def test_a_failed_command_ends_with_the_end_of_what_it_said(tasks: ModuleType):
    code = "import sys; print('exsitu: no data'); sys.exit(1)"
    with pytest.raises(tasks.StageFailedError, match="exsitu: no data"):
        tasks.run_command(sys.executable, "-c", code)


def test_a_busy_repository_is_waited_for(tasks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tasks.time, "sleep", lambda _: None)
    flag = tmp_path / "flag"
    code = (
        f"import pathlib, sys; flag = pathlib.Path({str(flag)!r})\n"
        "if flag.exists(): print('done')\n"
        "else: flag.touch(); print('Unable to acquire lock'); sys.exit(255)"
    )
    assert "done" in tasks.run_command(sys.executable, "-c", code)


@pytest.mark.parametrize(
    "error",
    [
        "failed to reproduce 'data.dvc': missing data 'source': data",
        "failed to reproduce 'prepare': [Errno 2] No such file or directory: '/home/me/exsitu/data'",
    ],
)
def test_missing_data_of_a_fresh_clone_say_what_to_run(tasks: ModuleType, error: str):
    code = f"import sys; print({error!r}); sys.exit(255)"
    with pytest.raises(tasks.StageFailedError, match=r"\nexsitu: no data here: run `exsitu data` and `dvc add data`"):
        tasks.run_command(sys.executable, "-c", code)
    with pytest.raises(tasks.StageFailedError) as other:
        tasks.run_command(sys.executable, "-c", "import sys; print('another data'); sys.exit(1)")
    assert "no data here" not in str(other.value)


def test_a_refusal_is_not_tried_again_and_a_crash_is(tasks: ModuleType):
    refusal = SimpleNamespace(message="`dvc repro` ended with status 255:\nexsitu: 3 stars fail the gate")
    crash = SimpleNamespace(message="`dvc repro` ended with status 255:\nMemoryError")
    assert not tasks._may_pass_next_time(None, None, refusal)
    assert tasks._may_pass_next_time(None, None, crash)


def test_a_log_gets_each_line_as_a_terminal_would_show_it_in_the_end(tasks: ModuleType, capfdbinary):
    code = "import sys; sys.stdout.write('a\\n  10%\\r  50%\\r100% done\\n'); sys.stdout.flush()"
    tasks.run_command(sys.executable, "-c", code)
    assert capfdbinary.readouterr().err == b"a\n100% done\n"


def test_a_command_is_ended_with_all_it_started_where_its_flow_is(tasks: ModuleType, tmp_path: Path):
    child = f"import time; open({str(tmp_path / 'late')!r}, 'w').close() if time.sleep(600) else None"
    code = f"import subprocess, sys; print('here', flush=True); subprocess.run([sys.executable, '-c', {child!r}])"

    def cancelled(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "_without_bars", cancelled)
        with pytest.raises(KeyboardInterrupt):
            tasks.run_command(sys.executable, "-c", code)
    assert not _still_running(tmp_path)
    assert not tasks._running


def _still_running(folder: Path, patience_s: float = 10.0) -> list[str]:
    """Processes that name a folder, once those that were told to end had the time to."""
    import psutil

    def named(process: psutil.Process) -> bool:
        return any(str(folder) in argument for argument in process.info["cmdline"] or ())

    found = [process for process in psutil.process_iter(["cmdline"]) if named(process)]
    _, left = psutil.wait_procs(found, timeout=patience_s)
    return [str(process) for process in left]


def test_progress_bars_are_left_out_of_what_is_kept(tasks: ModuleType):
    assert tasks._lines("a\n  10%\r  50%\r100% done\n\nb\n") == ["a", "100% done", "b"]


def test_the_form_of_the_experiments_offers_those_there_are_and_runs_all_if_none_is_chosen(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    from prefect.utilities.callables import parameter_schema

    from exsitu.experiments.registry import EXPERIMENTS

    spec = importlib.util.spec_from_file_location("exsitu_experiments", repository / "flows" / "experiments.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    schema = parameter_schema(module.experiments).model_dump()
    assert schema["definitions"]["Name"]["enum"] == list(EXPERIMENTS)
    assert schema["properties"]["names"]["description"]
    ran = []
    monkeypatch.setattr(module.tasks, "experiment", ran.append)
    monkeypatch.setattr(module.tasks, "report", lambda: ran.append("report"))
    module.experiments.fn()
    module.experiments.fn([module.Name.E6])
    assert ran == [*EXPERIMENTS, "report", "E6", "report"]


def test_an_experiment_shows_its_findings_beside_the_papers(tasks, monkeypatch, tmp_path):
    tables, images = {}, []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tasks, "repro", lambda _: None)
    monkeypatch.setattr(tasks, "_table", lambda key, rows, _: tables.update({key: rows}))
    monkeypatch.setattr(tasks, "_image", lambda key, path, _: images.append((key, path.as_posix())))
    claim = {"statement": "VM is best", "paper": "1", "here": "2", "verdict": "holds", "why": ""}
    found = {"title": "t", "source": "s", "finding": "f", "claims": [claim], "figures": ["roc_of_all"]}
    (tmp_path / "build/experiments/E6").mkdir(parents=True)
    (tmp_path / "build/experiments/E6/results.json").write_text(json.dumps(found))
    tasks.experiment.fn("E6")
    assert tables == {"experiment-e6": [{key: claim[key] for key in ("statement", "paper", "here", "verdict")}]}
    assert images == [("experiment-e6-roc-of-all", "build/experiments/E6/roc_of_all.png")]


@pytest.fixture
def shown(tasks: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Artifacts by key, in a folder where a champion may be; nothing is sent to a server."""
    kept: dict[str, str] = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tasks, "create_markdown_artifact", lambda key, markdown, **_: kept.update({key: markdown}))
    monkeypatch.setattr(tasks, "get_run_logger", lambda: SimpleNamespace(warning=lambda *_: None))
    return kept


CHAMPION = '{"name": "exsitu", "version": "4", "variant": "vm_last", "cut": 0.7, "weights_sha256": "' + "a" * 64 + '"}'


def _ends_with(tasks: ModuleType, monkeypatch: pytest.MonkeyPatch, status: int, said: str, *, writes: str = "") -> None:
    """Let `exsitu promote` write a champion, say something and end with a status."""
    command = tasks.run_command
    write = f"open('champion.json', 'w').write({writes!r}); " if writes else ""
    code = f"import sys; {write}print({said!r}); sys.exit({status})"
    monkeypatch.setattr(tasks, "run_command", lambda *_: command(sys.executable, "-c", code))


def test_a_failed_gate_shows_its_report(tasks, shown, repository):
    code = (
        "import sys\nfrom pathlib import Path\nimport pandas as pd\nfrom exsitu import gates\n"
        "from exsitu.errors import ExsituError\ntry:\n"
        "    gates.check(pd.DataFrame({'source_id': [1, 1]}), 'training_sample', report=Path('gates/of-stars.json'),\n"
        "                suites=Path(sys.argv[1]))\n"
        "except ExsituError as error:\n    sys.exit(f'exsitu: {error}')\n"
    )
    with pytest.raises(tasks.StageFailedError, match="gate training_sample"):
        tasks.run_command(sys.executable, "-c", code, str(repository / "expectations"))
    assert set(shown) == {"gate-of-stars"}
    assert shown["gate-of-stars"].startswith("# Gate `training_sample`: failed")


def test_a_refused_candidate_leaves_the_champion_and_shows_why(tasks, shown, monkeypatch):
    Path("champion.json").write_text(CHAMPION)
    _ends_with(tasks, monkeypatch, 3, "FAIL         champion: purity: 0.1")
    assert tasks.promote.fn() is False
    assert "FAIL         champion: purity: 0.1" in shown["promotion"]
    assert "version 4" in shown["champion"]


def test_a_promoted_candidate_shows_its_criteria_and_is_a_change(tasks, shown, monkeypatch):
    Path("champion.json").write_text(CHAMPION)
    said = "pass         champion: purity: 0.4"
    _ends_with(tasks, monkeypatch, 0, said, writes=CHAMPION.replace('"4"', '"5"'))
    assert tasks.promote.fn() is True
    assert said in shown["promotion"]
    assert "version 5" in shown["champion"]


def test_a_promotion_of_this_checkout_alone_is_another_champion_too(tasks, shown, monkeypatch):
    from exsitu.registry import Champion

    committed = Champion("exsitu", "4", "a" * 32, "vm_last", 0.7, "b" * 64, "c" * 64, "d" * 64)
    here = replace(committed, version="5", cut=0.8, promoted={"over": fingerprint(committed)})
    Path("champion.json").write_text(json.dumps(asdict(committed)))
    Path(".exsitu").mkdir()
    writes = json.dumps(asdict(here))
    command = tasks.run_command
    code = f"open('.exsitu/champion.json', 'w').write({writes!r}); print('promoted')"
    monkeypatch.setattr(tasks, "run_command", lambda *_: command(sys.executable, "-c", code))
    assert tasks.promote.fn() is True
    assert "version 5" in shown["champion"]
    assert json.loads(Path("champion.json").read_text())["version"] == "4"


def test_promoting_the_champion_or_a_dry_run_is_no_change(tasks, shown, monkeypatch):
    _ends_with(tasks, monkeypatch, 0, "would be promoted; there is no champion")
    assert tasks.promote.fn(("--dry-run",)) is False
    assert "champion" not in shown
    Path("champion.json").write_text(CHAMPION)
    assert tasks.promote.fn() is False


@pytest.mark.parametrize(("status", "champion"), [(3, False), (1, True), (2, True)])
def test_a_refusal_without_a_champion_and_every_error_fail_the_task(tasks, shown, monkeypatch, status, champion):
    if champion:
        Path("champion.json").write_text(CHAMPION)
    _ends_with(tasks, monkeypatch, status, "exsitu: no data")
    with pytest.raises(tasks.StageFailedError, match=f"status {status}"):
        tasks.promote.fn()


def test_what_does_not_hold_is_shown_before_the_watch_fails_and_is_not_tried_again(tasks, monkeypatch, tmp_path):
    tables = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tasks, "_table", lambda key, rows, said: tables.update({key: (rows, said)}))
    row = {"what": "standin: b", "holds": False, "detail": "PSI 0.4", "figures": {"psi": 0.4}}
    (tmp_path / "build" / "watch").mkdir(parents=True)
    found = {"releases": [], "data": [], "drift": [row]}
    (tmp_path / "build" / "watch" / "watch.json").write_text(json.dumps(found))
    _ends_with(tasks, monkeypatch, 3, "FAILS  standin: b")
    with pytest.raises(tasks.StageFailedError) as caught:
        tasks.watch.fn(())
    assert tables["watch-drift"] == (
        [{"what": "standin: b", "holds": False, "psi": 0.4, "detail": "PSI 0.4"}],
        "0 of 1 hold",
    )
    assert not tasks._may_pass_next_time(None, None, SimpleNamespace(message=str(caught.value)))


def test_an_announcement_names_the_champion_so_that_deployments_can_wait_for_it(
    tasks, monkeypatch, tmp_path, repository
):
    events = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tasks, "emit_event", lambda **event: events.append(event))
    Path("champion.json").write_text(CHAMPION)
    tasks.announce()
    (event,) = events
    deployments = yaml.safe_load((repository / "prefect.yaml").read_text())["deployments"]
    (trigger,) = next(d for d in deployments if d["name"] == "release")["triggers"]
    assert event["event"] in trigger["expect"]
    assert fnmatch.fnmatch(event["resource"]["prefect.resource.id"], trigger["match"]["prefect.resource.id"])
    assert event["resource"]["exsitu.version"] == "4"


def _repro(tasks: ModuleType, monkeypatch: pytest.MonkeyPatch, *, note: str | None) -> None:
    """Let `dvc repro` leave the note of an MLflow run, or nothing."""
    monkeypatch.setattr(tasks, "get_run_logger", lambda: SimpleNamespace(info=lambda *_: None))
    notes = Path("build/runs")
    notes.mkdir(parents=True, exist_ok=True)

    def done(*_: str, bars: bool) -> None:
        if note is not None:
            (notes / "transfer-zm_last.json").write_text(json.dumps({"run_id": note}))

    monkeypatch.setattr(tasks, "run_command", done)
    tasks.repro("transfer@zm_last")


def test_a_stage_shows_the_mlflow_run_it_made_or_was_made_by_before(tasks, shown, monkeypatch):
    monkeypatch.setattr(tasks, "_mlflow_server", lambda: None)
    _repro(tasks, monkeypatch, note="a" * 32)
    assert shown["mlflow-transfer-zm-last"] == f"transfer@zm_last: made by MLflow run `{'a' * 32}`"
    _repro(tasks, monkeypatch, note=None)
    assert "made earlier by MLflow run `aaaa" in shown["mlflow-transfer-zm-last"]


def test_a_run_is_linked_where_a_server_shows_it(tasks, monkeypatch):
    about = {"run_name": "transfer zm_last", "experiment_id": "3"}
    monkeypatch.setattr(tasks, "_mlflow_server", lambda: "http://127.0.0.1:5000")
    monkeypatch.setattr(tasks, "ask", lambda url: {"run": {"info": about}} if url.endswith("run_id=abc") else None)
    assert tasks._run_link("abc") == "[transfer zm_last](http://127.0.0.1:5000/#/experiments/3/runs/abc) (`abc`)"
    assert tasks._run_link("gone") == "`gone`"


def test_the_variants_are_linked_side_by_side_where_a_server_shows_them(tasks, shown, monkeypatch):
    monkeypatch.setattr(tasks, "_mlflow_server", lambda: "http://127.0.0.1:5000")
    monkeypatch.setattr(tasks, "ask", lambda _: {"run": {"info": {"experiment_id": "3"}}})
    tasks._link_comparison(["abc", "def"])
    page = shown["mlflow-compare"].split("(")[1].split(")")[0]
    place, asked = page.split("?")
    assert place == "http://127.0.0.1:5000/#/compare-runs"
    assert parse_qs(asked) == {"runs": ['["abc", "def"]'], "experiments": ['["3"]']}
    shown.clear()
    tasks._link_comparison([])
    monkeypatch.setattr(tasks, "_mlflow_server", lambda: None)
    tasks._link_comparison(["abc"])
    assert not shown


def test_stages_are_told_the_page_of_their_flow_run_where_a_server_is_known(tasks, monkeypatch):
    import uuid

    from prefect.settings import PREFECT_UI_URL, temporary_settings

    run_id = str(uuid.uuid4())
    with temporary_settings(updates={PREFECT_UI_URL: "http://127.0.0.1:4200"}):
        assert tasks._told(run_id)["EXSITU_FLOW_RUN_URL"] == f"http://127.0.0.1:4200/runs/flow-run/{run_id}"
    monkeypatch.setattr(tasks, "url_for", lambda *_: None)
    assert tasks._told(run_id) == {"EXSITU_FLOW_RUN_ID": run_id}
