"""Processes that outlive the command that started them: each with a pid file and a log."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

from exsitu import SILENCE
from exsitu.errors import InputError
from exsitu.provenance import read_record, write_json

_PAUSE_S = 0.1


@dataclass(frozen=True)
class Detached:
    """
    A process of ours.

    Parameters
    ----------
    name : str
        What it is called; its files are ``NAME.json`` and ``NAME.log``.
    pid : int
        Its process id.
    started : float
        When the system says it started, s since 1970: a pid that was given to another program since is told by it.
    url : str
        Where it answers.
    """

    name: str
    pid: int
    started: float
    url: str

    def process(self) -> psutil.Process | None:
        """
        Find the process, if it is still ours.

        Returns
        -------
        psutil.Process or None
        """
        try:
            found = psutil.Process(self.pid)
            ours = abs(found.create_time() - self.started) < 1.0 and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return found if ours else None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process() is not None

    def memory_bytes(self) -> int:
        """
        Memory that would be free without the process and its children.

        Returns
        -------
        int
            Proportional set size where the system tells it, else resident; 0 where the process is gone.
        """
        process = self.process()
        total = 0
        for one in [] if process is None else [process, *process.children(recursive=True)]:
            try:
                held = one.memory_full_info()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            total += getattr(held, "pss", held.rss)
        return total


def start(
    name: str, command: list[str], *, folder: Path, url: str, environment: Mapping[str, str], cwd: Path
) -> Detached:
    """
    Start a process in a session of its own, its words added to its log.

    Parameters
    ----------
    name : str
        What it is called.
    command : list of str
        The command and its arguments.
    folder : Path
        For its pid file and log; made if need be.
    url : str
        Where it will answer.
    environment : mapping of str to str
        Its whole environment.
    cwd : Path
        Its working directory.

    Returns
    -------
    Detached
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    # What is started here ends after this command; a Popen that is forgotten would warn of it.
    process.returncode = 0
    found = Detached(name, process.pid, psutil.Process(process.pid).create_time(), url)
    write_json(folder / f"{name}.json", asdict(found))
    return found


def find(name: str, folder: Path) -> Detached | None:
    """
    What the pid file says.

    Parameters
    ----------
    name : str
        What the process is called.
    folder : Path
        Of its pid file.

    Returns
    -------
    Detached or None
        None where it was never started, or was stopped; it may have ended by itself.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    names = tuple(part.name for part in fields(Detached))
    held = read_record(path, *names, made_by="exsitu up")
    return Detached(**{name: held[name] for name in names})


def stop(process: Detached, folder: Path, *, patience_s: float = 20.0) -> bool:
    """
    End a process and everything it started: asked first, then killed.

    Parameters
    ----------
    process : Detached
        What to end.
    folder : Path
        Of its pid file, which is removed.
    patience_s : float
        How long it may take to end by itself, s.

    Returns
    -------
    bool
        Whether it ran.
    """
    found = process.process()
    family = [] if found is None else [found, *found.children(recursive=True)]
    # Children too: a worker that is asked alone waits for its flow runs, which may train for hours.
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for one in family:
            _tell(one, sign)
        _, family = psutil.wait_procs(family, timeout=patience_s)
        if not family:
            break
    (folder / f"{process.name}.json").unlink(missing_ok=True)
    return found is not None


def _tell(process: psutil.Process, sign: signal.Signals) -> None:
    try:
        process.send_signal(sign)
    except psutil.NoSuchProcess:
        return


def require_free(port: int, name: str) -> None:
    """
    Refuse a port that another program listens on.

    Parameters
    ----------
    port : int
        On loopback.
    name : str
        What wants it: a key ``servers.NAME_port`` of the settings.

    Raises
    ------
    InputError
        If it is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(
                f"port {port} for the {name} server cannot be had ({error.strerror}): another program listens there; "
                f"stop it, or give another port with --{name}-port or servers.{name}_port in params.yaml"
            ) from None


def tail(path: Path, lines: int = 12) -> str:
    """
    End of a log.

    Parameters
    ----------
    path : Path
        The log.
    lines : int
        How much of it.

    Returns
    -------
    str
        Empty where there is none.
    """
    if not path.is_file():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def pause() -> None:
    """Wait a moment before asking again."""
    time.sleep(_PAUSE_S)


def environment_of(root: Path, **more: str) -> dict[str, str]:
    """
    Environment of servers and of what they start: this Python's commands first, nothing phones home.

    Parameters
    ----------
    root : Path
        The checkout, absolute.
    **more : str
        Further variables.

    Returns
    -------
    dict of str to str
    """
    commands = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ.get('PATH', '')}",
        **SILENCE,
        "PREFECT_HOME": os.environ.get("PREFECT_HOME", str(root / ".prefect")),
        "EXSITU_HOME": str(root),
        **more,
    }
