"""Any table file as pandas frames in chunks, and exsitu's own tables as Parquet whose damage is noticed.

Reading keeps the file's own names (``exsitu.surveys`` maps them onto the registry). Writing knows the registry's
columns alone and is deterministic: the same rows give the same bytes, however they were chunked.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from exsitu.columns import Column, column, nearest
from exsitu.errors import InputError
from exsitu.formats import FORMATS, recognise
from exsitu.provenance import publish_file
from exsitu.table_formats import arrow_frame, nullable, reading

_MANY_TABLES = ("fits", "votable", "hdf5")
_MASK = ".mask"

Chunk = pd.DataFrame | Mapping[str, NDArray[Any]]
"""Rows to write: a frame, or arrays by the names of their columns."""

ROW_GROUP = 1 << 17
"""Rows of one Parquet row group; fixed, so that the bytes do not depend on the caller's chunks."""


@dataclass(frozen=True, slots=True)
class TableInfo:
    """
    What a table file says of itself before its rows are read.

    Parameters
    ----------
    path : Path
        The file.
    format : str
        A key of ``exsitu.formats.FORMATS``.
    columns : dict
        ``{native name: unit}``, the unit None where the file states none; columns of one value a row only.
    rows : int or None
        Number of rows; None where only reading would tell.
    table : str or None
        Number of the table that is read, where the file has several.
    masks : mapping of str to str
        ``{native name: column of the file that is true where its value is missing}``, as astropy writes masks.
    cautions : tuple of str
        What the file itself states against its use, each one sentence, for the console.
    truncated : bool
        Whether the file states that rows are missing (a service's QUERY_STATUS=OVERFLOW).
    """

    path: Path
    format: str
    columns: dict[str, str | None]
    rows: int | None
    table: str | None = None
    masks: Mapping[str, str] = field(default_factory=dict)
    cautions: tuple[str, ...] = ()
    truncated: bool = False

    def require_whole(self, advice: str = "") -> "TableInfo":
        """
        Refuse a table that its service cut short.

        Parameters
        ----------
        advice : str
            What else can be done than what the file's cautions say, as a sentence.

        Returns
        -------
        TableInfo
            The table itself.

        Raises
        ------
        InputError
            If the file states that rows are missing.
        """
        if self.truncated:
            raise InputError(" ".join([*self.cautions, advice]).rstrip())
        return self


def describe(path: Path, *, table: str | None = None) -> TableInfo:
    """
    Say what a table file holds.

    Parameters
    ----------
    path : Path
        File of any known format, recognised by its first bytes; or a folder of Parquet files of one table.
    table : str, optional
        Name or number of the table, where the file has several; by default the only one that holds stars.

    Returns
    -------
    TableInfo

    Raises
    ------
    InputError
        If there is no such file or table, or it is empty, cut short, damaged or of no known format.
    """
    path = Path(path)
    name = recognise(path)
    found = FORMATS[name].describe(path, table)
    columns, rows = found.columns, found.rows
    if not columns or rows == 0:
        raise InputError(f"{path} is empty: {len(columns)} columns, {rows or 0} rows; at least one row is needed")
    if table is not None and name not in _MANY_TABLES:
        raise InputError(f"{path} holds one table, of no name, not {table!r}; leave out --table")
    masks = {n: f"{n}{_MASK}" for n in columns if f"{n}{_MASK}" in columns}
    held = {n: unit for n, unit in columns.items() if n not in masks.values()}
    return TableInfo(path, name, held, rows, found.table, masks, found.cautions, found.truncated)


def read_frames(
    path: Path, *, columns: Sequence[str] | None = None, chunk_rows: int = 200_000
) -> Iterator[pd.DataFrame]:
    """
    Read a table of any known format in chunks, under the file's own column names.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str, optional
        Columns to read, in this order; all by default.
    chunk_rows : int
        Most rows of one frame. A VOTable is held whole in memory before it is handed out in chunks.

    Returns
    -------
    iterator of DataFrame
        Missing floats are NaN; integers stay integers (pandas' nullable ones where some are missing).

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column (the message names the nearest), has no rows, or states that rows are
        missing.
    """
    return frames_of(describe(path).require_whole(), columns=columns, chunk_rows=chunk_rows)


def frames_of(
    info: TableInfo, *, columns: Sequence[str] | None = None, chunk_rows: int = 200_000
) -> Iterator[pd.DataFrame]:
    """
    Read a table that has been described already; as `read_frames` otherwise.

    Parameters
    ----------
    info : TableInfo
        Of `describe`.
    columns : sequence of str, optional
        Columns to read, in this order; all by default.
    chunk_rows : int
        Most rows of one frame.

    Returns
    -------
    iterator of DataFrame

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or has no rows.
    """
    if chunk_rows < 1:
        raise InputError(f"chunk_rows is {chunk_rows}; it must be at least 1")
    names = list(info.columns) if columns is None else list(columns)
    _require(info.path, names, info.columns)
    return _counted(info, names, chunk_rows)


def _require(path: Path, names: Iterable[str], known: Iterable[str]) -> None:
    held = list(known)
    for name in names:
        if name not in held:
            shown = ", ".join(held[:12]) + (f" and {len(held) - 12} more" if len(held) > 12 else "")
            raise InputError(f"{path} has no column {name!r}{nearest(name, held)}; it has {shown}")


def _counted(info: TableInfo, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    rows = 0
    masks = {n: info.masks[n] for n in names if n in info.masks}
    for frame in FORMATS[info.format].frames(info.path, info.table, [*names, *masks.values()], chunk_rows):
        rows += len(frame)
        yield _unmasked(info.path, frame, masks)[list(names)] if masks else frame
    if rows == 0:
        held = ", ".join(names[:4])
        raise InputError(f"{info.path} is empty: {len(names)} columns ({held}), 0 rows; at least one row is needed")


def _unmasked(path: Path, frame: pd.DataFrame, masks: Mapping[str, str]) -> pd.DataFrame:
    """The frame with what its masks hide missing."""
    for mask in masks.values():
        if frame[mask].dtype != bool:
            raise InputError(f"{path}: {mask} is {frame[mask].dtype}, not true or false in every row; mend the mask")
    shown = {n: nullable(frame[n].to_numpy(), frame[mask].to_numpy(bool)) for n, mask in masks.items()}
    return frame.assign(**shown)


def _field(c: Column, *, complete: bool) -> Any:
    kind = pa.string() if c.dtype == "str" else pa.from_numpy_dtype(np.dtype(c.dtype))
    said = {"unit": c.unit, "ucd": c.ucd, "description": c.description}
    return pa.field(c.name, kind, nullable=not complete, metadata=said)


def _arrow(c: Column, values: "pd.Series[Any]") -> Any:
    """One column in the registry's type; NaN stays NaN, and nothing is rounded into an integer."""
    if c.dtype == "str":
        return pa.array([None if v is pd.NA or v != v else str(v) for v in values], pa.string())  # noqa: PLR0124 - NaN test
    target, source = np.dtype(c.dtype), values.dtype
    if source == target:
        return pa.array(values.to_numpy(), from_pandas=False)
    if target.kind in "iub" and (values.isna().any() or source.kind not in ("b" if target.kind == "b" else "iu")):
        raise InputError(
            f"{c.name} is {source} with {int(values.isna().sum())} missing; the table needs whole {target}"
        )
    array = values.to_numpy()
    cast = array.astype(target)
    if target.kind == "i" and not np.array_equal(cast, array):
        raise InputError(f"{c.name} goes up to {array.max()}, beyond {target}; {np.iinfo(target).max} is the limit")
    return pa.array(cast, from_pandas=False)


def _batches(path: Path, chunks: Iterable[Chunk], schema: Any) -> Iterator[Any]:
    """Arrow tables of exactly one row group each, but for the last."""
    names = schema.names
    held: list[Any] = []
    rows = 0
    for chunk in chunks:
        given = sorted(map(str, chunk))
        if given != sorted(names):
            raise InputError(f"{path}: a chunk has columns {given}, the first had {sorted(names)}")
        arrays = [_arrow(column(n), pd.Series(chunk[n], copy=False)) for n in names]
        held.append(pa.Table.from_arrays(arrays, schema=schema))
        rows += held[-1].num_rows
        while rows >= ROW_GROUP:
            joined = pa.concat_tables(held)
            yield joined.slice(0, ROW_GROUP).combine_chunks()
            rows -= ROW_GROUP
            held = [joined.slice(ROW_GROUP)] if rows else []  # an empty rest would make the next group a copy
    if rows:
        yield pa.concat_tables(held).combine_chunks()


def _steps(names: Sequence[str], *, complete: bool) -> list[str]:
    """Columns written as steps from row to row: numbers that only count, and ids, which come in Gaia's order."""
    return [name for name in names if name == "row" or (complete and name == "source_id")]


def write_parquet(
    path: Path,
    chunks: Iterable[Chunk],
    *,
    metadata: Mapping[str, str] | None = None,
    allow_empty: bool = False,
    complete: bool = False,
) -> int:
    """
    Write chunks of registry columns as one Parquet file with page checksums.

    Parameters
    ----------
    path : Path
        Target file; it appears whole or not at all.
    chunks : iterable of DataFrame, or of mappings of str to ndarray, shape (n_rows,)
        Chunks with the same columns; a single one goes in a list. Arrays of a column's own type are not copied: leave
        them as they are until the next chunk but one has been asked for.
    metadata : mapping of str to str, optional
        What the file says of itself (galaxy, seed, release ...); no times, so that equal input gives equal bytes.
    allow_empty : bool
        Write a table without rows instead of refusing it.
    complete : bool
        Say in the file that no row lacks a value (NaN is one); it is then quicker to write and to read. Ids are
        written as steps, a fifth smaller where they are in order.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    InputError
        If a column is unknown to the registry, an integer column holds floats or missing values, chunks differ in their
        columns, or there are no rows and none were allowed; the target is then left as it was.
    """
    given = iter(chunks)
    first = next(given, None)
    if first is None:
        raise InputError(f"nothing to write to {path}: no chunk came; at least one row is needed")
    schema = pa.schema([_field(column(str(name)), complete=complete) for name in first])
    said = dict(sorted((metadata or {}).items()))
    rows = 0
    with publish_file(Path(path)) as staged:
        with pq.ParquetWriter(
            staged,
            schema.with_metadata(said),
            compression="zstd",
            use_dictionary=[f.name for f in schema if f.type == pa.string()],
            column_encoding=dict.fromkeys(_steps(schema.names, complete=complete), "DELTA_BINARY_PACKED") or None,
            write_page_checksum=True,
        ) as writer:
            for table in _batches(Path(path), itertools.chain([first], given), schema):
                writer.write_table(table.replace_schema_metadata(said), row_group_size=ROW_GROUP)
                rows += table.num_rows
        if rows == 0 and not allow_empty:
            raise InputError(f"nothing to write to {path}: 0 rows; at least one row is needed")
    return rows


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """
    Read a whole Parquet file, verifying the checksum of every page.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str, optional
        Columns to read, in this order; all by default.

    Returns
    -------
    DataFrame

    Raises
    ------
    InputError
        If the file cannot be read, a page fails its checksum, or a column is missing.
    """
    names = _parquet_names(Path(path), columns)
    with reading(Path(path)), pq.ParquetFile(path, page_checksum_verification=True) as file:
        return arrow_frame(file.read(columns=names), str(path))[names]


def iter_parquet(
    path: Path, *, columns: Sequence[str] | None = None, chunk_rows: int = 200_000
) -> Iterator[pd.DataFrame]:
    """
    Read a Parquet file in chunks, verifying the checksum of every page.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str, optional
        Columns to read, in this order; all by default.
    chunk_rows : int
        Most rows of one frame.

    Returns
    -------
    iterator of DataFrame

    Raises
    ------
    InputError
        If the file cannot be read, a page fails its checksum, or a column is missing.
    """
    return FORMATS["parquet"].frames(Path(path), None, _parquet_names(Path(path), columns), chunk_rows)


def _parquet_names(path: Path, columns: Sequence[str] | None) -> list[str]:
    info = describe(path)
    if info.format != "parquet":
        raise InputError(f"{path} is {info.format}, not Parquet; read it with read_frames")
    names = list(info.columns) if columns is None else list(columns)
    _require(path, names, info.columns)
    return names
