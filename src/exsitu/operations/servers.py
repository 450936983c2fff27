"""The standing servers of one machine: Prefect, MLflow, one worker; on loopback, in the background, started once."""

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exsitu.errors import InputError
from exsitu.operations.asking import ask
from exsitu.operations.lost import recover, under_way
from exsitu.operations.processes import Detached, environment_of, find, pause, require_free, start, stop, tail
from exsitu.settings import Servers, Settings
from exsitu.tracking import connect, file_lock, store_uri

FOLDER = Path(".servers")
"""Pid files and logs; not in ``build``, which ``make clean`` removes while servers run."""

POOL = "local"
PIPELINE = "pipeline"
"""Work queue of the flows that run DVC: one at a time, because DVC lets one run at a time."""

PREFECT, MLFLOW, WORKER = "prefect", "mlflow", "worker"
NAMES = (PREFECT, MLFLOW, WORKER)

_DEPLOY_S = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """
    State of a server.

    Parameters
    ----------
    name : str
        ``prefect``, ``mlflow`` or ``worker``.
    up : bool
        Whether it runs and answers.
    url : str
        Where; empty where it was not started.
    pid : int or None
        Its process, if it runs.
    memory_bytes : int
        Of the process and its children.
    detail : str
        In words.
    """

    name: str
    up: bool
    url: str = ""
    pid: int | None = None
    memory_bytes: int = 0
    detail: str = "not started; `make up` starts it"

    def text(self) -> str:
        """
        Turn the state into a line for people.

        Returns
        -------
        str
        """
        return f"{self.name:<8} {'up' if self.up else 'down':<5} {self.detail}"


def states(root: Path) -> list[State]:
    """
    Ask the servers of a checkout how they are.

    Parameters
    ----------
    root : Path
        The checkout.

    Returns
    -------
    list of State
        Prefect, MLflow, worker.
    """
    folder = root / FOLDER
    return [_state(name, find(name, folder), folder) for name in NAMES]


def _state(name: str, process: Detached | None, folder: Path) -> State:
    if process is None:
        return State(name, up=False)
    if not process.alive:
        return State(
            name, up=False, url=process.url, detail=f"ended by itself; its last words are in {folder / name}.log"
        )
    up = _HEALTHY[name](process.url)
    memory = process.memory_bytes()
    said = f"{process.url} (pid {process.pid}, {memory / 2**20:.0f} MiB)"
    detail = said if up else f"runs but does not answer at {said}; see {folder / name}.log"
    return State(name, up, process.url, process.pid, memory, detail)


def _worker_is_online(url: str) -> bool:
    workers = ask(f"{url}/api/work_pools/{POOL}/workers/filter", {})
    return isinstance(workers, list) and any(worker.get("status") == "ONLINE" for worker in workers)


_HEALTHY: dict[str, Callable[[str], bool]] = {
    PREFECT: lambda url: ask(f"{url}/api/health") is True,
    MLFLOW: lambda url: ask(f"{url}/health") == "OK",
    WORKER: _worker_is_online,
}


def up(settings: Settings, root: Path, servers: Servers, *, timeout_s: float = 180.0) -> list[State]:
    """
    Start what is not up yet, wait until it answers, and bring the deployments of ``prefect.yaml`` up to date.

    Parameters
    ----------
    settings : Settings
        Where MLflow keeps its runs.
    root : Path
        The checkout.
    servers : Servers
        Ports and the worker's limit.
    timeout_s : float
        How long a server may take to answer, s.

    Returns
    -------
    list of State

    Raises
    ------
    InputError
        If a port is taken, or a server ends or does not answer; what this call started is stopped then.
    """
    root = root.resolve()
    folder = root / FOLDER
    with file_lock(folder / ".lock"):
        wanted = [name for name in NAMES if (held := find(name, folder)) is None or not held.alive]
        for name, port in ((PREFECT, servers.prefect_port), (MLFLOW, servers.mlflow_port)):
            if name in wanted:
                require_free(port, name)
        started: list[Detached] = []
        try:
            _start_all(settings, root, servers, wanted, started, timeout_s)
            _deploy(root)
        except BaseException:
            for process in reversed(started):
                stop(process, folder)
            raise
    return states(root)


def _start_all(
    settings: Settings, root: Path, servers: Servers, wanted: Sequence[str], started: list[Detached], timeout_s: float
) -> None:
    """Both servers at once, because each takes seconds to come; the worker when there is a server to ask for work."""
    folder = root / FOLDER
    commands = {PREFECT: lambda: _prefect(servers), MLFLOW: lambda: _mlflow(settings, root, servers)}
    urls = {PREFECT: f"http://127.0.0.1:{servers.prefect_port}", MLFLOW: f"http://127.0.0.1:{servers.mlflow_port}"}
    # Prefect's pages ask the port they are told, which is not the one they come from unless we say so.
    pages = {"PREFECT_SERVER_UI_API_URL": f"{urls[PREFECT]}/api"}
    environment = environment_of(root, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", **pages)
    for name in (PREFECT, MLFLOW):
        if name in wanted:
            log.info("starting %s, log %s", name, folder / f"{name}.log")
            started.append(
                start(name, commands[name](), folder=folder, url=urls[name], environment=environment, cwd=root)
            )
    prefect = _answering(PREFECT, folder, timeout_s)
    if WORKER in wanted:
        recover(f"{prefect.url}/api", POOL)
        log.info("starting worker, log %s", folder / "worker.log")
        reached = environment_of(root, PREFECT_API_URL=f"{prefect.url}/api")
        started.append(start(WORKER, _worker(servers), folder=folder, url=prefect.url, environment=reached, cwd=root))
    for name in (MLFLOW, WORKER):
        _answering(name, folder, timeout_s)


def _prefect(servers: Servers) -> list[str]:
    address = ["--host", "127.0.0.1", "--port", str(servers.prefect_port)]
    return [sys.executable, "-m", "prefect", "server", "start", *address]


def _mlflow(settings: Settings, root: Path, servers: Servers) -> list[str]:
    store = store_uri(settings.tracking)
    if store.startswith(("http:", "https:")):
        raise InputError(
            f"MLFLOW_TRACKING_URI = {store} is another machine's server; unset it to start one here, or start the "
            "Prefect server and a worker by hand (docs/scheduled.md)"
        )
    # A store that the server made would keep models where only those who ask the server find them; stages ask the file.
    connect(settings.tracking, create=True)
    kept = str(root / settings.tracking.artifacts)
    address = ["--host", "127.0.0.1", "--port", str(servers.mlflow_port), "--workers", "1"]
    stores = ["--backend-store-uri", store, "--artifacts-destination", kept]
    return [sys.executable, "-m", "mlflow", "server", *address, *stores]


def _worker(servers: Servers) -> list[str]:
    pool = ["--pool", POOL, "--type", "process", "--name", "exsitu", "--limit", str(servers.worker_limit)]
    return [sys.executable, "-m", "prefect", "worker", "start", *pool]


def _answering(name: str, folder: Path, timeout_s: float) -> Detached:
    """Wait until a server answers; one that ended or stays silent is an error with its last words."""
    deadline = time.monotonic() + timeout_s
    while True:
        process = find(name, folder)
        if process is None or not process.alive:
            raise InputError(
                f"{name} ended before it answered; the end of {folder / name}.log:\n{tail(folder / f'{name}.log')}"
            )
        if _HEALTHY[name](process.url):
            return process
        if time.monotonic() > deadline:
            raise InputError(
                f"{name} did not answer at {process.url} within {timeout_s:g} s; the end of {folder / name}.log:\n"
                f"{tail(folder / f'{name}.log')}"
            )
        pause()


def _deploy(root: Path) -> None:
    """Deployments as ``prefect.yaml`` says; the same file twice changes nothing."""
    if not (root / "prefect.yaml").is_file():
        return
    api = f"{_answering(PREFECT, root / FOLDER, _DEPLOY_S).url}/api"
    _one_at_a_time(f"{api}/work_pools/{POOL}/queues")
    environment = environment_of(root, PREFECT_API_URL=api)
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    log.info("deploying prefect.yaml, log %s", root / FOLDER / "deploy.log")
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    (root / FOLDER / "deploy.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        raise InputError(
            f"prefect.yaml cannot be deployed; the end of {root / FOLDER / 'deploy.log'}:\n"
            f"{tail(root / FOLDER / 'deploy.log')}"
        )


def _one_at_a_time(queues: str) -> None:
    """Make the queue of the pipeline with its limit; a limit that somebody gave it stays."""
    queue = ask(f"{queues}/{PIPELINE}")
    if queue is None:
        ask(queues, {"name": PIPELINE, "concurrency_limit": 1})
    elif queue["concurrency_limit"] is None:
        ask(f"{queues}/{PIPELINE}", {"concurrency_limit": 1}, method="PATCH")


def down(root: Path) -> list[str]:
    """
    Stop the servers; runs, models, schedules and logs stay, and flow runs under way are done again after `up`.

    Parameters
    ----------
    root : Path
        The checkout.

    Returns
    -------
    list of str
        Names of those that ran.
    """
    folder = root.resolve() / FOLDER
    stopped = []
    with file_lock(folder / ".lock"):
        # The worker first, so that a flow run that ends with it can still tell the server.
        for name in (WORKER, MLFLOW, PREFECT):
            process = find(name, folder)
            if process is None:
                continue
            api = f"{process.url}/api"
            runs = under_way(api, POOL) if name == WORKER else set()
            if stop(process, folder):
                stopped.append(name)
            if name == WORKER:
                recover(api, POOL, runs)
    return stopped
