"""A survey as plain arrays, chunk by chunk: what `read_survey` gives, without tables on the way from Parquet."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import NOT_PHYSICAL, column
from exsitu.errors import InputError
from exsitu.surveys.apogee import COLUMNS as APOGEE_COLUMNS
from exsitu.surveys.apogee import is_apogee
from exsitu.surveys.gaia import refuse_other_release
from exsitu.surveys.missing import Physical, Replaced
from exsitu.surveys.names import missing_column, refuse_rivals, registry_names
from exsitu.surveys.positions import EQUATORIAL, GALACTIC, SKY, complete_positions, refuse_other_position
from exsitu.surveys.reader import ERROR, OVER_ERROR, error_of, read_survey, typed
from exsitu.surveys.units import unit_factor
from exsitu.table_formats import arrow_frame, reading
from exsitu.tables import TableInfo, describe

log = logging.getLogger(__name__)

Columns = dict[str, NDArray[Any]]


def read_columns(
    path: Path,
    names: Sequence[str],
    *,
    optional: Sequence[str] = (),
    release: str | None = None,
    chunk_rows: int = 200_000,
    allow_missing_errors: bool = False,
    table: str | None = None,
    replaced: Replaced | None = None,
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
    replaced : Replaced, optional
        As of `read_survey`: counts what is no measurement and was taken as missing.

    Returns
    -------
    iterator of dict
        ``{name: array}`` of the same numbers as `read_survey` gives; float32 where a Parquet file holds float32. With
        deciding columns in `replaced`, also ``not_physical``.

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
    asked = [n for n in wanted if n != ERROR or n in held or OVER_ERROR in held or allow_missing_errors]
    said = Replaced() if replaced is None else replaced
    frames = read_survey(
        path,
        release=release,
        columns=asked,
        chunk_rows=chunk_rows,
        allow_missing_errors=allow_missing_errors,
        unique_ids=False,
        table=table,
        allow_truncated=True,
        replaced=said,
    )
    if info.format == "parquet" and info.path.is_file() and not info.masks and not is_apogee(info):
        chunks = _parquet_columns(info, wanted, release, chunk_rows, Physical(said))
    else:
        chunks = ({str(n): frame[n].to_numpy() for n in frame} for frame in frames)
    return chunks if replaced is not None else _said(chunks, path, said)


def _said(chunks: Iterator[Columns], path: Path, replaced: Replaced) -> Iterator[Columns]:
    yield from chunks
    if replaced:
        log.warning("%s: %s", path, replaced.sentence())


def frame_columns(
    frame: pd.DataFrame,
    names: Sequence[str],
    *,
    optional: Sequence[str] = (),
    release: str | None = None,
    units: Mapping[str, str] | None = None,
    allow_missing_errors: bool = False,
    replaced: Replaced | None = None,
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
    replaced : Replaced, optional
        As of `read_survey`: counts what is no measurement and was taken as missing.

    Returns
    -------
    dict
        ``{name: array of shape (n_stars,)}``; with deciding columns in `replaced`, also ``not_physical``.

    Raises
    ------
    InputError
        If a column is missing, there twice, in a unit that cannot be converted, or holds what its type does not allow,
        or ``l, b`` are not the Galactic coordinates of ``ra, dec``.
    """
    stated = {str(name): (units or {}).get(str(name)) for name in frame}
    info = TableInfo(Path("the table"), "frame", stated, len(frame))
    wanted, read = _chosen(info, names, optional, release, allow_missing_errors=allow_missing_errors)
    physical = Physical(replaced)
    found = {}
    for name, native in read.items():
        source = f"{info.path}: {native}"
        factor = unit_factor(column(name), stated[native], source)
        found[name] = np.asarray(typed(column(name), frame[native], factor, source, physical))
    refuse_other_position(str(info.path), found, read)
    return _placed(found, wanted, len(frame), physical)


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
    placed = set(GALACTIC) <= set(held) or set(EQUATORIAL) <= set(held)
    for name in names:
        made = (placed and name in SKY) or (name == ERROR and (allow_missing_errors or OVER_ERROR in held))
        if name not in held and not made:
            raise missing_column(info, name)
    wanted = list(dict.fromkeys((*names, *(n for n in optional if n in held))))
    read = {name: held[name] for name in _read(wanted, held)}
    refuse_rivals(info, read, release)
    return wanted, read


def _parquet_columns(
    info: TableInfo, wanted: Sequence[str], release: str | None, chunk_rows: int, physical: Physical
) -> Iterator[Columns]:
    import pyarrow.parquet as pq

    held = {name: native for name, native in registry_names(info, release).items() if native is not None}
    read = {name: held[name] for name in _read(wanted, held)}
    factors = {n: unit_factor(column(n), info.columns[native], f"{info.path}: {native}") for n, native in read.items()}
    rows = parallaxes = 0
    # With pre_buffer, pyarrow's default, the memory grows with the file.
    with reading(info.path), pq.ParquetFile(info.path, page_checksum_verification=True, pre_buffer=False) as file:
        natives = list(dict.fromkeys(read.values()))
        for batch in file.iter_batches(batch_size=chunk_rows, columns=natives, use_threads=False):
            found = {n: _array(info, n, native, batch, factors[n], physical) for n, native in read.items()}
            rows += batch.num_rows
            parallaxes += int(np.count_nonzero(np.isfinite(found["parallax"]))) if "parallax" in found else 0
            refuse_other_position(str(info.path), found, read)
            yield _placed(found, wanted, batch.num_rows, physical)
    if "parallax" in read and not parallaxes:
        raise InputError(f"{info.path} has no finite parallax in {rows} rows; at least one is needed: check the column")


def _read(wanted: Sequence[str], held: dict[str, str]) -> list[str]:
    """Columns of the file that are needed to give those wanted; of positions all, so that they are compared."""
    needed = [n for n in wanted if n in held]
    if set(SKY) & set(wanted) and set(SKY) <= set(held):
        needed += SKY
    for pair, other in ((GALACTIC, EQUATORIAL), (EQUATORIAL, GALACTIC)):
        if set(pair) & set(wanted) and not set(pair) <= set(held):
            needed += other
    if ERROR in wanted and ERROR not in held and OVER_ERROR in held:
        needed += ["parallax", OVER_ERROR]
    return list(dict.fromkeys(needed))


def _array(info: TableInfo, name: str, native: str, batch: Any, factor: float, physical: Physical) -> NDArray[Any]:
    """One column: floats and whole ids as they lie in the file, everything else as `typed` has it."""
    import pyarrow as pa

    values, kind = batch.column(native), np.dtype(column(name).dtype).kind
    floats = pa.types.is_float32(values.type) or pa.types.is_float64(values.type)
    source = f"{info.path}: {native}"
    if floats and kind == "f":
        array = physical.taken(column(name), values.to_numpy(zero_copy_only=False), factor, source)
        return array if factor == 1.0 else array.astype(np.float64) * factor
    if pa.types.is_int64(values.type) and kind == "i" and not values.null_count:
        return np.asarray(values.to_numpy(zero_copy_only=False))
    frame = arrow_frame(batch.select([native]), str(info.path))
    return np.asarray(typed(column(name), frame[native], factor, source, physical))


def _placed(found: Columns, wanted: Sequence[str], rows: int, physical: Physical) -> Columns:
    """The columns wanted, with positions and the parallax error made from others, and rows marked where asked."""
    complete_positions(found, frozenset(wanted) & frozenset(SKY), physical.taken_in(EQUATORIAL))
    if ERROR in wanted and ERROR not in found and OVER_ERROR in found:
        found[ERROR] = error_of(found)
    given = {n: found[n] if n in found else np.full(rows, np.nan) for n in wanted}
    marked = physical.rows(given, rows)
    return given | ({NOT_PHYSICAL: marked} if physical.replaced.deciding else {})
