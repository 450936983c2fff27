"""Which column of a table is which of the registry's: exact names first, case where it says nothing, no doubt left."""

import re
from collections.abc import Iterable, Sequence

from exsitu.columns import CASE_MATTERS, COLUMNS, Column, column, names_in, nearest
from exsitu.errors import InputError
from exsitu.tables import TableInfo

_MANY_ALLOWED = frozenset({"source_id", "ra", "dec"})
"""Columns that a table may well have several of: ids of several catalogs, positions at several epochs."""
_DISTANCE = re.compile(
    r"dist(ance)?(_?\d\d|_gspphot\w*|_pc|_kpc)?|r_(med|est)(_\w+)?|r?p?geo|rest|d_?kpc", re.IGNORECASE
)
"""Names that StarHorse, Bailer-Jones and others give distances."""
_MIXIN = re.compile(r".+\.(ra|dec|l|b|pm_\w+)")
"""Names that astropy gives the parts of a SkyCoord."""


def registry_names(info: TableInfo, release: str | None = None) -> dict[str, str | None]:
    """
    Find the registry's columns in a table.

    Parameters
    ----------
    info : TableInfo
        What the file says of itself.
    release : str, optional
        A key of ``exsitu.columns.RELEASES``; without it every known spelling counts.

    Returns
    -------
    dict
        ``{name in the registry: name in the file}``, in the registry's order. Where a file has several spellings of one
        column, the release's own goes first; without a release the registry's, an alias, any release's. Of two that
        differ in case alone, the exact one goes first.
    """
    found: dict[str, str | None] = {}
    for name, spellings in _spellings(info, release).items():
        if there := _there(info, spellings):
            found[name] = there[0]
    return found


def refuse_rivals(info: TableInfo, names: Iterable[str], release: str | None = None) -> None:
    """
    Refuse a table that has two columns for one quantity.

    Parameters
    ----------
    info : TableInfo
        What the file says of itself.
    names : iterable of str
        Columns to be read, in the registry's names.
    release : str, optional
        As in `registry_names`.

    Raises
    ------
    InputError
        If one of them has two spellings in the table. One that is spelled exactly as the registry or the release
        spells it has no rival in one that differs from it in case alone.
    """
    known = _spellings(info, release)
    for name in names:
        if name in _MANY_ALLOWED or name not in known:
            continue
        there = _there(info, known[name])
        exact = [native for native in there if native in known[name]]
        rivals = [n for n in there[1:] if n.lower() != there[0].lower() or not exact]
        if rivals:
            raise InputError(
                f"{info.path} has {there[0]!r} and {rivals[0]!r}, two columns for one quantity ({name}); "
                "drop or rename one of them"
            )


def missing_column(info: TableInfo, name: str) -> InputError:
    """
    Say which column a file lacks.

    Parameters
    ----------
    info : TableInfo
        What the file says of itself.
    name : str
        Name in the registry.

    Returns
    -------
    InputError
        To be raised; it names the nearest column that exists and the spellings that would be understood, or what to
        take instead of distances.
    """
    distances = [native for native in info.columns if _DISTANCE.fullmatch(native)]
    if name == "parallax" and distances:
        shown = next((native for native in distances if "50" in native or "med" in native), distances[0])
        return InputError(
            f"{info.path} has distances ({shown!r}) and no parallax; the network takes parallaxes as measured: join "
            "the columns parallax and parallax_error of the archive's gaia_source to it, by source_id"
        )
    mixin = next((native.rpartition(".")[0] for native in info.columns if _MIXIN.fullmatch(native)), None)
    if name in ("ra", "dec", "l", "b", "pmra", "pmdec") and mixin:
        return InputError(
            f"{info.path} has no column {name!r}, but {mixin!r} in parts, as astropy writes a SkyCoord; write ra and "
            "dec (ICRS, degrees), and pmra and pmdec (mas/yr), as columns of their own"
        )
    c = column(name)
    spellings = ", ".join(dict.fromkeys((name, *c.native.values(), *c.aliases)))
    return InputError(f"{info.path} has no column {name!r}{nearest(name, info.columns)}; understood are {spellings}")


def _spellings(info: TableInfo, release: str | None) -> dict[str, tuple[str, ...]]:
    """What each column of the registry may be called in this table, the surest first."""
    own = {} if release is None else {name: native for native, name in names_in(release).items()}
    if release is not None:
        return {name: (own.get(name, name), name) for name in COLUMNS}
    return {name: _of_any_release(c, info) for name, c in COLUMNS.items()}


def _of_any_release(c: Column, info: TableInfo) -> tuple[str, ...]:
    """In py-ananke's tables ``x_Sig`` is the standard error of x and ``x_Err`` the error that was drawn."""
    spellings = (c.name, *c.aliases, *c.native.values())
    stated = {name.lower() for name in info.columns}
    return tuple(s for s in spellings if not (s.endswith("_err") and s.removesuffix("_err") + "_sig" in stated))


def _there(info: TableInfo, spellings: Sequence[str]) -> list[str]:
    """Columns of the table under some spellings, in their order; of one in two cases the exact one first."""
    lower = [s.lower() for s in spellings]
    loose = {s.lower() for s in spellings if s not in CASE_MATTERS}
    there = [native for native in info.columns if native in spellings or native.lower() in loose]

    def rank(native: str) -> tuple[int, int]:
        exact = spellings.index(native) if native in spellings else len(spellings)
        return lower.index(native.lower()), exact

    return sorted(there, key=rank)
