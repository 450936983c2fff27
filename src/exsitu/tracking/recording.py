"""Record what a training reads, does and leaves behind."""

import contextlib
import json
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from exsitu.errors import InputError
from exsitu.provenance import code_digest, git_revision, sha256_file, sha256_json
from exsitu.settings import Tracking
from exsitu.tracking.store import Client, checked_name, connect, experiment_id, flat, patiently

MODEL_FILES = "model_files"
"""Artefact folder of the two files that a release trusts."""

WEIGHTS, CARD = "weights.npz", "model.json"

PARENT = "mlflow.parentRunId"
"""MLflow's tag of a run that is shown below another."""

_DIGEST_LENGTH = 36  # MLflow's limit for data sets; the full digest is a tag
_PER_BATCH = 100  # MLflow's limit for parameters and tags; metrics may be 1000


class Card(Protocol):
    """What tracking and registry need to know of a model (`exsitu.model.network.ModelCard`)."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Raw columns in the order the network takes them."""

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides scores."""

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of ``weights.npz``."""


class Run:
    """
    A run under way.

    Parameters
    ----------
    client : Client
        The open store.
    run_id : str
        MLflow's id of the run.
    """

    def __init__(self, client: Client, run_id: str) -> None:
        self._client = client
        self.run_id = run_id

    def log_params(self, params: Mapping[str, Any]) -> None:
        """
        Record parameters, nested ones flattened.

        Parameters
        ----------
        params : mapping
            Names and values; a name is recorded once.
        """
        from mlflow.entities import Param

        entries = [Param(name, str(value)) for name, value in flat(params).items()]
        for start in range(0, len(entries), _PER_BATCH):
            self._client.log_batch(self.run_id, params=entries[start : start + _PER_BATCH])

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """
        Record numbers.

        Parameters
        ----------
        metrics : mapping of str to float
            Names and values.
        step : int
            Epoch, or 0.
        """
        self._log_rows([(step, metrics)])

    def log_epochs(self, history: pd.DataFrame) -> None:
        """
        Record a training's numbers, an epoch a step, in few calls.

        Parameters
        ----------
        history : DataFrame
            A row an epoch; the column ``epoch`` counts them, else they are counted from 1. Other numeric columns are
            metrics.
        """
        epochs = history["epoch"] if "epoch" in history else range(1, len(history) + 1)
        numbers = history.drop(columns="epoch", errors="ignore").select_dtypes("number")
        self._log_rows(zip((int(e) for e in epochs), numbers.to_dict("records"), strict=True))

    def _log_rows(self, rows: Iterable[tuple[int, Mapping[Any, float]]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [Metric(str(k), float(v), now, step) for step, row in rows for k, v in row.items()]
        for start in range(0, len(entries), 10 * _PER_BATCH):
            self._client.log_batch(self.run_id, metrics=entries[start : start + 10 * _PER_BATCH])

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """
        Set tags.

        Parameters
        ----------
        tags : mapping
            Names and values.
        """
        from mlflow.entities import RunTag

        entries = [RunTag(name, str(value)) for name, value in tags.items()]
        for start in range(0, len(entries), _PER_BATCH):
            self._client.log_batch(self.run_id, tags=entries[start : start + _PER_BATCH])

    def adopt(self, children: Iterable[str]) -> None:
        """
        Show runs that ended before below this one; a run that is not in this store is passed over.

        Parameters
        ----------
        children : iterable of str
            Ids of runs.
        """
        from mlflow.exceptions import MlflowException

        for run_id in children:
            try:
                self._client.set_tag(run_id, PARENT, self.run_id)
            except MlflowException as error:  # a collaborator has the model from DVC, and no run of it
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise

    def log_data(self, name: str, digest: str) -> None:
        """
        Record a data set the run reads.

        Parameters
        ----------
        name : str
            What it is called.
        digest : str
            Its SHA-256; MLflow's entry holds the first 36 digits, the tag ``data_digest/<name>`` all of them.
        """
        from mlflow.entities import Dataset, DatasetInput

        source = json.dumps({"name": name, "sha256": digest})
        entry = Dataset(name=name, digest=digest[:_DIGEST_LENGTH], source_type="exsitu", source=source)
        self._client.log_inputs(self.run_id, datasets=[DatasetInput(entry)])
        self.set_tags({f"data_digest/{name}": digest})

    def log_figure(self, path: Path) -> None:
        """
        Keep a figure.

        Parameters
        ----------
        path : Path
            An image.
        """
        self._client.log_artifact(self.run_id, str(path), "figures")

    def log_files(self, paths: Iterable[Path], folder: str = "files") -> None:
        """
        Keep files.

        Parameters
        ----------
        paths : iterable of Path
            Files.
        folder : str
            Artefact folder.
        """
        for path in paths:
            self._client.log_artifact(self.run_id, str(path), folder)

    def log_model(self, network: Any, card: Card, example: pd.DataFrame, *, folder: Path) -> str:
        """
        Keep a network: as an MLflow model with named columns, and as the two files that a release trusts.

        Parameters
        ----------
        network : keras.Model
            Takes raw columns in physical units.
        card : Card
            Its card.
        example : DataFrame
            Some stars with the columns of ``card.inputs``.
        folder : Path
            Where ``save_model`` wrote ``weights.npz`` and ``model.json``.

        Returns
        -------
        str
            Address of the MLflow model.

        Raises
        ------
        InputError
            If the example lacks a column or ``weights.npz`` is not the card's.

        Notes
        -----
        MLflow's Keras flavour takes a tensor signature alone, under which swapped columns pass unseen. It is replaced
        by one of named columns, by which MLflow puts columns in order and refuses a missing one.
        """
        self._require_own_files(card, folder)
        missing = [name for name in card.inputs if name not in example]
        if missing:
            raise InputError(f"the example lacks the columns {', '.join(missing)} of the network's inputs")
        self.log_files([folder / WEIGHTS, folder / CARD], MODEL_FILES)
        self.set_tags({"weights_sha256": card.weights_sha256, "model_digest": card.digest})
        with _global_uri(self._client.uri), warnings.catch_warnings():
            # Keras reads TensorFlow variables and MLflow its own type hints in ways they warn about themselves.
            warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
            warnings.filterwarnings("ignore", message=".*type hint is inferred as AnyType", category=UserWarning)
            return _log_keras(network, card.inputs, self.run_id)

    @staticmethod
    def _require_own_files(card: Card, folder: Path) -> None:
        for name in (WEIGHTS, CARD):
            if not (folder / name).is_file():
                raise InputError(f"no {folder / name}; write the model with save_model first")
        found = sha256_file(folder / WEIGHTS)
        if found != card.weights_sha256:
            raise InputError(
                f"{folder / WEIGHTS} has SHA-256 {found}, the card says {card.weights_sha256}; give the card that "
                "save_model returned"
            )


def _log_keras(network: Any, inputs: Sequence[str], run_id: str) -> str:
    """Log through MLflow's Keras flavour; requirements are stated, because inferring them takes half a minute."""
    import mlflow.keras
    import numpy as np
    from mlflow.models import Model, ModelSignature, set_signature
    from mlflow.types.schema import ColSpec, Schema, TensorSpec

    number = np.dtype("float32")
    tensors = (TensorSpec(number, (-1, len(inputs))), TensorSpec(number, (-1, 1)))
    info = Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.keras,
        run_id=run_id,
        model=network,
        signature=ModelSignature(*(Schema([tensor]) for tensor in tensors)),
        pip_requirements=[f"{name}=={version(name)}" for name in ("keras", "tensorflow", "numpy")],
    )
    columns = Schema([ColSpec("double", name) for name in inputs])
    patiently(set_signature, info.model_uri, ModelSignature(columns, Schema([ColSpec("double", "score")])))
    return str(info.model_uri)


@contextlib.contextmanager
def _global_uri(uri: str) -> Iterator[None]:
    """Point MLflow's module-level functions at the store, and put the environment, which MLflow changes, back."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before or "")
        if before is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)


@contextlib.contextmanager
def start_run(
    tracking: Tracking,
    experiment: str,
    name: str,
    *,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
    parent: str | None = None,
) -> Iterator[Run]:
    """
    Track what the block does.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    experiment : str
        Experiment the run belongs to; by custom the stage.
    name : str
        Name of the run.
    params : mapping, optional
        Settings that decided the result; nested ones are flattened.
    tags : mapping, optional
        More tags. Always set: ``stage`` (the experiment, unless given), ``git_revision``, ``code_digest``,
        ``data_digest``; ``flow_run_id``, ``flow_run_url`` and a description with the link where EXSITU_FLOW_RUN_ID and
        EXSITU_FLOW_RUN_URL are in the environment.
    data : mapping of str to str, optional
        Name and SHA-256 of each data set read. The tag ``data_digest`` is the digest of the only one, or of all.
    parent : str, optional
        Id of the run this one is shown below.

    Yields
    ------
    Run
        What to record with. If the block raises, the run is marked FAILED and the error goes on.

    Raises
    ------
    InputError
        If a name is not allowed.
    """
    checked_name("experiment", experiment)
    client = connect(tracking, create=True)
    run_id = client.create_run(
        experiment_id(client, tracking, experiment), run_name=checked_name("run", name)
    ).info.run_id
    run = Run(client, str(run_id))
    try:
        below = {PARENT: parent} if parent else {}
        run.set_tags(_standard_tags(experiment, data or {}) | below | dict(tags or {}))
        run.log_params(params or {})
        for data_name, digest in (data or {}).items():
            run.log_data(data_name, digest)
        yield run
    except BaseException as error:
        client.set_tag(run.run_id, "error", f"{type(error).__name__}: {error}"[:500])
        client.set_terminated(run.run_id, "FAILED")
        raise
    client.set_terminated(run.run_id, "FINISHED")


def _standard_tags(stage: str, data: Mapping[str, str]) -> dict[str, str]:
    tags = {"stage": stage, "git_revision": git_revision(), "code_digest": code_digest()}
    if data:
        tags["data_digest"] = next(iter(data.values())) if len(data) == 1 else sha256_json(dict(data))
    if flow_run := os.environ.get("EXSITU_FLOW_RUN_ID"):
        tags["flow_run_id"] = flow_run
    if page := os.environ.get("EXSITU_FLOW_RUN_URL"):
        tags |= {"flow_run_url": page, "mlflow.note.content": f"Made by the Prefect [flow run]({page})."}
    return tags
