"""Read what is on record of runs."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from exsitu.columns import nearest
from exsitu.errors import InputError
from exsitu.settings import Tracking
from exsitu.tracking.store import connect


@dataclass(frozen=True)
class TrackedRun:
    """
    What is on record of a run.

    Parameters
    ----------
    run_id, name, experiment_id, status : str
        MLflow's.
    params : mapping of str to str
        As recorded.
    metrics : mapping of str to float
        The last value of each.
    tags : mapping of str to str
        As recorded, without MLflow's own.
    """

    run_id: str
    name: str
    experiment_id: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def find_run(tracking: Tracking, run_id: str) -> TrackedRun:
    """
    Look a run up.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    run_id : str
        MLflow's id of the run.

    Returns
    -------
    TrackedRun

    Raises
    ------
    InputError
        If there is none of that id.
    """
    if not re.fullmatch(r"[0-9a-f]{32}", run_id):
        raise InputError(f"{run_id!r} is no run id (32 hexadecimal digits); `exsitu compare` lists the runs")
    client = connect(tracking, create=False)
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise InputError(f"no run {run_id} in {client.uri}; `exsitu compare` lists the runs") from None
    return _tracked(found)


def _tracked(run: Any) -> TrackedRun:
    info, data = run.info, run.data
    shown = {k: v for k, v in data.tags.items() if not k.startswith("mlflow.")}
    return TrackedRun(info.run_id, info.run_name, info.experiment_id, info.status, data.params, data.metrics, shown)


def runs(tracking: Tracking, experiment: str) -> pd.DataFrame:
    """
    All runs of an experiment, the latest first.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    experiment : str
        Name of the experiment.

    Returns
    -------
    DataFrame
        ``run_id``, ``name``, ``status``, ``started`` (UTC), and a column ``metrics.<name>``, ``params.<name>``,
        ``tags.<name>`` for each recorded; NaN where a run has none.

    Raises
    ------
    InputError
        If there is no such experiment.
    """
    client = connect(tracking, create=False)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        known = sorted(e.name for e in client.search_experiments() if e.name != "Default")
        raise InputError(
            f"no experiment {experiment!r}{nearest(experiment, known)}; known: {', '.join(known) or 'none yet'}"
        )
    rows: list[dict[str, Any]] = []
    token = None
    while token is not None or not rows:
        page = client.search_runs([found.experiment_id], order_by=["start_time DESC"], page_token=token)
        rows.extend(_row(run) for run in page)
        token = page.token
        if not token:
            break
    return pd.DataFrame(rows, columns=None if rows else ["run_id", "name", "status", "started"])


def _row(run: Any) -> dict[str, Any]:
    tracked = _tracked(run)
    row: dict[str, Any] = {
        "run_id": tracked.run_id,
        "name": tracked.name,
        "status": tracked.status,
        "started": pd.Timestamp(run.info.start_time, unit="ms", tz="UTC"),
    }
    for kind in ("metrics", "params", "tags"):
        row |= {f"{kind}.{name}": value for name, value in getattr(tracked, kind).items()}
    return row


def download(tracking: Tracking, run_id: str, artefact: str) -> Path:
    """
    Fetch a file or folder of a run into a new temporary folder.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    run_id : str
        MLflow's id of the run.
    artefact : str
        Path among the run's artefacts.

    Returns
    -------
    Path
        The copy; its parent is a temporary folder that the caller removes.

    Raises
    ------
    InputError
        If the run has no such artefact.
    """
    client = connect(tracking, create=False)
    from mlflow.exceptions import MlflowException

    target = Path(tempfile.mkdtemp(prefix="exsitu-artefact-"))
    try:
        return Path(client.download_artifacts(run_id, artefact, str(target)))
    except (MlflowException, OSError) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise InputError(f"run {run_id} has no artefact {artefact} that can be read ({error})") from None
