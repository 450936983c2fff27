"""A survey as plain arrays, chunk by chunk: what `read_survey` gives, without tables on the way from Parquet."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import column
from exsitu.errors import InputError
from exsitu.phase_space import galactic_to_icrs, icrs_to_galactic
from exsitu.surveys.apogee import COLUMNS as APOGEE_COLUMNS
from exsitu.surveys.apogee import is_apogee
from exsitu.surveys.gaia import refuse_other_release
from exsitu.surveys.reader import missing_column, read_survey, registry_names, typed, wrapped
from exsitu.surveys.units import unit_factor
from exsitu.table_formats import arrow_frame, reading
from exsitu.tables import TableInfo, describe

Columns = dict[str, NDArray[Any]]

_GALACTIC, _EQUATORIAL = ("l", "b"), ("ra", "dec")


def read_columns(
    path: Path,
    names: Sequence[str],
    *,
    optional: Sequence[str] = (),
    release: str | None = None,
    chunk_rows: int = 200_000,
    allow_missing_errors: bool = False,
    table: str | None = None,
) -> Iterator[Columns]:
    """
    Read columns of a survey in chunks into the registry's names and units.

    Parameters
    ----------
    path : Path
        Survey in any format that `read_survey` knows.
    names : sequence of str
        Columns wanted.
    optional : sequence of str
        Columns wanted if the file has them.
    release : str, optional
        A key of ``exsitu.columns.RELEASES``; guessed otherwise.
    chunk_rows : int
        Most rows of one chunk.
    allow_missing_errors : bool
        Accept a survey without parallax errors; ``parallax_error`` is then NaN.
    table : str, optional
        Name or number of the table, where the file has several; by default the only one that holds stars.

    Returns
    -------
    iterator of dict
        ``{name: array}`` of the same numbers as `read_survey` gives; float32 where a Parquet file holds float32.

    Raises
    ------
    InputError
        As `read_survey` does; ids may repeat, and rows be missing.
    """
    info = describe(path, table=table)
    held = APOGEE_COLUMNS if is_apogee(info) else registry_names(info, release)
    wanted = list(dict.fromkeys((*names, *(n for n in optional if n in held))))
    # Called for any format: it refuses what cannot be used before a row is read. Errors that are missing it refuses by
    # itself, with the way out.
    asked = [n for n in wanted if n != "parallax_error" or n in held or allow_missing_errors]
    frames = read_survey(
        path,
        release=release,
        columns=asked,
        chunk_rows=chunk_rows,
        allow_missing_errors=allow_missing_errors,
        unique_ids=False,
        table=table,
        allow_truncated=True,
    )
    if info.format == "parquet" and info.path.is_file() and not info.masks and not is_apogee(info):
        return _parquet_columns(info, wanted, release, chunk_rows)
    return ({n: frame[n].to_numpy() for n in wanted} for frame in frames)


def frame_columns(
    frame: pd.DataFrame,
    names: Sequence[str],
    *,
    optional: Sequence[str] = (),
    release: str | None = None,
    units: Mapping[str, str] | None = None,
    allow_missing_errors: bool = False,
) -> Columns:
    """
    Bring a table in memory into the registry's names and units: `read_columns`, of one partition of a survey.

    Parameters
    ----------
    frame : DataFrame, n_stars rows
        Part of a survey under its own column names, of NumPy, nullable or Arrow types.
    names : sequence of str
        Columns wanted.
    optional : sequence of str
        Columns wanted if the table has them.
    release : str, optional
        A key of ``exsitu.columns.RELEASES``; every known spelling counts otherwise.
    units : mapping of str to str, optional
        Units by the table's own names, where they are not the registry's.
    allow_missing_errors : bool
        Accept a table without parallax errors; ``parallax_error`` is then NaN.

    Returns
    -------
    dict
        ``{name: array of shape (n_stars,)}``.

    Raises
    ------
    InputError
        If a column is missing, in a unit that cannot be converted, or holds what its type does not allow.
    """
    stated = {str(name): (units or {}).get(str(name)) for name in frame}
    info = TableInfo(Path("the table"), "frame", stated, len(frame))
    wanted, read = _chosen(info, names, optional, release, allow_missing_errors=allow_missing_errors)
    found = {}
    for name, native in read.items():
        source = f"{info.path}: {native}"
        factor = unit_factor(column(name), stated[native], source)
        found[name] = np.asarray(typed(column(name), frame[native], factor, source))
    return _placed(found, wanted, len(frame))


def native_columns(
    held: Sequence[str],
    names: Sequence[str],
    *,
    optional: Sequence[str] = (),
    release: str | None = None,
    allow_missing_errors: bool = False,
) -> list[str]:
    """
    Name the columns of a survey that `frame_columns` needs.

    Parameters
    ----------
    held : sequence of str
        The survey's own column names.
    names : sequence of str
        Columns wanted.
    optional : sequence of str
        Columns wanted if the survey has them.
    release : str, optional
        As in `frame_columns`.
    allow_missing_errors : bool
        As in `frame_columns`.

    Returns
    -------
    list of str
        Of `held`.

    Raises
    ------
    InputError
        If a column is missing.
    """
    info = TableInfo(Path("the table"), "frame", dict.fromkeys(held), None)
    return list(_chosen(info, names, optional, release, allow_missing_errors=allow_missing_errors)[1].values())


def _chosen(
    info: TableInfo, names: Sequence[str], optional: Sequence[str], release: str | None, *, allow_missing_errors: bool
) -> tuple[list[str], dict[str, str]]:
    """Columns to give, and those to read for them under the table's own names."""
    refuse_other_release(info, release)
    held = {name: native for name, native in registry_names(info, release).items() if native is not None}
    placed = set(_GALACTIC) <= set(held) or set(_EQUATORIAL) <= set(held)
    for name in names:
        made = (placed and name in _GALACTIC + _EQUATORIAL) or (allow_missing_errors and name == "parallax_error")
        if name not in held and not made:
            raise missing_column(info, name)
    wanted = list(dict.fromkeys((*names, *(n for n in optional if n in held))))
    return wanted, {name: held[name] for name in _read(wanted, held)}


def _parquet_columns(info: TableInfo, wanted: Sequence[str], release: str | None, chunk_rows: int) -> Iterator[Columns]:
    import pyarrow.parquet as pq

    held = {name: native for name, native in registry_names(info, release).items() if native is not None}
    read = {name: held[name] for name in _read(wanted, held)}
    factors = {n: unit_factor(column(n), info.columns[native], f"{info.path}: {native}") for n, native in read.items()}
    rows = parallaxes = 0
    # With pre_buffer, pyarrow's default, the memory grows with the file.
    with reading(info.path), pq.ParquetFile(info.path, page_checksum_verification=True, pre_buffer=False) as file:
        natives = list(dict.fromkeys(read.values()))
        for batch in file.iter_batches(batch_size=chunk_rows, columns=natives, use_threads=False):
            found = {n: _array(info, n, native, batch, factors[n]) for n, native in read.items()}
            rows += batch.num_rows
            parallaxes += int(np.count_nonzero(np.isfinite(found["parallax"]))) if "parallax" in found else 0
            yield _placed(found, wanted, batch.num_rows)
    if "parallax" in read and not parallaxes:
        raise InputError(f"{info.path} has no finite parallax in {rows} rows; at least one is needed: check the column")


def _read(wanted: Sequence[str], held: dict[str, str]) -> list[str]:
    """Columns of the file that are needed to give those wanted."""
    needed = [n for n in wanted if n in held]
    for pair, other in ((_GALACTIC, _EQUATORIAL), (_EQUATORIAL, _GALACTIC)):
        if set(pair) & set(wanted) and not set(pair) <= set(held):
            needed += other
    return list(dict.fromkeys(needed))


def _array(info: TableInfo, name: str, native: str, batch: Any, factor: float) -> NDArray[Any]:
    """One column: floats and whole ids as they lie in the file, everything else as `typed` has it."""
    import pyarrow as pa

    values, kind = batch.column(native), np.dtype(column(name).dtype).kind
    floats = pa.types.is_float32(values.type) or pa.types.is_float64(values.type)
    if (floats and kind == "f") or (pa.types.is_int64(values.type) and kind == "i" and not values.null_count):
        array: NDArray[Any] = values.to_numpy(zero_copy_only=False)
        return array if factor == 1.0 else array.astype(np.float64) * factor
    frame = arrow_frame(batch.select([native]), str(info.path))
    return np.asarray(typed(column(name), frame[native], factor, f"{info.path}: {native}"))


def _placed(found: Columns, wanted: Sequence[str], rows: int) -> Columns:
    """The columns wanted, with positions made from one another and longitudes in the registry's ranges."""
    if "ra" in found:
        found["ra"] = np.mod(found["ra"].astype(np.float64, copy=False), 360.0)
    if set(_GALACTIC) & set(wanted) and not set(_GALACTIC) <= set(found):
        found["l"], found["b"] = icrs_to_galactic(found["ra"], found["dec"])
    elif set(_EQUATORIAL) & set(wanted) and not set(_EQUATORIAL) <= set(found):
        found["ra"], found["dec"] = galactic_to_icrs(found["l"], found["b"])
    if "l" in found and not (np.all(found["l"] <= 180.0) and np.all(found["l"] > -180.0)):
        found["l"] = wrapped(found["l"])
    return {n: found[n] if n in found else np.full(rows, np.nan) for n in wanted}
