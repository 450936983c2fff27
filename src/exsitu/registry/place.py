"""Where the champion is named: ``champion.json``, which git carries, and a promotion of this checkout that it lacks."""

from dataclasses import asdict, dataclass
from pathlib import Path

from exsitu.errors import InputError
from exsitu.provenance import sha256_json
from exsitu.registry import audit
from exsitu.registry.champion import CHAMPION_FILE, LOCAL, Champion, read_named

NONE = "none"
"""Fingerprint of no champion."""


def local_log(path: Path = CHAMPION_FILE) -> Path:
    """
    Find the log of what was promoted in this checkout.

    Parameters
    ----------
    path : Path
        File that names the champion for everyone, such as ``champion.json``.

    Returns
    -------
    Path
        In the folder ``.exsitu`` beside it.
    """
    return audit.log_file(path.parent / LOCAL / path.name)


def fingerprint(champion: Champion | None) -> str:
    """
    Digest of all that is said of a champion.

    Parameters
    ----------
    champion : Champion or None
        None where there is none.

    Returns
    -------
    str
        64 hexadecimal digits, or ``"none"``.
    """
    return NONE if champion is None else sha256_json(asdict(champion))


@dataclass(frozen=True)
class Place:
    """
    All that names the champion in a checkout.

    Parameters
    ----------
    file : Path
        File that names the champion for everyone.
    committed : Champion or None
        Who it names.
    entries : tuple of Entry
        The log of this checkout, oldest first.
    """

    file: Path
    committed: Champion | None
    entries: tuple[audit.Entry, ...]

    @classmethod
    def of(cls, file: Path = CHAMPION_FILE) -> "Place":
        """
        Read and check the files there are.

        Parameters
        ----------
        file : Path
            File that names the champion for everyone.

        Returns
        -------
        Place

        Raises
        ------
        InputError
            If a file or a log is not as it was written, or they contradict each other.
        """
        entries = audit.read_log(local_log(file))
        return cls(file, _committed(file, entries), tuple(entries))

    @property
    def here(self) -> audit.Entry | None:
        """
        The promotion of this checkout that counts: the last, if it was made over what the file names now.

        A champion that came by git is newer than one promoted over its predecessor.
        """
        last = self.entries[-1] if self.entries else None
        if last is None or last.over != fingerprint(self.committed):
            return None
        return None if self.committed is not None and self.committed.identity == last.champion.identity else last

    @property
    def champion(self) -> Champion | None:
        """The champion of this checkout."""
        return self.committed if self.here is None else self.here.champion

    def names(self, champion: Champion) -> bool:
        """
        Say whether a champion is the one here, or one promoted here that a newer one by git has replaced since.

        Parameters
        ----------
        champion : Champion
            Such as the one under the registry's alias.

        Returns
        -------
        bool
        """
        known = [self.committed, *(entry.champion for entry in self.entries[-1:])]
        return any(one is not None and one.identity == champion.identity for one in known)


def _committed(file: Path, here: list[audit.Entry]) -> Champion | None:
    """Who everyone's file names, if its log says so too; of a commit cut off here, the log is ahead of the file."""
    named = read_named(file) if file.exists() else None
    log = audit.log_file(file)
    entries = audit.read_log(log)
    if entries:
        last = entries[-1]
        said = {fingerprint(last.champion), *([last.over] if last in here else [])}
        if fingerprint(named) not in said:
            raise InputError(
                f"{file} names {named or 'nobody'}, the last line of {log} {last.champion}: one of the two was changed, "
                f"or is of another revision; restore both with `git checkout -- {file} {log}`"
            )
    return named


def find_champion(path: Path = CHAMPION_FILE) -> Champion | None:
    """
    Read the champion of this checkout, if there is one.

    Parameters
    ----------
    path : Path
        File that names the champion for everyone.

    Returns
    -------
    Champion or None

    Raises
    ------
    InputError
        As of `Place.of`.
    """
    return Place.of(path).champion


def read_champion(path: Path = CHAMPION_FILE) -> Champion:
    """
    Read and check the champion of this checkout: the one promoted here, else the one of ``champion.json``.

    Parameters
    ----------
    path : Path
        File that names the champion for everyone.

    Returns
    -------
    Champion

    Raises
    ------
    InputError
        If there is none, or as of `Place.of`.
    """
    champion = find_champion(path)
    if champion is None:
        raise InputError(f"no {path}: no model was promoted yet; run `exsitu promote` first")
    return champion


def uncommitted(path: Path = CHAMPION_FILE) -> str | None:
    """
    Say what the file for everyone names, where the champion of this checkout is another.

    Parameters
    ----------
    path : Path
        File that names the champion for everyone.

    Returns
    -------
    str or None
        For people; None where the champion is the file's.
    """
    place = Place.of(path)
    if place.here is None:
        return None
    return f"{path} names {place.committed}" if place.committed else f"there is no {path} yet"
