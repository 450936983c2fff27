"""The log of promotions: who made what champion, when, over which, why and by which criteria.

A promotion is a line of a log, written at once or not at all: everything else that names the champion follows from the
last line and can be made again from it. Lines are only ever added, and each carries the digest of what it says. The log
of everyone, ``promotions.jsonl``, lies beside ``champion.json`` and is tracked by git with it, so it survives without
MLflow; the log of this checkout lies in ``.exsitu``.
"""

import datetime as dt
import getpass
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from exsitu.errors import InputError
from exsitu.provenance import git_revision, sealed, unsealed
from exsitu.publishing import publish_file
from exsitu.registry.champion import Champion, champion_of

Action = Literal["promote", "rollback"]


@dataclass(frozen=True)
class Entry:
    """
    A line of the log.

    Parameters
    ----------
    action : str
        ``"promote"`` or ``"rollback"``.
    when : str
        UTC, ISO 8601, to the second.
    who : str
        git's ``user.name``, or the name of the account.
    was : mapping or None
        The champion before, all of it.
    now : mapping
        The champion since, all of it.
    over : str
        `exsitu.registry.place.fingerprint` of what ``champion.json`` named for everyone at that time.
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
    over: str
    reason: str | None = None
    forced: bool = False
    criteria: list[Mapping[str, Any]] = field(default_factory=list)
    revision: str = "unknown"
    flow_run: str | None = None

    @property
    def champion(self) -> Champion:
        """The champion since."""
        return champion_of(dict(self.now), "the log of promotions")

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
    over: str,
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
    over : str
        As of `Entry`.
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
        was=None if was is None else asdict(was),
        now=asdict(now),
        over=over,
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
        If a line is not of the log's form or not as it was written; nothing that exsitu does can leave such a line.
    """
    if not path.is_file():
        return []
    lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    return [_entry(line, f"{path}, line {number}", path) for number, line in enumerate(lines, start=1)]


def _entry(line: str, where: str, path: Path) -> Entry:
    try:
        held = unsealed(json.loads(line), where)
    except ValueError:
        held = {}
    if set(held) != {f.name for f in fields(Entry)}:
        raise InputError(
            f"{where} is no entry of the log as exsitu wrote it: {line[:60]!r}; restore it with `git checkout -- {path}`, "
            "or take out what a merge left there"
        )
    for champion in filter(None, (held["was"], held["now"])):
        champion_of(champion, where)
    return Entry(**held)


def append(path: Path, entries: Sequence[Entry]) -> None:
    """
    Add entries to a log, all of them or none.

    Parameters
    ----------
    path : Path
        The log; its folder is made.
    entries : sequence of Entry
        To be added at the end. The caller holds the lock of promotions.
    """
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = [json.dumps(sealed(asdict(entry)), ensure_ascii=False, allow_nan=False) for entry in entries]
    with publish_file(path) as staged:
        staged.write_text(before + "".join(f"{line}\n" for line in lines), encoding="utf-8")
