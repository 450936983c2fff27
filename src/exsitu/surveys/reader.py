"""Any astrometric survey as the registry's columns: names mapped, units converted, ids exact, nonsense refused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import COLUMNS, Column, column, names_in, nearest
from exsitu.errors import InputError
from exsitu.phase_space import galactic_to_icrs, icrs_to_galactic
from exsitu.surveys.apogee import COLUMNS as APOGEE_COLUMNS
from exsitu.surveys.apogee import apogee_frames, is_apogee
from exsitu.surveys.gaia import refuse_other_release
from exsitu.surveys.units import unit_factor
from exsitu.tables import TableInfo, describe, frames_of

_SKY = ("ra", "dec", "l", "b")
_ASTROMETRY = ("parallax", "pmra", "pmdec")


def read_survey(
    path: Path,
    *,
    release: str | None = None,
    columns: Sequence[str] | None = None,
    required: Sequence[str] = (),
    chunk_rows: int = 200_000,
    allow_missing_errors: bool = False,
    unique_ids: bool = True,
    table: str | None = None,
    allow_truncated: bool = False,
) -> Iterator[pd.DataFrame]:
    """
    Read a survey in chunks into the registry's names, types and units.

    Parameters
    ----------
    path : Path
        A table in any format of ``exsitu.formats``.
    release : str, optional
        A key of ``exsitu.columns.RELEASES``: its own column names and the registry's count. Without it every known
        spelling of a column counts, whatever its case.
    columns : sequence of str, optional
        Columns wanted, in this order; by default all that the file and the registry share.
    required : sequence of str
        Columns that must be there, beyond a position, ``parallax``, ``pmra`` and ``pmdec``.
    chunk_rows : int
        Most rows of one frame.
    allow_missing_errors : bool
        Accept a survey without parallax errors; ``parallax_error`` is then NaN.
    unique_ids : bool
        Refuse a ``source_id`` that comes twice; 8 bytes a row are held for it.
    table : str, optional
        Name or number of the table, where the file has several; by default the only one that holds stars.
    allow_truncated : bool
        Accept a file that states that rows are missing.

    Returns
    -------
    iterator of DataFrame
        Columns in the registry's order. ``ra, dec`` (ra from 0 to 360 degrees) and ``l, b`` (l in (-180, 180]
        degrees) are both there; either pair is made from the other.

    Raises
    ------
    InputError
        If a column is missing or in a unit that cannot be converted, an id is no 64-bit integer or comes twice, there
        is no finite parallax in the whole file, or the file cannot be read, is empty or truncated. Repeated ids and
        missing parallaxes are known only when the last chunk has been read.
    """
    info = describe(path, table=table)
    _refuse_truncated(info, allowed=allow_truncated)
    refuse_other_release(info, release)
    names = dict.fromkeys(APOGEE_COLUMNS) if is_apogee(info) else registry_names(info, release)
    wanted = _wanted(info, names, columns, required, allow_missing_errors=allow_missing_errors)
    if is_apogee(info):
        raw = apogee_frames(info, chunk_rows)
    else:
        raw = registry_frames(
            info, {n: native for n, native in names.items() if native is not None}, wanted, chunk_rows
        )
    given = list(columns) if columns is not None else [n for n in COLUMNS if n in {*wanted, *_SKY}]
    return _checked(info.path, raw, given, unique_ids=unique_ids)


def _refuse_truncated(info: TableInfo, *, allowed: bool) -> None:
    if info.truncated and not allowed:
        raise InputError(
            f"{' '.join(info.cautions)} To use the rows that came, give --allow-truncated (allow_truncated=True)"
        )


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
        column, the release's own goes first; without a release the registry's, any release's, an alias.
    """
    held = {name.lower(): name for name in reversed(info.columns)}
    native = {} if release is None else {name: spelling for spelling, name in names_in(release).items()}
    found: dict[str, str | None] = {}
    for name, c in COLUMNS.items():
        spellings = (native.get(name, name), name) if release else (name, *c.native.values(), *c.aliases)
        there = [held[s.lower()] for s in spellings if s.lower() in held]
        if there:
            found[name] = there[0]
    return found


def _wanted(
    info: TableInfo,
    names: Mapping[str, str | None],
    columns: Sequence[str] | None,
    required: Sequence[str],
    *,
    allow_missing_errors: bool,
) -> list[str]:
    """Registry columns to read, after a look whether the file has what is asked for."""
    placed = {"ra", "dec"} <= set(names) or {"l", "b"} <= set(names)
    held = {*names, *(_SKY if placed else ())}
    asked = list(names) if columns is None else [column(name).name for name in columns]
    for name in (*_SKY, *(_ASTROMETRY if columns is None else ()), *asked, *required):
        if name not in held and not (name == "parallax_error" and allow_missing_errors):
            raise missing_column(info, name)
    if "parallax" in asked and "parallax_error" not in names and not allow_missing_errors:
        raise InputError(
            f"{info.path} has parallaxes and no column 'parallax_error'{nearest('parallax_error', info.columns)}; the "
            "quality cut cannot be checked: give --allow-missing-errors (allow_missing_errors=True) to go on without"
        )
    errors = ["parallax_error"] if "parallax" in asked else []
    return list(dict.fromkeys([*asked, *required, *errors, *(n for n in ("source_id", *_SKY) if n in names)]))


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
        To be raised; it names the nearest column that exists and the spellings that would be understood.
    """
    c = column(name)
    spellings = ", ".join(dict.fromkeys((name, *c.native.values(), *c.aliases)))
    return InputError(f"{info.path} has no column {name!r}{nearest(name, info.columns)}; understood are {spellings}")


def registry_frames(
    info: TableInfo, names: Mapping[str, str], wanted: Sequence[str], chunk_rows: int
) -> Iterator[pd.DataFrame]:
    """
    Read columns of a table into the registry's names, types and units, without any further check.

    Parameters
    ----------
    info : TableInfo
        What the file says of itself.
    names : mapping of str to str
        ``{name in the registry: name in the file}``.
    wanted : sequence of str
        Columns to read, of `names`; others are left out.
    chunk_rows : int
        Most rows of one frame.

    Returns
    -------
    iterator of DataFrame

    Raises
    ------
    InputError
        If a stated unit cannot be converted (at once), or a column holds what its type does not allow.
    """
    read = {name: names[name] for name in wanted if name in names}
    factors = {n: _factor(info, column(n), native) for n, native in read.items()}

    def frames() -> Iterator[pd.DataFrame]:
        for frame in frames_of(info, columns=list(dict.fromkeys(read.values())), chunk_rows=chunk_rows):
            yield pd.DataFrame(
                {n: typed(column(n), frame[native], factors[n], f"{info.path}: {native}") for n, native in read.items()}
            )

    return frames()


def _factor(info: TableInfo, c: Column, native: str) -> float:
    source, stated = f"{info.path}: {native}", info.columns[native]
    if stated is None and c.unit == "deg" and native.lower().endswith("rad"):
        # hip2.dat has these in radians, VizieR's exports of it in degrees, both under one name.
        raise InputError(f"{source} states no unit and may be in radians or degrees; state it, or use read_hipparcos")
    return unit_factor(c, stated, source)


def typed(c: Column, values: "pd.Series[Any]", factor: float, source: str) -> Any:
    """
    Bring one column into the registry's type and unit.

    Parameters
    ----------
    c : Column
        The column in the registry.
    values : Series
        What the file holds.
    factor : float
        Number that takes it to the registry's unit; for floats alone.
    source : str
        File and column, for the message.

    Returns
    -------
    ndarray or Series, shape (n_rows,)

    Raises
    ------
    InputError
        If numbers are text, or integers are floats or missing.
    """
    kind = _kind(values)
    if c.dtype == "str":
        return values.astype("str")
    target = np.dtype(c.dtype)
    if target.kind == "f":
        if kind not in tuple("fiub"):
            raise InputError(
                f"{source} holds {values.dtype}, not numbers, such as {values.iloc[0]!r}; clean the column"
            )
        return (values.to_numpy(np.float64, na_value=np.nan) * factor).astype(target)
    if kind not in ("iub" if target.kind == "b" else "iu"):
        raise InputError(
            f"{source} holds {values.dtype}, not {target}; floats lose digits above 2^53: export it as integers"
        )
    if values.isna().any():
        raise InputError(f"{source} is missing in {int(values.isna().sum())} rows; drop those rows or fill them")
    return values.to_numpy(target)


def _kind(values: "pd.Series[Any]") -> str:
    """NumPy's letter for the kind of a column, pandas' nullable types counted as what they hold; "O" for text."""
    dtype: Any = values.dtype
    return "O" if isinstance(dtype, pd.StringDtype) else str(getattr(dtype, "numpy_dtype", dtype).kind)


@dataclass(slots=True)
class UniqueIds:
    """
    Watch over ids that come in chunks.

    Parameters
    ----------
    source : str
        File the ids come from, for the message.
    """

    source: str
    _seen: list[NDArray[np.int64]] = field(default_factory=list, init=False)

    def add(self, ids: NDArray[np.int64]) -> None:
        """
        Take in one chunk.

        Parameters
        ----------
        ids : ndarray of int64, shape (n_rows,)
            The ids.
        """
        self._seen.append(ids)

    def refuse_repeats(self) -> None:
        """
        Look at all ids that came in.

        Raises
        ------
        InputError
            If any comes more than once.
        """
        ids = np.concatenate(self._seen) if self._seen else np.empty(0, np.int64)
        ids = ids if bool((ids[1:] > ids[:-1]).all()) else np.sort(ids)
        repeated = ids[1:][ids[1:] == ids[:-1]]
        if repeated.size:
            raise InputError(
                f"{self.source} has {repeated.size} repeated source_id (the first is {repeated[0]}); "
                "each may come once: keep one row of each star"
            )


def _checked(path: Path, raw: Iterator[pd.DataFrame], given: list[str], *, unique_ids: bool) -> Iterator[pd.DataFrame]:
    ids, parallaxes, rows = UniqueIds(str(path)), 0, 0
    for frame in raw:
        if unique_ids and "source_id" in frame:
            ids.add(frame["source_id"].to_numpy())
        if "parallax" in frame:
            parallaxes += int(np.isfinite(frame["parallax"].to_numpy()).sum())
        rows += len(frame)
        full = _with_positions(frame)
        yield full[given] if "parallax_error" not in given or "parallax_error" in full else _without_errors(full)[given]
    if "parallax" in given and not parallaxes:
        raise InputError(f"{path} has no finite parallax in {rows} rows; at least one is needed: check the column")
    ids.refuse_repeats()


def _without_errors(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(parallax_error=np.full(len(frame), np.nan))


def _with_positions(frame: pd.DataFrame) -> pd.DataFrame:
    """Both pairs of coordinates, with l in the network's range."""
    if "ra" in frame and "dec" in frame:
        frame = frame.assign(ra=np.mod(frame["ra"].to_numpy(), 360.0))
    if not {"l", "b"} <= set(frame):
        l, b = icrs_to_galactic(frame["ra"].to_numpy(), frame["dec"].to_numpy())  # noqa: E741 - the field's name
        frame = frame.assign(l=l, b=b)
    elif not {"ra", "dec"} <= set(frame):
        ra, dec = galactic_to_icrs(frame["l"].to_numpy(), frame["b"].to_numpy())
        frame = frame.assign(ra=ra, dec=dec)
    longitude = frame["l"].to_numpy()
    return frame.assign(l=wrapped(longitude))


def wrapped(longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Bring longitudes into the range the network takes.

    Parameters
    ----------
    longitude : ndarray, shape (n_stars,)
        Degrees, from -180 to 360.

    Returns
    -------
    ndarray, shape (n_stars,)
        Degrees, in (-180, 180].
    """
    turns = 360.0 * (longitude > 180.0) - 360.0 * (longitude <= -180.0)
    return longitude - turns
