"""Where the champion is named: ``champion.json``, which git carries, and a promotion of this checkout that it lacks."""

from dataclasses import asdict, dataclass
from pathlib import Path

from exsitu.provenance import sha256_json
from exsitu.registry import audit
from exsitu.registry.champion import CHAMPION_FILE, LOCAL, Champion, read_named

OVER = "over"
"""Key of ``promoted`` in a local file: digest of what ``champion.json`` said when the model was promoted here."""


def local_file(path: Path) -> Path:
    """
    Where promotions stay until they are committed.

    Parameters
    ----------
    path : Path
        File that names the champion for everyone, such as ``champion.json``.

    Returns
    -------
    Path
        Of the same name, in the folder ``.exsitu`` beside it.
    """
    return path.parent / LOCAL / path.name


def champion_source(path: Path = CHAMPION_FILE) -> Path:
    """
    Find the file that names the champion in this checkout.

    Parameters
    ----------
    path : Path
        File that names the champion for everyone.

    Returns
    -------
    Path
        The local file, where it names another model that was promoted here over what `path` says now; else `path`: a
        champion that came by git is newer than one promoted over its predecessor.

    Raises
    ------
    InputError
        If one of the two is not of the form of a champion.
    """
    local = local_file(path)
    if not local.is_file():
        return path
    here = read_named(local)
    committed = read_named(path) if path.is_file() else None
    if committed is not None and committed.identity == here.identity:
        return path
    return local if here.promoted.get(OVER) == fingerprint(committed) else path


def fingerprint(champion: Champion | None) -> str:
    """
    Digest of all that a champion file says.

    Parameters
    ----------
    champion : Champion or None
        Its content; None where there is no file.

    Returns
    -------
    str
        64 hexadecimal digits, or ``"none"``.
    """
    return "none" if champion is None else sha256_json(asdict(champion))


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
        If a file is not of the form of a champion.
    """
    source = champion_source(path)
    return read_named(source) if source.is_file() else None


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
        If it is missing, not JSON, or a part is missing, unknown or not of its form.
    """
    return read_named(champion_source(path))


@dataclass(frozen=True)
class Place:
    """
    Where a promotion finds the champion, and where it writes the next.

    Parameters
    ----------
    file : Path
        File that names the champion for everyone.
    source : Path
        File that names the champion of this checkout.
    target : Path
        File to write.
    champion : Champion or None
        The champion of this checkout.
    """

    file: Path
    source: Path
    target: Path
    champion: Champion | None

    @classmethod
    def of(cls, file: Path, *, local: bool) -> "Place":
        """
        Look at the files there are.

        Parameters
        ----------
        file : Path
            File that names the champion for everyone.
        local : bool
            Whether what is promoted stays in this checkout.

        Returns
        -------
        Place
        """
        return cls(file, champion_source(file), local_file(file) if local else file, find_champion(file))

    @property
    def fingerprint(self) -> str:
        """Of what everyone's file says now."""
        return fingerprint(read_named(self.file) if self.file.is_file() else None)

    def lacking(self) -> list[audit.Entry]:
        """
        Find what the log to be written lacks of the champion there is; another log is not ours to mend.

        Returns
        -------
        list of Entry
        """
        return audit.missing_entries(audit.log_file(self.target), self.champion) if self.source == self.target else []

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
        files = {self.source, self.target}
        return any(read_named(file).identity == champion.identity for file in files if file.is_file())
