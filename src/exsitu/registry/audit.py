"""The log of promotions: who made what champion, when, over which, why and by which criteria.

``promotions.jsonl`` lies beside ``champion.json`` and is tracked by git with it, so it survives without MLflow. Lines
are only ever added: it is written anew beside itself with one line more, and renamed into place.
"""

import contextlib
import datetime as dt
import getpass
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from exsitu.errors import InputError
from exsitu.provenance import git_revision, publish_file
from exsitu.registry.champion import Champion

Action = Literal["promote", "rollback", "found"]
"""``found`` is a champion that the file named although the log had no line of it."""


@dataclass(frozen=True)
class Entry:
    """
    A line of the log.

    Parameters
    ----------
    action : str
        ``"promote"``, ``"rollback"`` or ``"found"``.
    when : str
        UTC, ISO 8601, to the second.
    who : str
        git's ``user.name``, or the name of the account.
    was : mapping or None
        The champion before: ``name``, ``version``, ``run_id``, ``variant``, ``cut``, ``weights_sha256``.
    now : mapping
        The champion since, likewise.
    reason : str or None
        As given on the command line.
    forced : bool
        Whether a criterion failed and was overruled.
    criteria : list of mapping
        As `exsitu.registry.Criterion.as_dict` gives them; empty for a rollback.
    revision : str
        Commit of the checkout.
    flow_run : str or None
        Id of the Prefect flow run that did it, if one did.
    """

    action: Action
    when: str
    who: str
    was: Mapping[str, Any] | None
    now: Mapping[str, Any]
    reason: str | None = None
    forced: bool = False
    criteria: list[Mapping[str, Any]] = field(default_factory=list)
    revision: str = "unknown"
    flow_run: str | None = None

    def text(self) -> str:
        """
        Turn the entry into a line for people.

        Returns
        -------
        str
        """
        was = f"version {self.was['version']}" if self.was else "none"
        how = f"{self.action}, forced" if self.forced else self.action
        why = f": {self.reason}" if self.reason else ""
        return f"{self.when}  {self.who}  {how}  {self.now['name']} {was} -> version {self.now['version']}{why}"


def log_file(champion_file: Path) -> Path:
    """
    Where the promotions of a champion file are logged.

    Parameters
    ----------
    champion_file : Path
        Such as ``champion.json``.

    Returns
    -------
    Path
        Beside it: ``promotions.jsonl``; ``promotions-real.jsonl`` for ``champion-real.json``.
    """
    stem = champion_file.stem
    own = stem.removeprefix("champion") if stem.startswith("champion") else f"-{stem}"
    return champion_file.with_name(f"promotions{own}.jsonl")


def entry_of(
    action: Action,
    was: Champion | None,
    now: Champion,
    *,
    reason: str | None = None,
    forced: bool = False,
    criteria: Sequence[Mapping[str, Any]] = (),
) -> Entry:
    """
    Make an entry, signed and dated.

    Parameters
    ----------
    action : str
        What was done.
    was : Champion or None
        The champion before.
    now : Champion
        The champion since.
    reason : str, optional
        Why.
    forced : bool
        Whether a failed criterion was overruled.
    criteria : list of mapping, optional
        What was looked at.

    Returns
    -------
    Entry
    """
    return Entry(
        action=action,
        when=f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
        who=_who(),
        was=None if was is None else _short(was),
        now=_short(now),
        reason=reason,
        forced=forced,
        criteria=list(criteria),
        revision=git_revision(),
        flow_run=os.environ.get("EXSITU_FLOW_RUN_ID"),
    )


def _who() -> str:
    """Who git commits as, because the log is committed; the account's name outside git."""
    try:
        named = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False).stdout
    except OSError:
        named = ""
    return named.strip() or getpass.getuser()


def _short(champion: Champion) -> dict[str, Any]:
    return {name: getattr(champion, name) for name in ("name", "version", "run_id", "variant", "cut", "weights_sha256")}


def read_log(path: Path) -> list[Entry]:
    """
    Read a log.

    Parameters
    ----------
    path : Path
        The log.

    Returns
    -------
    list of Entry
        Oldest first; empty where there is no log yet.

    Raises
    ------
    InputError
        If a line is not of the log's form; nothing that exsitu does can leave such a line.
    """
    if not path.is_file():
        return []
    found = []
    known = {f.name for f in fields(Entry)}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            held = json.loads(line)
        except ValueError:
            held = None
        if not isinstance(held, dict) or set(held) != known or not isinstance(held["now"], dict):
            raise InputError(
                f"{path}, line {number} is no entry of the log: {line[:60]!r}; restore it with "
                f"`git checkout -- {path}`, or take out what a merge left there"
            )
        found.append(Entry(**held))
    return found


@contextlib.contextmanager
def added(path: Path, entries: list[Entry]) -> Iterator[None]:
    """
    Add entries when the block ends well: they are on disk before it starts and appear after it.

    Parameters
    ----------
    path : Path
        The log.
    entries : list of Entry
        To be added at the end.

    Yields
    ------
    None
        If the block raises, the log stays as it was. The caller holds the lock of promotions.
    """
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = [json.dumps(asdict(entry), ensure_ascii=False, allow_nan=False) for entry in entries]
    with publish_file(path) as staged:
        staged.write_text(before + "".join(f"{line}\n" for line in lines), encoding="utf-8")
        yield


def missing_entries(path: Path, held: Champion | None) -> list[Entry]:
    """
    What the log lacks of the champion that the file names.

    Parameters
    ----------
    path : Path
        The log.
    held : Champion or None
        Content of the champion file.

    Returns
    -------
    list of Entry
        One of the kind ``found`` where the last line is of another model: a promotion was cut off between file and log,
        or the file is older than the log; else none.
    """
    if held is None:
        return []
    entries = read_log(path)
    last = entries[-1].now if entries else None
    if last is not None and (last["weights_sha256"], last["cut"]) == (held.weights_sha256, held.cut):
        return []
    return [entry_of("found", None, held, reason=f"named by the champion file without a line in {path.name}")]
