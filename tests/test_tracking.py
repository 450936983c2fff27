"""What tracking records, where it keeps it, and what it does when things fail."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exsitu import tracking
from exsitu.errors import InputError
from exsitu.provenance import sha256_file
from exsitu.settings import Tracking

SETTINGS = Tracking(uri="sqlite:///mlruns/mlflow.db", artifacts=Path("mlruns/artifacts"), model_name="exsitu")


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """A store with its tables made, once: MLflow takes seconds over them."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking.connect(SETTINGS, create=True)
    return folder


@pytest.fixture
def place(empty_store, tmp_path, monkeypatch):
    """A working directory with an empty store."""
    folder = tmp_path / "checkout"
    shutil.copytree(empty_store, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("EXSITU_FLOW_RUN_ID", "EXSITU_FLOW_RUN_URL"):
        monkeypatch.delenv(name, raising=False)
    return folder


@dataclass
class ModelFiles:
    """The two files of a made-up model, and its card."""

    folder: Path
    inputs: tuple[str, ...] = ("pmra", "pmdec", "parallax")
    digest: str = "d" * 64
    weights_sha256: str = ""

    def __post_init__(self):
        self.folder.mkdir()
        (self.folder / "weights.npz").write_bytes(b"weights")
        (self.folder / "model.json").write_text(json.dumps({"digest": self.digest}))
        self.weights_sha256 = sha256_file(self.folder / "weights.npz")


def test_a_run_takes_earlier_runs_below_it_and_passes_over_those_of_other_stores(place):
    with tracking.start_run(SETTINGS, "transfer", "transfer zm_last") as child:
        pass
    with tracking.start_run(SETTINGS, "transfer", "evaluate") as parent:
        parent.adopt([child.run_id, "f" * 32])
    client = tracking.connect(SETTINGS, create=False)
    assert client.get_run(child.run_id).data.tags["mlflow.parentRunId"] == parent.run_id


def test_a_run_records_parameters_metrics_data_and_tags(place, monkeypatch):
    page = "http://127.0.0.1:4200/runs/flow-run/flow-7"
    monkeypatch.setenv("EXSITU_FLOW_RUN_ID", "flow-7")
    monkeypatch.setenv("EXSITU_FLOW_RUN_URL", page)
    params = {"network": {"hidden": (100, 100), "input_set": "5D"}, "seed": 7}
    with tracking.start_run(
        SETTINGS, "pretraining", "pretrain 5D+phot", params=params, tags={"variant": "none"}, data={"train": "a" * 64}
    ) as run:
        run.log_metrics({"auc": 0.93})
    found = tracking.find_run(SETTINGS, run.run_id)
    assert found.status == "FINISHED"
    assert found.name == "pretrain 5D+phot"
    assert found.params == {"network.hidden": "[100, 100]", "network.input_set": "5D", "seed": "7"}
    assert found.metrics == {"auc": 0.93}
    assert found.tags["stage"] == "pretraining"
    assert found.tags["variant"] == "none"
    assert found.tags["flow_run_id"] == "flow-7"
    assert found.tags["flow_run_url"] == page
    held = tracking.connect(SETTINGS, create=False).get_run(run.run_id).data.tags
    assert page in held["mlflow.note.content"]
    assert found.tags["data_digest"] == "a" * 64
    assert found.tags["data_digest/train"] == "a" * 64
    assert len(found.tags["code_digest"]) == 64
    assert found.tags["git_revision"]


def test_the_data_digest_covers_all_data_sets_and_mlflow_gets_what_it_can_hold(place):
    with tracking.start_run(SETTINGS, "transfer", "t", data={"a": "a" * 64, "b": "b" * 64}) as run:
        pass
    tags = tracking.find_run(SETTINGS, run.run_id).tags
    assert tags["data_digest"] not in {"a" * 64, "b" * 64}
    assert len(tags["data_digest"]) == 64
    client = tracking.connect(SETTINGS, create=False)
    inputs = client.get_run(run.run_id).inputs.dataset_inputs
    assert sorted((i.dataset.name, i.dataset.digest) for i in inputs) == [("a", "a" * 36), ("b", "b" * 36)]


def test_epochs_are_logged_as_steps_by_their_own_count(place):
    history = pd.DataFrame({"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "best": [False, False, True]})
    with tracking.start_run(SETTINGS, "pretraining", "t") as run:
        run.log_epochs(history)
        run.log_epochs(pd.DataFrame())
        run.log_epochs(pd.DataFrame({"val_loss": [5.0, 4.0]}))
    client = tracking.connect(SETTINGS, create=False)
    assert [(m.step, m.value) for m in client.get_metric_history(run.run_id, "loss")] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert [m.step for m in client.get_metric_history(run.run_id, "val_loss")] == [1, 2]
    assert "best" not in tracking.find_run(SETTINGS, run.run_id).metrics


def test_more_than_a_batch_of_everything_is_recorded(place):
    many = {f"k{i}": i for i in range(250)}
    with tracking.start_run(SETTINGS, "pretraining", "t", params=many, tags=many) as run:
        run.log_epochs(pd.DataFrame({f"m{i}": np.arange(300.0) for i in range(4)}))
    found = tracking.find_run(SETTINGS, run.run_id)
    assert len(found.params) == 250
    assert found.tags["k249"] == "249"
    assert found.metrics["m3"] == 299.0


def test_a_failing_block_marks_the_run_failed_and_the_error_goes_on(place):
    with (
        pytest.raises(ZeroDivisionError, match="loss"),
        tracking.start_run(SETTINGS, "pretraining", "t") as run,
    ):
        raise ZeroDivisionError("no loss")
    found = tracking.find_run(SETTINGS, run.run_id)
    assert found.status == "FAILED"
    assert found.tags["error"] == "ZeroDivisionError: no loss"


def test_an_interrupt_marks_the_run_failed_too(place):
    with pytest.raises(KeyboardInterrupt), tracking.start_run(SETTINGS, "pretraining", "t") as run:
        raise KeyboardInterrupt
    assert tracking.find_run(SETTINGS, run.run_id).status == "FAILED"


def test_figures_and_files_lie_below_the_artefact_folder(place):
    Path("roc.png").write_bytes(b"picture")
    Path("scan.csv").write_text("cut\n")
    with tracking.start_run(SETTINGS, "pretraining", "t") as run:
        run.log_figure(Path("roc.png"))
        run.log_files([Path("scan.csv")])
    kept = place / "mlruns" / "artifacts" / run.run_id / "artifacts"
    assert (kept / "figures" / "roc.png").read_bytes() == b"picture"
    assert (kept / "files" / "scan.csv").is_file()
    assert tracking.download(SETTINGS, run.run_id, "files/scan.csv").read_text() == "cut\n"
    with pytest.raises(InputError, match="has no artefact nothing"):
        tracking.download(SETTINGS, run.run_id, "nothing")


@pytest.mark.parametrize("how", ["move", "copy"])
def test_a_moved_or_copied_checkout_keeps_its_artefacts_and_writes_into_itself(place, how, monkeypatch):
    Path("a.csv").write_text("old\n")
    with tracking.start_run(SETTINGS, "pretraining", "before") as before:
        before.log_files([Path("a.csv")])
    new = place.with_name("elsewhere")
    (shutil.copytree if how == "copy" else shutil.move)(place, new)
    monkeypatch.chdir(new)
    with tracking.start_run(SETTINGS, "pretraining", "after") as after:
        after.log_files([Path("a.csv")])
    assert (new / "mlruns" / "artifacts" / after.run_id / "artifacts" / "files" / "a.csv").is_file()
    assert not (place / "mlruns" / "artifacts" / after.run_id).exists()
    shutil.rmtree(place, ignore_errors=True)
    assert tracking.download(SETTINGS, before.run_id, "files/a.csv").read_text() == "old\n"


def test_the_environment_overrides_the_settings_store(place, monkeypatch, empty_store):
    shutil.copytree(empty_store / "mlruns", place / "other")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other/mlflow.db")
    with tracking.start_run(SETTINGS, "pretraining", "t") as run:
        pass
    assert tracking.find_run(SETTINGS, run.run_id)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(InputError, match="exsitu compare"):
        tracking.find_run(SETTINGS, run.run_id)


def test_a_server_is_not_told_where_to_keep_artefacts():
    uri = tracking.store_uri(SETTINGS.model_copy(update={"uri": "http://mlflow.example:5000"}))
    assert uri == "http://mlflow.example:5000"


def test_telemetry_is_off_when_the_store_is_opened(place, monkeypatch):
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    tracking.connect(SETTINGS, create=False)
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["DO_NOT_TRACK"] == "true"


@pytest.mark.parametrize("name", [".hidden", "", "a/b", "../up", "x" * 101])
def test_names_that_hide_or_climb_are_refused(place, name):
    with pytest.raises(InputError, match="run name"), tracking.start_run(SETTINGS, "pretraining", name):
        pass
    with pytest.raises(InputError, match="experiment name"), tracking.start_run(SETTINGS, name, "t"):
        pass


def test_runs_lists_an_experiment_latest_first(place):
    for number in range(3):
        with tracking.start_run(SETTINGS, "transfer", f"t{number}", params={"seed": number}) as run:
            run.log_metrics({"sum_chi2": 0.1 * number})
    found = tracking.runs(SETTINGS, "transfer")
    assert sorted(found["name"]) == ["t0", "t1", "t2"]
    assert found["started"].is_monotonic_decreasing
    assert found.set_index("name").loc["t2", "metrics.sum_chi2"] == pytest.approx(0.2)
    assert found.set_index("name").loc["t1", "params.seed"] == "1"


def test_an_experiment_or_run_that_does_not_exist_is_an_error_that_says_what_does(place):
    with tracking.start_run(SETTINGS, "transfer", "t"):
        pass
    with pytest.raises(InputError, match="did you mean 'transfer'"):
        tracking.runs(SETTINGS, "transfr")
    with pytest.raises(InputError, match="exsitu compare"):
        tracking.find_run(SETTINGS, "0" * 32)
    with pytest.raises(InputError, match="32 hexadecimal"):
        tracking.find_run(SETTINGS, "../x")


def test_looking_for_runs_before_the_first_makes_no_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InputError, match="make catalog"):
        tracking.runs(SETTINGS, "transfer")
    assert not list(tmp_path.iterdir())


def test_a_locked_store_is_tried_again_and_other_errors_are_not(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    calls = []

    def locked_twice():
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("(sqlite3.OperationalError) database is locked")
        return "written"

    assert tracking.patiently(locked_twice) == "written"
    assert len(calls) == 3
    with pytest.raises(ValueError, match="other"):
        tracking.patiently(lambda: (_ for _ in ()).throw(ValueError("other")))
    with pytest.raises(RuntimeError, match="locked"):
        tracking.patiently(lambda: (_ for _ in ()).throw(RuntimeError("database is locked")))


WRITER = """
    import sys
    from pathlib import Path
    from exsitu import tracking
    from exsitu.settings import Tracking
    settings = Tracking(uri="sqlite:///mlruns/mlflow.db", artifacts=Path("mlruns/artifacts"), model_name="exsitu")
    for number in range(5):
        with tracking.start_run(settings, "transfer", f"{sys.argv[1]}-{number}", params={"seed": 1}) as run:
            for step in range(4):
                run.log_metrics({"loss": 1.0 / (step + 1)}, step=step)
"""


@pytest.mark.slow
def test_two_first_processes_at_once_make_one_store_and_lose_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    command = [sys.executable, "-c", textwrap.dedent(WRITER)]
    writers = [subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in ("one", "two")]
    errors = [writer.communicate(timeout=300)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], errors
    found = tracking.runs(SETTINGS, "transfer")
    assert sorted(found["name"]) == sorted(f"{name}-{n}" for name in ("one", "two") for n in range(5))
    assert (found["status"] == "FINISHED").all()
    assert (found["metrics.loss"] == 0.25).all()


@pytest.mark.slow
def test_a_writer_waits_while_another_holds_the_store(place):
    holder = sqlite3.connect("mlruns/mlflow.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), "late"], stderr=subprocess.PIPE, text=True
    )
    with pytest.raises(subprocess.TimeoutExpired):
        writer.wait(timeout=8)
    holder.execute("COMMIT")
    holder.close()
    assert writer.wait(timeout=120) == 0, writer.stderr.read()
    writer.stderr.close()
    assert len(tracking.runs(SETTINGS, "transfer")) == 5


def test_a_lock_that_is_held_is_reported_with_its_file(tmp_path):
    with (
        tracking.file_lock(tmp_path / "lock"),
        pytest.raises(InputError, match="another process has held"),
        tracking.file_lock(tmp_path / "lock", timeout_s=0.1),
    ):
        pass
    with tracking.file_lock(tmp_path / "lock"):
        pass


@pytest.fixture(scope="module")
def network():
    """A network that gives the first input minus the last."""
    from exsitu.model.runtime import keras

    stars = keras.Input((3,), name="stars")
    model = keras.Model(stars, keras.layers.Dense(1, name="last")(stars))
    model.set_weights([np.array([[1.0], [0.0], [-1.0]], np.float32), np.zeros(1, np.float32)])
    return model


@pytest.mark.filterwarnings(
    # Keras's own reading of TensorFlow variables, and MLflow's of its own type hints, when a model is loaded below.
    "ignore:__array__ implementation:DeprecationWarning",
    "ignore:.*type hint is inferred as AnyType:UserWarning",
)
def test_a_logged_model_takes_columns_by_name_and_refuses_a_missing_one(place, network):
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException

    card = ModelFiles(place / "model")
    example = pd.DataFrame({"pmra": [3.0], "pmdec": [9.0], "parallax": [1.0], "l": [0.0]})
    with tracking.start_run(SETTINGS, "pretraining", "t") as run:
        uri = run.log_model(network, card, example, folder=card.folder)
    tags = tracking.find_run(SETTINGS, run.run_id).tags
    assert tags["weights_sha256"] == card.weights_sha256
    assert tags["model_digest"] == card.digest
    kept = tracking.download(SETTINGS, run.run_id, "model_files")
    assert sha256_file(kept / "weights.npz") == card.weights_sha256
    assert (kept / "model.json").read_bytes() == (card.folder / "model.json").read_bytes()
    assert "MLFLOW_TRACKING_URI" not in os.environ
    with tracking.recording._global_uri(tracking.store_uri(SETTINGS)):
        model = mlflow.pyfunc.load_model(uri)  # our own, a line above; the release path never does this
    assert model.metadata.signature.inputs.input_names() == list(card.inputs)
    swapped = example[["parallax", "pmdec", "pmra"]]
    assert np.ravel(model.predict(swapped)).tolist() == [2.0]
    with pytest.raises(MlflowException, match="missing inputs"):
        model.predict(example[["pmra", "pmdec"]])


def test_a_model_whose_files_are_not_the_cards_is_not_logged(place, network):
    card = ModelFiles(place / "model")
    example = pd.DataFrame({"pmra": [3.0], "pmdec": [9.0], "parallax": [1.0]})
    with tracking.start_run(SETTINGS, "pretraining", "t") as run:
        with pytest.raises(InputError, match="lacks the columns parallax"):
            run.log_model(network, card, example[["pmra", "pmdec"]], folder=card.folder)
        (card.folder / "weights.npz").write_bytes(b"sthgiew")
        with pytest.raises(InputError, match="the card says"):
            run.log_model(network, card, example, folder=card.folder)
        (card.folder / "weights.npz").unlink()
        with pytest.raises(InputError, match="save_model first"):
            run.log_model(network, card, example, folder=card.folder)


def test_importing_tracking_and_registry_does_not_import_mlflow():
    code = "import sys, exsitu.tracking, exsitu.registry; assert not {'mlflow', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
