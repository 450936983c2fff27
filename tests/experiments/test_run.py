"""Run experiments the whole way, small: nothing that was finished is redone, results tell where they came from."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from exsitu import tracking
from exsitu.errors import InputError
from exsitu.experiments.experiment import Experiment
from exsitu.experiments.registry import chosen
from exsitu.experiments.report import write_report
from exsitu.experiments.run import read_results, run_experiments
from exsitu.experiments.training import TRIALS
from exsitu.provenance import read_json
from exsitu.settings import Settings

pytestmark = pytest.mark.slow


def run(settings: Settings, data: Path, kept: Path, names: tuple[str, ...], **more: bool) -> list[Path]:
    return run_experiments(settings, chosen(names), data=data, kept=kept, progress=False, **more)


@pytest.fixture(scope="module")
def ran(settings, data, kept) -> dict[str, Path]:
    folders = run(settings, data, kept, ("E1", "E6"))
    return {folder.name: folder for folder in folders}


def stamps(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_an_experiment_leaves_tables_figures_numbers_and_findings(ran):
    for folder in ran.values():
        results = read_json(folder / "results.json")
        assert all(len(pd.read_csv(folder / f"{name}.csv")) for name in results["tables"])
        assert all((folder / f"{name}.png").stat().st_size > 5000 for name in results["figures"])
        assert results["claims"]
        assert {claim["verdict"] for claim in results["claims"]} <= {"holds", "within the error", "does not hold"}
        assert read_json(folder / "metrics.json")


def test_networks_of_several_seeds_have_a_spread(ran):
    table = pd.read_csv(ran["E6"] / "variants.csv").set_index("name")
    assert (table["auc_spread"] > 0).all()
    assert (table["auc_error"] >= table["auc_spread"] / 2**0.5 - 1e-9).all()


def test_what_is_finished_is_left_alone(ran, settings, data, kept):
    before = stamps(kept)
    run(settings, data, kept, ("E1", "E6"))
    assert stamps(kept) == before


def test_another_measure_trains_no_network(ran, settings, data, kept):
    cuts = settings.evaluation.model_copy(update={"min_selected": 6})
    before = stamps(kept / TRIALS)
    identity = read_json(ran["E6"] / "results.json")["identity"]
    run(settings.model_copy(update={"evaluation": cuts}), data, kept, ("E6",))
    assert read_json(ran["E6"] / "results.json")["identity"] != identity
    assert stamps(kept / TRIALS) == before


def test_measuring_again_gives_the_same_tables(ran, settings, data, kept):
    run(settings, data, kept, ("E6",))
    before = {path.name: path.read_bytes() for path in ran["E6"].iterdir()}
    run(settings, data, kept, ("E6",), again=True)
    assert {path.name: path.read_bytes() for path in ran["E6"].iterdir()} == before


def test_mlflow_holds_a_run_an_experiment_and_below_it_a_run_a_network(ran, settings):
    table = tracking.runs(settings.tracking, "E6")
    parents = table[table["name"] == "E6"]
    assert len(parents)
    latest = tracking.find_run(settings.tracking, parents["run_id"].iloc[0])
    assert latest is not None
    children = table[table["name"] != "E6"]
    assert len(children) % 14 == 0
    assert {re.sub(r" seed \d$", "", name) for name in children["name"]} >= {"none", "ZM last", "VM first + last"}


def test_changed_data_are_refused_before_anything_is_trained(settings, data, tmp_path):
    copied = tmp_path / "data"
    for path in sorted(p for p in data.rglob("*") if p.is_file()):
        (copied / path.relative_to(data)).parent.mkdir(parents=True, exist_ok=True)
        (copied / path.relative_to(data)).write_bytes(path.read_bytes())
    (copied / "mocks" / "m12i" / "accreted_particle_ids.npy").write_bytes(b"other")
    with pytest.raises(InputError, match="not as when the data were made"):
        run(settings, copied, tmp_path / "kept", ("E6",))
    assert not (tmp_path / "kept" / TRIALS).exists()


def test_the_report_sets_every_finding_beside_the_papers(ran, kept, tmp_path):
    page = write_report(kept, tmp_path / "reports")
    text, markdown = page.read_text(encoding="utf-8"), (tmp_path / "reports" / "paper.md").read_text(encoding="utf-8")
    results = read_results(kept)
    assert set(results) >= {"E1", "E6"}
    for result in results.values():
        for claim in result["claims"]:
            assert claim["here"] in markdown
            assert claim["paper"] in markdown
    assert text.count("<img") == sum(len(result["figures"]) for result in results.values())
    assert "<script" not in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    for link in re.findall(r"\]\((figures/[^)]+)\)", markdown):
        assert (tmp_path / "reports" / link).is_file()


def test_figures_of_the_report_look_as_they_did_in_half_the_bytes(ran, kept, tmp_path):
    write_report(kept, tmp_path)
    for copy in (tmp_path / "figures").iterdir():
        original = kept / copy.name.replace("-", "/", 1)
        before, after = (np.asarray(Image.open(path).convert("RGB"), np.int16) for path in (original, copy))
        assert (np.abs(before - after).max(axis=2) > 32).mean() < 0.01
        assert copy.stat().st_size < 0.5 * original.stat().st_size


def test_a_report_of_nothing_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match="run `exsitu experiment all` first"):
        write_report(tmp_path, tmp_path / "reports")


@pytest.fixture
def begin(params, data, tmp_path):
    """Start `exsitu experiment` in a process group of its own."""

    def begun(*names: str) -> subprocess.Popen[str]:
        words = ["--params", str(params), "experiment", *names, "--seeds", "1", "--data", str(data), "--output", "kept"]
        return subprocess.Popen(
            [sys.executable, "-m", "exsitu.cli", *words, "--no-progress"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}"},
        )

    return begun


@pytest.mark.fault
def test_a_killed_run_goes_on_and_redoes_nothing_that_was_finished(begin, tmp_path):
    trials = tmp_path / "kept" / TRIALS
    first = begin("E2")
    while first.poll() is None and len(list(trials.glob("[0-9a-f]*"))) < 2:
        time.sleep(0.05)
    assert first.poll() is None, first.stderr.read()
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    finished = {folder.name for folder in trials.glob("[0-9a-f]*")}
    before = {name: stamps(trials / name) for name in finished}
    assert not (tmp_path / "kept" / "E2").exists()
    second = begin("E2")
    _, said = second.communicate(timeout=600)
    assert second.returncode == 0, said
    assert f"9 networks, {9 - len(finished)} of them to train" in said
    assert {name: stamps(trials / name) for name in finished} == before
    assert (tmp_path / "kept" / "E2" / "results.json").is_file()
    assert {path.name for path in trials.iterdir()} == {path.name for path in trials.glob("[0-9a-f]*")}


def test_an_experiment_is_measured_by_its_own_functions_alone(settings, data, kept):
    """The frame knows nothing of single experiments: one made up here runs like those of the paper."""
    from exsitu.experiments.experiment import Measured, above
    from exsitu.experiments.trial import Sample, Trial

    made_up = Experiment(
        name="E99",
        title="A test",
        source="nowhere",
        finding="None.",
        trials=lambda _: {"only": Trial(sample=Sample(surveys=("m12i/lsr0",)))},
        measure=lambda bench: Measured({"only": bench.sizes()}),
        draw=lambda *_: {},
        claims=lambda tables: [above("it learnt", float(tables["only"]["training_stars"].iloc[0]), 0.0, paper="")],
    )
    (folder,) = run_experiments(settings, [made_up], data=data, kept=kept, progress=False)
    assert read_json(folder / "results.json")["claims"][0]["verdict"] == "holds"
