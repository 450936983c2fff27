"""Flow runs that lost their process: Prefect would call them running for ever; here they crash and are run again."""

import logging
from collections.abc import Collection
from typing import Any

import psutil

from exsitu.operations.asking import ask

_UNDER_WAY = ["RUNNING", "PENDING", "CANCELLING"]
_MOST_STARTS = 3
"""A run that was lost so often is not started again: it may be what brings the machine down."""

log = logging.getLogger(__name__)


def under_way(api: str, pool: str) -> set[str]:
    """
    Runs of a work pool that are not over.

    Parameters
    ----------
    api : str
        Address of Prefect's API.
    pool : str
        The work pool.

    Returns
    -------
    set of str
        Their ids.
    """
    return {run["id"] for run in _runs(api, pool, _UNDER_WAY)}


def _runs(api: str, pool: str, states: list[str]) -> list[dict[str, Any]]:
    asked = {"work_pools": {"name": {"any_": [pool]}}, "flow_runs": {"state": {"type": {"any_": states}}}}
    return list(ask(f"{api}/flow_runs/filter", asked) or [])


def recover(api: str, pool: str, stopped: Collection[str] = ()) -> list[str]:
    """
    Mark runs of a work pool that have no process any more as crashed, and schedule them again.

    Parameters
    ----------
    api : str
        Address of Prefect's API.
    pool : str
        The work pool; all its workers are of this machine.
    stopped : collection of str
        Ids of runs that were under way when their worker was stopped: some still find the time to say that they
        crashed.

    Returns
    -------
    list of str
        Names of the runs.

    Notes
    -----
    Doing a run again is safe: DVC redoes what is stale alone, a model is promoted once, a release is published once.
    """
    found = _runs(api, pool, _UNDER_WAY)
    if stopped:
        found += [run for run in _runs(api, pool, ["CRASHED"]) if run["id"] in stopped]
    alive = _alive() if found else set()
    lost = [run for run in found if run["id"] not in alive]
    for run in lost:
        _again(api, run)
    return [str(run["name"]) for run in lost]


def _again(api: str, run: dict[str, Any]) -> None:
    message = "its worker was stopped or ended"
    states = [{"type": "CRASHED", "name": "Crashed", "message": message}]
    if run["state_type"] == "CANCELLING":
        states = [{"type": "CANCELLED", "name": "Cancelled", "message": message}]
    elif run["run_count"] < _MOST_STARTS:
        states.append({"type": "SCHEDULED", "name": "AwaitingRetry", "message": f"{message}; it is started again"})
    told = [ask(f"{api}/flow_runs/{run['id']}/set_state", {"state": state, "force": True}) for state in states]
    outcome = f"could not be marked {states[-1]['name']}; `make up` tries again" if None in told else states[-1]["name"]
    log.warning("flow run %s %s: %s", run["name"], outcome, message)


def _alive() -> set[str]:
    """Ids of the flow runs that processes of this machine work on."""
    found = set()
    for process in psutil.process_iter():
        try:
            found.add(process.environ().get("PREFECT__FLOW_RUN_ID", ""))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found
