"""Which of a file's tables is meant, and what its columns may be called."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exsitu.columns import spellings
from exsitu.errors import InputError

_ASTROMETRY = {"parallax", "pmra", "pmdec"}


@dataclass(frozen=True, slots=True)
class Table:
    """
    One of the tables of a file.

    Parameters
    ----------
    number : int
        Its place in the file, as the format counts.
    name : str
        Its name; may be empty.
    columns : tuple of str
        Names of its columns.
    """

    number: int
    name: str
    columns: tuple[str, ...]

    def title(self) -> str:
        """
        Say which table it is.

        Returns
        -------
        str
            Number, name and how many columns it has.
        """
        return f"{self.number}{f' {self.name!r}' if self.name else ''} ({len(self.columns)} columns)"


def choose_table(path: Path, tables: Sequence[Table], wanted: str | None) -> Table:
    """
    Choose one of the tables of a file: the one asked for, else the only one that holds stars.

    Parameters
    ----------
    path : Path
        The file.
    tables : sequence of Table
        At least one.
    wanted : str or None
        Name or number of the table asked for.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If there is no such table, or several could be meant; the message names them.
    """
    titles = ", ".join(table.title() for table in tables)
    if wanted is not None:
        named = [t for t in tables if str(t.number) == wanted] or [t for t in tables if t.name == wanted]
        if len(named) == 1:
            return named[0]
        raise InputError(f"{path} has {len(named) or 'no'} tables {wanted!r}; it has {titles}: name one by its number")
    if len(tables) == 1:
        return tables[0]
    ranks = [_rank(table.columns) for table in tables]
    best = [table for table, rank in zip(tables, ranks, strict=True) if rank == max(ranks)]
    if len(best) > 1:
        raise InputError(f"{path} has several tables that could be meant: {titles}; name one with --table")
    return best[0]


def _rank(names: Iterable[str]) -> int:
    """How much of a table of stars it is: astrometry, positions, any column known."""
    known = spellings()
    columns = {known[name.lower()] for name in names if name.lower() in known}
    placed = {"ra", "dec"} <= columns or {"l", "b"} <= columns
    return 2 * placed + (placed and columns >= _ASTROMETRY) + bool(columns)


def refuse_repeated(path: Path, names: Iterable[str]) -> None:
    """
    Refuse a table in which two columns have one name.

    Parameters
    ----------
    path : Path
        The file.
    names : iterable of str
        Names of its columns.

    Raises
    ------
    InputError
        If any comes twice.
    """
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise InputError(f"{path} has column {repeated[0]!r} more than once; rename or drop one")
