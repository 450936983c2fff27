"""Any astrometric survey as the registry's columns: names mapped, units converted, ids exact, nonsense refused."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import COLUMNS, NOT_PHYSICAL, Column, column, nearest
from exsitu.errors import InputError
from exsitu.surveys.apogee import COLUMNS as APOGEE_COLUMNS
from exsitu.surveys.apogee import apogee_frames, is_apogee
from exsitu.surveys.gaia import refuse_other_release
from exsitu.surveys.missing import Physical, Replaced
from exsitu.surveys.names import missing_column, refuse_rivals, registry_names
from exsitu.surveys.positions import EQUATORIAL, SKY, complete_positions, refuse_other_position
from exsitu.surveys.units import unit_factor
from exsitu.tables import TableInfo, describe, frames_of

log = logging.getLogger(__name__)

ERROR, OVER_ERROR = "parallax_error", "parallax_over_error"
_ASTROMETRY = ("parallax", "pmra", "pmdec")
_SEXAGESIMAL = re.compile(r"\s*[+-]?\d{1,3}\s*[:hd\s°]\s*\d{1,2}\s*[:m'\s′]\s*\d{1,2}(\.\d*)?\s*[s\"″]?\s*")


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
    replaced: Replaced | None = None,
) -> Iterator[pd.DataFrame]:
    """
    Read a survey in chunks into the registry's names, types and units.

    Parameters
    ----------
    path : Path
        A table in any format of ``exsitu.formats``.
    release : str, optional
        A key of ``exsitu.columns.RELEASES``: its own column names and the registry's count. Without it every known
        spelling of a column counts; see `registry_names`.
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
    replaced : Replaced, optional
        Counts what is no measurement and was taken as missing, for the caller to say; a warning says it otherwise.

    Returns
    -------
    iterator of DataFrame
        Columns in the registry's order. ``ra, dec`` (ra from 0 to 360 degrees) and ``l, b`` (l in (-180, 180]
        degrees) are both there; either pair is made from the other. Where the file has ``parallax_over_error`` and no
        error, the error is made from it. With deciding columns in `replaced`, the last column is ``not_physical``.

    Raises
    ------
    InputError
        If a column is missing, there twice or in a unit that cannot be converted, ``l, b`` are not the Galactic
        coordinates of ``ra, dec``, standard errors are negative, an id is no 64-bit integer or comes twice, there is no
        finite parallax in the whole file, or the file cannot be read, is empty or truncated. Repeated ids and missing
        parallaxes are known only when the last chunk has been read.
    """
    info = describe(path, table=table)
    if not allow_truncated:
        info.require_whole("To use the rows that came, give --allow-truncated (allow_truncated=True)")
    refuse_other_release(info, release)
    names = dict.fromkeys(APOGEE_COLUMNS) if is_apogee(info) else registry_names(info, release)
    wanted = _wanted(info, names, columns, required, allow_missing_errors=allow_missing_errors)
    physical = Physical(replaced)
    if is_apogee(info):
        raw = apogee_frames(info, chunk_rows, physical)
    else:
        refuse_rivals(info, wanted, release)
        held = {n: native for n, native in names.items() if native is not None}
        raw = registry_frames(info, held, wanted, chunk_rows, physical)
    given = list(columns) if columns is not None else [n for n in COLUMNS if n in {*wanted, *SKY}]
    full = _completed(info.path, raw, given, names, physical)
    return _checked(info.path, full, unique_ids=unique_ids, said=None if replaced is not None else physical.replaced)


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
    made = ERROR not in names and OVER_ERROR in names
    held = {*names, *(SKY if placed else ()), *((ERROR,) if made else ())}
    asked = list(names) if columns is None else [column(name).name for name in columns]
    for name in (*SKY, *(_ASTROMETRY if columns is None else ()), *asked, *required):
        if name not in held and not (name == ERROR and allow_missing_errors):
            raise missing_column(info, name)
    if "parallax" in asked and ERROR not in held and not allow_missing_errors:
        raise InputError(
            f"{info.path} has parallaxes and no column 'parallax_error'{nearest('parallax_error', info.columns)}; the "
            "quality cut cannot be checked: give --allow-missing-errors (allow_missing_errors=True) to go on without"
        )
    errors = [ERROR] if "parallax" in asked else []
    wanted = [*asked, *required, *errors]
    sources = ["parallax", OVER_ERROR] if made and ERROR in wanted else []
    return list(dict.fromkeys([*wanted, *sources, *(n for n in ("source_id", *SKY) if n in names)]))


def registry_frames(
    info: TableInfo, names: Mapping[str, str], wanted: Sequence[str], chunk_rows: int, physical: Physical
) -> Iterator[pd.DataFrame]:
    """
    Read columns of a table into the registry's names, types and units; what is no measurement becomes NaN.

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
    physical : Physical
        Takes what is no measurement as missing.

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
                {
                    n: typed(column(n), frame[native], factors[n], f"{info.path}: {native}", physical)
                    for n, native in read.items()
                }
            )

    return frames()


def _factor(info: TableInfo, c: Column, native: str) -> float:
    source, stated = f"{info.path}: {native}", info.columns[native]
    if stated is None and c.unit == "deg" and native.lower().endswith("rad"):
        # hip2.dat has these in radians, VizieR's exports of it in degrees, both under one name.
        raise InputError(f"{source} states no unit and may be in radians or degrees; state it, or use read_hipparcos")
    return unit_factor(c, stated, source)


def typed(c: Column, values: "pd.Series[Any]", factor: float, source: str, physical: Physical) -> Any:
    """
    Bring one column into the registry's type and unit; what is no measurement becomes NaN.

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
    physical : Physical
        Takes what is no measurement as missing.

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
            raise _no_numbers(values, source)
        # Sentinels are looked for in the file's own precision: 99.9 of 32 bits is no 99.9 of 64.
        own = values.to_numpy(values.dtype if values.dtype in (np.float32, np.float64) else np.float64, na_value=np.nan)
        numbers = physical.taken(c, own, factor, source).astype(np.float64, copy=False)
        return (numbers * factor).astype(target)
    if kind not in ("iub" if target.kind == "b" else "iu"):
        raise InputError(
            f"{source} holds {values.dtype}, not {target}; floats lose digits above 2^53: export it as integers"
        )
    if values.isna().any():
        raise InputError(f"{source} is missing in {int(values.isna().sum())} rows; drop those rows or fill them")
    return values.to_numpy(target)


def _no_numbers(values: "pd.Series[Any]", source: str) -> InputError:
    shown = next((str(value) for value in values if not pd.isna(value)), "")
    if _SEXAGESIMAL.fullmatch(shown):
        return InputError(
            f"{source} is sexagesimal, such as {shown!r}; convert it to decimal degrees first, with astropy's SkyCoord"
            " or TOPCAT"
        )
    return InputError(f"{source} holds {values.dtype}, not numbers, such as {shown!r}; clean the column")


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


def _completed(
    path: Path, raw: Iterator[pd.DataFrame], given: list[str], names: Mapping[str, str | None], physical: Physical
) -> Iterator[pd.DataFrame]:
    """Frames with both positions and a parallax error, and the rows marked where that is asked for."""
    for frame in raw:
        columns = {str(name): frame[name].to_numpy() for name in frame if name in SKY}
        refuse_other_position(str(path), columns, names)
        complete_positions(columns, refused=physical.taken_in(EQUATORIAL))
        full = frame.assign(**columns)
        if ERROR in given and ERROR not in full:
            full = full.assign(**{ERROR: error_of(full) if OVER_ERROR in full else np.full(len(full), np.nan)})
        marked = physical.rows(full, len(full))
        yield full[given].assign(**({NOT_PHYSICAL: marked} if physical.replaced.deciding else {}))


def error_of(columns: Mapping[str, Any] | pd.DataFrame) -> NDArray[np.float64]:
    """
    Standard error of a parallax from the parallax over its error.

    Parameters
    ----------
    columns : DataFrame or mapping of str to array_like, shape (n_stars,)
        With ``parallax``, mas, and ``parallax_over_error``.

    Returns
    -------
    ndarray, shape (n_stars,)
        mas; NaN where the ratio is 0 or either is NaN.
    """
    ratio = np.asarray(columns[OVER_ERROR], np.float32).astype(np.float64)  # Gaia's own precision, in every format
    error = np.full(ratio.shape, np.nan)
    np.divide(np.asarray(columns["parallax"], np.float64), ratio, out=error, where=ratio != 0.0)
    return np.asarray(np.abs(error))


def _checked(
    path: Path, frames: Iterator[pd.DataFrame], *, unique_ids: bool, said: Replaced | None
) -> Iterator[pd.DataFrame]:
    ids, parallaxes, rows, looked = UniqueIds(str(path)), 0, 0, False
    for frame in frames:
        if unique_ids and "source_id" in frame:
            ids.add(frame["source_id"].to_numpy())
        if "parallax" in frame:
            looked = True
            parallaxes += int(np.isfinite(frame["parallax"].to_numpy()).sum())
        rows += len(frame)
        yield frame
    if said:
        log.warning("%s: %s", path, said.sentence())
    if looked and not parallaxes:
        raise InputError(f"{path} has no finite parallax in {rows} rows; at least one is needed: check the column")
    ids.refuse_repeats()
