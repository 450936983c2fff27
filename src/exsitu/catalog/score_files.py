"""Scores as a file of the format that its name says, alone or beside columns of the survey they are of.

Parquet and CSV are written chunk by chunk. The others (FITS, VOTable, ECSV) need the whole table in memory, and a table
that would not fit is refused. Every format but CSV states units, UCDs and descriptions.
"""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from exsitu.catalog.formats import write_fits_table
from exsitu.columns import Column, column, nearest
from exsitu.errors import InputError
from exsitu.provenance import publish_file
from exsitu.tables import ROW_GROUP, TableInfo, frames_of, write_parquet

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        ".parquet": "parquet",
        ".fits": "fits",
        ".vot": "votable",
        ".xml": "votable",
        ".ecsv": "ecsv",
        ".csv": "csv",
    }
)
"""What a file's name says about its format."""

MOST_ROWS = 5_000_000
"""Rows that are held in memory for a format that cannot be written in chunks; about a gigabyte with a dozen columns."""

WRITTEN = ("row", "source_id", "score", "score_mean", "score_p16", "score_p84", "flags")
"""Names that columns of the survey cannot have beside the scores."""

_Units = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Kept:
    """
    Columns of the survey's own file that go into the file of scores, under the file's own names.

    Parameters
    ----------
    info : TableInfo
        The file.
    names : tuple of str
        The columns.
    """

    info: TableInfo
    names: tuple[str, ...]

    @property
    def units(self) -> dict[str, str | None]:
        """Unit of each, as the file states it."""
        return {name: self.info.columns[name] for name in self.names}

    def beside(self, scores: Iterable[Mapping[str, Any]], chunk_rows: int) -> Iterator[pd.DataFrame]:
        """
        Put the columns beside the scores.

        Parameters
        ----------
        scores : iterable of mapping of str to ndarray, shape (n_stars,)
            Scores of the file's rows, in order, in chunks of any size.
        chunk_rows : int
            Rows read at a time.

        Yields
        ------
        DataFrame
            A chunk of scores and the file's own columns of the same rows.

        Raises
        ------
        InputError
            If the file has not as many rows as there are scores.
        """
        frames = frames_of(self.info, columns=self.names, chunk_rows=chunk_rows)
        held = next(frames)
        for chunk in scores:
            frame = pd.DataFrame(dict(chunk))
            while len(held) < len(frame) and (more := next(frames, None)) is not None:
                held = pd.concat([held, more], ignore_index=True)
            if len(held) < len(frame):
                raise InputError(f"{self.info.path} has fewer rows than scores; leave out --keep")
            yield pd.concat([frame, held.iloc[: len(frame)].reset_index(drop=True)], axis=1)
            held = held.iloc[len(frame) :]


def format_of(path: Path) -> str:
    """
    Name the format that a file's name says.

    Parameters
    ----------
    path : Path
        The file to write.

    Returns
    -------
    str
        A value of `SUFFIXES`.

    Raises
    ------
    InputError
        If the suffix is none of them, or says that the file is compressed.
    """
    known = ", ".join(SUFFIXES)
    suffix = path.suffix.lower()
    if suffix in (".gz", ".bz2", ".xz", ".zst", ".zip"):
        raise InputError(f"{path}: scores are not written compressed ({suffix}); leave that out, known are {known}")
    if suffix not in SUFFIXES:
        raise InputError(f"{path} does not say a format exsitu writes; give it a name that ends in one of {known}")
    return SUFFIXES[suffix]


def kept_columns(info: TableInfo, wanted: str, own_ids: str | None) -> Kept:
    """
    Choose columns of the survey's own file.

    Parameters
    ----------
    info : TableInfo
        The file.
    wanted : str
        ``"all"``, or names separated by commas.
    own_ids : str or None
        The file's name of the column that is written as ``source_id`` anyway.

    Returns
    -------
    Kept

    Raises
    ------
    InputError
        If a column does not exist, or has the name of a column that is written.
    """
    names = list(info.columns) if wanted.strip() == "all" else [n for part in wanted.split(",") if (n := part.strip())]
    for name in names:
        if name not in info.columns:
            raise InputError(f"{info.path} has no column {name!r} to keep{nearest(name, info.columns)}")
    names = [name for name in dict.fromkeys(names) if not (name == own_ids and name.lower() == "source_id")]
    # Without regard to case, because FITS knows none.
    taken = [name for name in names if name.lower() in WRITTEN]
    twice = [name for name in names if sum(name.lower() == other.lower() for other in names) > 1]
    if taken or twice:
        why = "the name of a column of scores" if taken else "a name that another column has in another case"
        raise InputError(
            f"{info.path}: {', '.join(taken or twice)} cannot be kept: it has {why}; list others with --keep A,B"
        )
    return Kept(info, tuple(names))


def write_scores(
    path: Path, scores: Iterable[Mapping[str, Any]], *, metadata: Mapping[str, str], kept: Kept | None, chunk_rows: int
) -> None:
    """
    Write scores in the format that the file's name says.

    Parameters
    ----------
    path : Path
        The file; it appears whole or not at all.
    scores : iterable of mapping of str to ndarray, shape (n_stars,)
        Registry columns, in chunks.
    metadata : mapping of str to str
        What the file says of itself; CSV has no place for it.
    kept : Kept or None
        Columns of the survey's file to write too.
    chunk_rows : int
        Rows read of them at a time.

    Raises
    ------
    InputError
        If the format is unknown, the table is too large for it, or a column cannot be stored.
    """
    from astropy.utils.exceptions import AstropyWarning

    form = format_of(path)
    if form == "parquet" and kept is None:
        write_parquet(path, scores, metadata=metadata, complete=True)
        return
    frames = (pd.DataFrame(dict(chunk)) for chunk in scores) if kept is None else kept.beside(scores, chunk_rows)
    units = {} if kept is None else kept.units
    with publish_file(path) as staged:
        if form == "parquet":
            _write_parquet(staged, frames, units, metadata, path)
        elif form == "csv":
            _write_csv(staged, frames)
        else:
            with warnings.catch_warnings():
                # A survey's own units, such as 'electron'.s**-1, are written as its file spells them.
                warnings.simplefilter("ignore", AstropyWarning)
                _WHOLE[form](staged, _table(frames, units, path), units, metadata)


def _known(name: str, units: _Units) -> Column:
    """What is known of a column: the registry's facts of scores, the file's own unit of what was kept."""
    return Column(name, units[name] or "", "", "", None, None, "") if name in units else column(name)


def _write_parquet(
    path: Path, frames: Iterator[pd.DataFrame], units: _Units, metadata: Mapping[str, str], target: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = next(frames)
    fields = []
    for f in pa.Table.from_pandas(first, preserve_index=False).schema:
        c = _known(f.name, units)
        said = {"unit": c.unit, "ucd": c.ucd, "description": c.description}
        fields.append(pa.field(f.name, pa.string() if pa.types.is_null(f.type) else f.type, metadata=said))
    schema = pa.schema(fields, metadata=dict(metadata))
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for frame in itertools.chain([first], frames):
            try:
                table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
            except pa.ArrowException as error:
                raise InputError(
                    f"{target}: a column that is kept changes its type on the way ({error}); leave it out of --keep"
                ) from error
            writer.write_table(table.replace_schema_metadata(schema.metadata), row_group_size=ROW_GROUP)


def _write_csv(path: Path, frames: Iterator[pd.DataFrame]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        for number, frame in enumerate(frames):
            frame.to_csv(stream, index=False, header=number == 0, lineterminator="\n")


def _table(frames: Iterator[pd.DataFrame], units: _Units, target: Path) -> Any:
    """The whole table as astropy's; missing integers and texts are masked, missing floats are NaN."""
    from astropy.table import Table

    held, rows = list[pd.DataFrame](), 0
    for frame in frames:
        rows += len(frame)
        if rows > MOST_ROWS:
            raise InputError(
                f"{target}: this format is written whole, at most {MOST_ROWS} rows of it; name a .parquet or .csv file"
            )
        held.append(frame)
    table = Table.from_pandas(pd.concat(held, ignore_index=True))
    for name in table.colnames:
        c, values = _known(name, units), table[name]
        if c.unit:
            values.unit = c.unit
        if c.description:
            values.description = c.description
        if c.ucd:
            values.meta["ucd"] = c.ucd
        if hasattr(values, "mask"):
            _unmask(table, name)
    return table


def _unmask(table: Any, name: str) -> None:
    """Leave a mask only where no value of the type says that there is none."""
    values = table[name]
    if values.dtype.kind == "f":
        table[name] = values.filled(np.nan)
    elif values.dtype.kind in "iu":
        # FITS marks a missing integer by a number; astropy's own, 999999, may be one of the survey's.
        values.fill_value = np.iinfo(values.dtype).min


def _write_fits(path: Path, table: Any, units: _Units, metadata: Mapping[str, str]) -> None:
    for name in table.colnames:
        texts = (str(value) for value in table[name]) if table[name].dtype.kind in "OU" else ()
        if (odd := next((text for text in texts if not text.isascii()), None)) is not None:
            raise InputError(f"{name} holds {odd!r}, and FITS knows ASCII alone; name a .vot, .ecsv or .parquet file")
    cards = [(key.split("_")[0][:8].upper(), value, "") for key, value in metadata.items()]
    write_fits_table(path, table, [_known(name, units) for name in table.colnames], name="SCORES", cards=cards)


def _write_votable(path: Path, table: Any, units: _Units, metadata: Mapping[str, str]) -> None:
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info

    document = from_table(table)
    document.version = "1.4"
    [resource] = document.resources
    resource.infos.extend(Info(name=key, value=value) for key, value in metadata.items())
    resource.tables[0].description = "Scores of exsitu; 1 is like an accreted star"
    for field in resource.tables[0].fields:
        field.ucd = _known(field.name, units).ucd or None
    document.to_xml(str(path), tabledata_format="binary2")


def _write_ecsv(path: Path, table: Any, _units: _Units, metadata: Mapping[str, str]) -> None:
    table.meta.update(metadata)
    table.write(path, format="ascii.ecsv", overwrite=True)


_WHOLE: Mapping[str, Callable[[Path, Any, _Units, Mapping[str, str]], None]] = MappingProxyType(
    {"fits": _write_fits, "votable": _write_votable, "ecsv": _write_ecsv}
)
