"""MLflow's store: its address, its lock, patience with other writers, and absolute paths that a move leaves stale."""

import contextlib
import fcntl
import json
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from exsitu.errors import InputError
from exsitu.settings import Tracking

Inputs = ParamSpec("Inputs")
Result = TypeVar("Result")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+() -]{0,99}")
_PAUSES_S = (0.2, 0.4, 0.8, 1.6, 3.2)


@contextlib.contextmanager
def file_lock(path: Path, *, timeout_s: float = 120.0) -> Iterator[None]:
    """
    Hold an exclusive lock on a file; the system releases it if the process dies.

    Parameters
    ----------
    path : Path
        Lock file; made if need be, and left.
    timeout_s : float
        How long to wait for another process, seconds.

    Yields
    ------
    None

    Raises
    ------
    InputError
        If another process still holds it after that time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with path.open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise InputError(
                        f"another process has held {path} for {timeout_s:g} s; wait for it to end, then try again"
                    ) from None
                time.sleep(0.05)
        yield


def patiently(function: Callable[Inputs, Result], *args: Inputs.args, **kwargs: Inputs.kwargs) -> Result:
    """
    Call MLflow, and try again while another process writes to the SQLite store.

    Parameters
    ----------
    function : callable
        A method of MLflow's client.
    *args, **kwargs
        Its arguments.

    Returns
    -------
    object
        What the function returns.

    Notes
    -----
    MLflow itself waits 20 s for SQLite's lock (its ``busy_timeout``); a call that still fails is repeated here.
    """
    for pause_s in _PAUSES_S:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # MLflow wraps what SQLAlchemy raises; the words are all there is to tell it by
            if "database is locked" not in str(error):
                raise
            time.sleep(pause_s)
    return function(*args, **kwargs)


def store_uri(tracking: Tracking) -> str:
    """
    Address of the store.

    Parameters
    ----------
    tracking : Tracking
        Settings.

    Returns
    -------
    str
        MLFLOW_TRACKING_URI where it is set, else the settings' one; a relative SQLite path made absolute, because
        MLflow remembers stores by address and not by place.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or tracking.uri
    path = _database(uri)
    return uri if path is None else f"sqlite:///{path}"


def _database(uri: str) -> Path | None:
    """Absolute path of a SQLite store; None where the address is of another kind."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path.cwd() / uri.removeprefix("sqlite:///")


class Client:
    """
    MLflow's client, patient with a locked store.

    Parameters
    ----------
    uri : str
        Address of store and registry.
    """

    def __init__(self, uri: str) -> None:
        from mlflow import MlflowClient

        self.uri = uri
        self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def __getattr__(self, name: str) -> Any:
        """Method of MLflow's client, called with patience."""
        return partial(patiently, getattr(self._client, name))


def _quietly() -> None:
    """Set before MLflow is imported: no telemetry, no bars of its own, no page of migrations when a store is made."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    for name in ("mlflow.store.db.utils", "alembic", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.WARNING)


def connect(tracking: Tracking, *, create: bool) -> Client:
    """
    Open the store.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    create : bool
        Whether to make it where there is none; otherwise that is an error.

    Returns
    -------
    Client

    Raises
    ------
    InputError
        If there is no store and none may be made.
    """
    uri = store_uri(tracking)
    database = _database(uri)
    _quietly()
    if database is None:
        return Client(uri)
    if not create and not database.is_file():
        raise InputError(f"no runs yet: {database} does not exist; run `exsitu pretrain` or `make catalog` first")
    with file_lock(database.with_name(".store.lock")):  # two first runs at once would both make the tables
        client = Client(uri)
        _put_paths_right(database.parent, database)
    return client


_PATHS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_HOME = "exsitu.home"  # tag of an experiment: the folder its store was in when the paths were written


def _put_paths_right(home: Path, database: Path) -> None:
    """Rewrite the absolute paths MLflow keeps below the store's folder, where that was moved or copied since."""
    with contextlib.closing(sqlite3.connect(database, timeout=60.0)) as connection, connection:
        row = connection.execute("SELECT value FROM experiment_tags WHERE key = ? LIMIT 1", (_HOME,)).fetchone()
        if row is None or row[0] == str(home):
            return
        old, new = f"{row[0]}/", f"{home}/"
        for table, column in _PATHS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - names from the list above
                f"WHERE substr({column}, 1, ?) = ?",
                (new, len(old) + 1, len(old), old),
            )
        connection.execute("UPDATE experiment_tags SET value = ? WHERE key = ?", (str(home), _HOME))


def experiment_id(client: Client, tracking: Tracking, experiment: str) -> str:
    """
    Id of an experiment, which is made if need be.

    Parameters
    ----------
    client : Client
        The open store.
    tracking : Tracking
        Settings.
    experiment : str
        Name.

    Returns
    -------
    str
    """
    found = client.get_experiment_by_name(experiment)
    if found is not None:
        return str(found.experiment_id)
    database = _database(client.uri)
    artifacts = str(Path.cwd() / tracking.artifacts) if database else None  # a server knows its own place
    tags = {_HOME: str(database.parent)} if database else {}
    try:
        return str(client.create_experiment(experiment, artifact_location=artifacts, tags=tags))
    except Exception:  # another process made it since we asked
        found = client.get_experiment_by_name(experiment)
        if found is None:
            raise
        return str(found.experiment_id)


def checked_name(kind: str, name: str) -> str:
    """
    Hold a name against the one pattern of names.

    Parameters
    ----------
    kind : str
        What is named, for the message.
    name : str
        The name.

    Returns
    -------
    str
        The name.

    Raises
    ------
    InputError
        If it does not match.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{kind} name {name!r}: use up to 100 letters, digits, blanks and any of _.+()-, a letter or digit first"
        )
    return name


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """
    Flatten nested settings.

    Parameters
    ----------
    values : mapping
        Settings, as ``model_dump(mode="json")`` gives them, or any nesting of mappings.
    prefix : str
        Put before each key.

    Returns
    -------
    dict
        ``{"a.b": value}``; lists are written as JSON.
    """
    result: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            result |= flat(value, f"{name}.")
        else:
            result[name] = json.dumps(list(value)) if isinstance(value, list | tuple) else value
    return result
