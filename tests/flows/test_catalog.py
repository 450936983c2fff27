"""The main job goes the whole way, and a second time does nothing that is current."""

import contextlib
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient
from project import copy_project, free_port, run

from exsitu.operations.asking import ask

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the flow has run once from nothing to its releases, with the embedded server."""
    root = copy_project(tmp_path_factory.mktemp("house"))
    done = run(root, sys.executable, "flows/catalog.py")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    (root / "first-run.txt").write_text(done.stderr, encoding="utf-8")
    return root


def _json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_both_surveys_are_released_and_named_at_the_end(house: Path):
    assert {p.name for p in (house / "releases").iterdir() if p.is_dir()} >= {"standin-1", "hipparcos2-1"}
    farewell = (house / "first-run.txt").read_text(encoding="utf-8").splitlines()[-6:]
    assert any("releases/standin-1/README.md" in line for line in farewell)


def test_comparison_has_seven_rows_and_names_the_best(house: Path):
    said = run(house, "exsitu", "compare")
    assert said.returncode == 0
    variants = [line.split()[0] for line in said.stdout.splitlines()[1:8]]
    assert variants == ["none", "vm_first", "vm_last", "vm_first_last", "zm_first", "zm_last", "zm_first_last"]
    assert f"best: {_json(house / 'build/evaluation/evaluation.json')['best']}" in said.stdout


def test_verify_with_audit_passes_and_prints_purity_and_efficiency(house: Path):
    said = run(house, "exsitu", "verify", "releases/standin-1", "--audit")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "purity" in said.stdout
    assert "efficiency_accreted" in said.stdout


CHAMPION = ".exsitu/champion.json"


def test_the_champion_of_the_checkout_has_the_adapted_weights_and_no_tracked_file_was_written(house: Path):
    champion = _json(house / CHAMPION)
    assert not (house / "champion.json").exists()
    assert not (house / "promotions.jsonl").exists()
    assert champion["promoted"]["git_revision"] == run(house, "git", "rev-parse", "HEAD").stdout.strip()
    assert champion["weights_sha256"] == _json(house / "build/adapted/model.json")["weights_sha256"]
    assert champion["cut"] == _json(house / "build/adapted/recipe.json")["cut"]


def test_no_test_star_is_in_any_training_set(house: Path):
    samples = house / "build" / "samples"
    ids = {
        path.relative_to(samples).as_posix(): set(pd.read_parquet(path, columns=["source_id"])["source_id"])
        for path in samples.rglob("*.parquet")
    }
    tested = [name for name in ids if name.endswith("test.parquet")]
    taught = [name for name in ids if not name.endswith("test.parquet")]
    assert len(tested) == 3
    assert len(taught) == 6
    for test in tested:
        for other in ids.keys() - {test}:
            assert not ids[test] & ids[other], f"{test} and {other} share stars"


def test_dvc_says_nothing_to_do(house: Path):
    said = run(house, "dvc", "repro")
    assert said.returncode == 0
    assert "Data and pipelines are up to date." in said.stdout + said.stderr


def test_promoting_twice_is_promoting_once(house: Path):
    before = (house / CHAMPION).read_bytes()
    said = run(house, "exsitu", "promote")
    assert said.returncode == 0, said.stderr
    assert (house / CHAMPION).read_bytes() == before


def test_release_twice_under_one_version_is_refused(house: Path):
    said = run(house, "exsitu", "release", "standin", "--version", "standin-1")
    assert said.returncode == 1
    assert "standin-1" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_transfer_run_cannot_be_promoted(house: Path):
    run_id = _json(house / "build/runs/transfer-zm_last.json")["run_id"]
    said = run(house, "exsitu", "promote", "--run", run_id)
    assert said.returncode == 1
    assert "adapt" in said.stderr
    assert "Traceback" not in said.stderr


def test_an_unknown_variant_names_the_nearest(house: Path):
    said = run(house, "exsitu", "transfer", "zm_lst")
    assert said.returncode == 2
    assert "did you mean 'zm_last'" in said.stderr


def test_a_table_of_stars_is_scored_in_input_order(house: Path, tmp_path: Path):
    source, output = house / "data" / "hipparcos" / "hipparcos2.parquet", tmp_path / "scores.parquet"
    said = run(house, "exsitu", "score", "--input", str(source), "--output", str(output), "--json")
    assert said.returncode == 0, said.stderr
    counts = json.loads(said.stdout)
    assert {"rows", "scored", "selected", "cut", "flags", "warnings"} <= counts.keys()
    scores = pd.read_parquet(output)
    assert list(scores.columns) == ["row", "source_id", "score", "flags"]
    assert scores["row"].tolist() == list(range(counts["rows"]))
    assert scores["source_id"].tolist() == pd.read_parquet(source, columns=["source_id"])["source_id"].tolist()
    assert scores["score"].notna().sum() == counts["scored"]


def test_real_cluster_members_are_all_scored(house: Path, real_data: Path):
    said = run(
        house, "exsitu", "score", "--json", "--input", str(real_data / "star_cluster_members_gaiadr2_ship.parquet")
    )
    assert said.returncode == 0, said.stderr
    counts = json.loads(said.stdout)
    assert (counts["rows"], counts["scored"]) == (72866, 72866)


@pytest.mark.parametrize("name", ["metal_poor_halo_stars_gaia6d.csv", "rave_metal_poor_ruchti2011_gaia.csv"])
def test_real_stars_without_errors_are_scored_only_where_that_is_allowed(house: Path, real_data: Path, name: str):
    refused = run(house, "exsitu", "score", "--json", "--input", str(real_data / name))
    assert refused.returncode == 1
    assert "--allow-missing-errors" in refused.stderr
    said = run(house, "exsitu", "score", "--json", "--allow-missing-errors", "--input", str(real_data / name))
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["scored"] > 300


def test_the_notebook_for_astronomers_runs_from_its_first_cell_to_its_last(house: Path):
    cells = _json(house / "docs" / "notebook.ipynb")["cells"]
    code = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    done = run(house / "docs", sys.executable, "-c", f"{code}\nprint(counts['scored'], len(scan))", MPLBACKEND="agg")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["4", "95"]


@pytest.fixture(scope="module")
def standing(house: Path):
    """What `make up` starts, for the house: address of Prefect's API, and of MLflow."""
    deployments = house / "prefect.yaml"  # schedules are there but sleep: no test depends on the time of day
    deployments.write_text(
        deployments.read_text(encoding="utf-8").replace("active: true", "active: false"), encoding="utf-8"
    )
    ports = free_port(), free_port()
    started = run(house, "exsitu", "up", "--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1]), "--json")
    assert started.returncode == 0, started.stderr
    yield f"http://127.0.0.1:{ports[0]}/api", f"http://127.0.0.1:{ports[1]}"
    stopped = run(house, "exsitu", "down")
    assert stopped.stderr.strip().endswith("stopped worker, mlflow, prefect")


@pytest.fixture
def server(standing) -> str:
    """Address of Prefect's API."""
    return standing[0]


def _post(address: str, **body):
    found = ask(address, body)  # patient with a server whose database is busy
    assert found is not None, f"{address} refused {body}"
    return found


def _ask(url: str, what: str, **body):
    return _post(f"{url}/{what}/filter", **body)


def _deployment(url: str, name: str):
    return next(d for d in _ask(url, "deployments") if d["name"] == name)


def _runs_of(url: str, name: str):
    """Flow runs of a deployment that started or will now, the latest first; those of a schedule are still to come."""
    wanted = {"deployment_id": {"any_": [_deployment(url, name)["id"]]}}
    found = _ask(url, "flow_runs", flow_runs=wanted, sort="EXPECTED_START_TIME_DESC")
    return [r for r in found if not (r["auto_scheduled"] and r["state_type"] == "SCHEDULED")]


def _finished(url: str, run_id: str):
    """A flow run when it has ended, however slow the machine; a server that stays silent is an error."""
    silent = 0
    while silent < 20:
        found = ask(f"{url}/flow_runs/{run_id}")
        silent = silent + 1 if found is None else 0
        if found is not None and found["state_type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
            return found
        time.sleep(1)
    raise AssertionError(f"{url} does not answer any more")


def _start(url: str, name: str, **parameters):
    return _post(f"{url}/deployments/{_deployment(url, name)['id']}/create_flow_run", parameters=parameters)["id"]


def test_a_second_run_on_a_running_server_redoes_nothing_and_shows_its_artifacts(house: Path, server: str):
    models = {path: path.stat().st_mtime_ns for path in (house / "build").rglob("weights.npz")}
    releases = sorted(p.name for p in (house / "releases").iterdir())
    done = run(house, sys.executable, "flows/catalog.py", PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr[-4000:]
    assert {path: path.stat().st_mtime_ns for path in (house / "build").rglob("weights.npz")} == models
    assert sorted(p.name for p in (house / "releases").iterdir()) == releases
    assert {r["state"]["type"] for r in _ask(server, "flow_runs")} == {"COMPLETED"}
    tasks = {r["name"].rsplit("-", 1)[0] for r in _ask(server, "task_runs")}
    assert tasks >= {"data", "prepare", "pretrain", "transfer", "evaluate", "adapt", "promote", "release", "verify"}
    artifacts = {a["key"]: a["type"] for a in _ask(server, "artifacts", limit=200)}
    assert artifacts["transfer-variants"] == "table"
    assert artifacts["evaluation-roc"] == "image"
    stages = ("pretrain", "transfer-zm-last", "evaluate", "adapt")
    assert {artifacts.get(f"mlflow-{stage}") for stage in stages} == {"markdown"}


def test_up_again_leaves_everything_as_it_is(house: Path, standing):
    before = {path.name: path.read_bytes() for path in (house / ".servers").glob("*.json")}
    again = run(house, "exsitu", "up", "--json")
    assert again.returncode == 0, again.stderr
    assert all(state["up"] for state in json.loads(again.stdout))
    assert {path.name: path.read_bytes() for path in (house / ".servers").glob("*.json")} == before
    assert set(before) == {"prefect.json", "mlflow.json", "worker.json"}


def test_status_doctor_and_ui_know_the_servers(house: Path, standing):
    found = json.loads(run(house, "exsitu", "status", "--json").stdout)
    assert [state["up"] for state in found["servers"]] == [True, True, True]
    assert found["stages"] == {"known": True, "stale": {}, "detail": ""}
    assert found["champion"]["name"] == "exsitu"
    assert {r["version"].rsplit("-", 1)[0] for r in found["releases"]} == {"standin", "hipparcos2"}
    assert all(r["verifies"] and r["of_champion"] for r in found["releases"])
    healthy = run(house, "exsitu", "doctor")
    assert "fine   prefect server" in healthy.stdout, healthy.stdout + healthy.stderr
    shown = run(house, "exsitu", "ui", "--no-browser").stdout
    assert standing[0].removesuffix("/api") in shown
    assert standing[1] in shown
    pages = standing[0].removesuffix("/api")
    assert ask(f"{pages}/ui-settings")["api_url"] == standing[0]  # Prefect's pages ask the port that was given


def test_mlflows_server_shows_the_runs_models_and_pictures_of_the_stages(house: Path, standing):
    _, mlflow = standing
    experiments = _post(f"{mlflow}/api/2.0/mlflow/experiments/search", max_results=20)["experiments"]
    ids = [e["experiment_id"] for e in experiments]
    runs = _post(f"{mlflow}/api/2.0/mlflow/runs/search", experiment_ids=ids, max_results=100)["runs"]
    adapted = json.loads((house / "build/runs/adapted.json").read_text())["run_id"]
    assert adapted in {r["info"]["run_id"] for r in runs}
    with urllib.request.urlopen(f"{mlflow}/api/2.0/mlflow/artifacts/list?run_id={adapted}", timeout=30) as answer:
        assert {f["path"] for f in json.load(answer)["files"]} >= {"model_files", "figures", "files"}
    evaluated = json.loads((house / "build/runs/evaluate.json").read_text())["run_id"]
    with urllib.request.urlopen(
        f"{mlflow}/api/2.0/mlflow/artifacts/list?run_id={evaluated}&path=report", timeout=30
    ) as answer:
        assert [f["path"] for f in json.load(answer)["files"]] == ["report/comparison.html"]
    below = [r for r in runs if {"key": "mlflow.parentRunId", "value": evaluated} in r["data"]["tags"]]
    assert len(below) == 7
    assert all("flow_run_id" in {tag["key"] for tag in r["data"]["tags"]} for r in below)
    with urllib.request.urlopen(f"{mlflow}/api/2.0/mlflow/registered-models/get?name=exsitu", timeout=30) as answer:
        aliases = {a["alias"] for a in json.load(answer)["registered_model"]["aliases"]}
    assert aliases >= {"champion", "candidate"}


def test_every_deployment_is_there_scheduled_or_triggered_with_words_and_parameters(server: str):
    found = {d["name"]: d for d in _ask(server, "deployments")}
    assert {n for n, d in found.items() if d["schedules"]} == {"refresh-data", "nightly-train", "experiments", "watch"}
    (automation,) = _ask(server, "automations")
    assert automation["enabled"]
    assert automation["actions"][0]["deployment_id"] == found["release"]["id"]
    for deployment in found.values():
        assert deployment["description"]
        assert deployment["global_concurrency_limit"]["limit"] == 1
        described = deployment["parameter_openapi_schema"]["properties"]
        assert all(parameter.get("description") for parameter in described.values()), deployment["name"]


def test_the_watch_shows_what_it_found_by_input(house: Path, server: str):
    found = _finished(server, _start(server, "watch"))
    tables = {a["key"]: json.loads(a["data"]) for a in _ask(server, "artifacts", limit=200) if a["type"] == "table"}
    assert {row["what"] for row in tables["watch-drift"]} == {
        f"standin: {name}" for name in ("l", "b", "pmra", "pmdec", "parallax")
    }
    assert all(row["holds"] for row in tables["watch-releases"] + tables["watch-data"])
    assert found["state_type"] == ("COMPLETED" if all(row["holds"] for row in tables["watch-drift"]) else "FAILED")


def test_a_promotion_starts_the_release_by_its_event(house: Path, server: str):
    other = "zm_last" if _json(house / CHAMPION)["variant"] != "zm_last" else "vm_last"
    adapted = run(house, "exsitu", "adapt", "--variant", other, "--no-progress")
    assert adapted.returncode == 0, adapted.stderr
    reason = "to see the release follow"
    done = _finished(server, _start(server, "promote", force=True, reason=reason))
    assert done["state_type"] == "COMPLETED", done["state"]["message"]
    champion = _json(house / CHAMPION)
    assert champion["variant"] == other
    logged = json.loads((house / ".exsitu/promotions.jsonl").read_text().splitlines()[-1])
    assert (logged["reason"], logged["flow_run"]) == (reason, done["id"])
    while not (followed := _runs_of(server, "release")):
        time.sleep(1)
    released = _finished(server, followed[0]["id"])
    assert released["state_type"] == "COMPLETED", released["state"]["message"]
    manifests = [_json(p) for p in (house / "releases").glob("standin-*/manifest.json")]
    assert champion["weights_sha256"] in {m["model"]["weights_sha256"] for m in manifests}


@contextlib.contextmanager
def _training_under_way(house: Path, server: str) -> Iterator[str]:
    """A nightly training in the middle of a pretraining that takes long; settings are as before once it was left."""
    path, log = house / "params.yaml", house / ".servers/worker.log"
    before, said = path.read_text(), log.stat().st_size
    path.write_text(before.replace("pretraining: 2", "pretraining: 50"))  # long enough to be stopped under way
    try:
        started = _start(server, "nightly-train", promote=False)
        while b"pretrain-" not in log.read_bytes()[said:]:  # earlier runs said so too
            time.sleep(0.5)
        yield started
    finally:
        path.write_text(before)


def _half_written(house: Path) -> list[Path]:
    return [p for name in ("build", "releases") for p in (house / name).glob(".*") if p.is_dir()]


def _versions(house: Path) -> set[str]:
    client = MlflowClient(f"sqlite:///{house / 'mlruns/mlflow.db'}")
    return {str(found.version) for found in client.search_model_versions("name = 'exsitu'")}


def test_a_run_whose_worker_is_killed_crashes_and_is_done_again(house: Path, server: str):
    kept = _versions(house), sorted(p.name for p in (house / "releases").iterdir())
    with _training_under_way(house, server) as started:
        worker = psutil.Process(_json(house / ".servers/worker.json")["pid"])
        for process in (worker, *worker.children(recursive=True)):
            process.kill()
    again = run(house, "exsitu", "up")
    assert again.returncode == 0, again.stderr
    done = _finished(server, started)
    assert (done["state_type"], done["run_count"]) == ("COMPLETED", 2), done["state"]["message"]
    states = ask(f"{server}/flow_run_states/?flow_run_id={started}")
    assert "CRASHED" in {state["type"] for state in states}
    assert (_versions(house), sorted(p.name for p in (house / "releases").iterdir())) == kept


def test_a_run_under_way_when_all_is_stopped_is_done_again_after_the_restart(house: Path, server: str):
    with _training_under_way(house, server) as started:
        stopped = run(house, "exsitu", "down")
        assert stopped.returncode == 0, stopped.stderr
        assert "AwaitingRetry" in stopped.stderr
    assert not _half_written(house), "a stage left something half-written"
    ports = server.rsplit(":", 1)[1].removesuffix("/api"), str(free_port())
    again = run(house, "exsitu", "up", "--prefect-port", ports[0], "--mlflow-port", ports[1])
    assert again.returncode == 0, again.stderr
    assert {d["name"] for d in _ask(server, "deployments")} >= {"watch", "release"}
    done = _finished(server, started)
    assert (done["state_type"], done["run_count"]) == ("COMPLETED", 2), done["state"]["message"]
