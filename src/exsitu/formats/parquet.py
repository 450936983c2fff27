"""Parquet: one file, or a folder of them, with the units that astropy, VOParquet or the fields themselves state."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from exsitu.errors import InputError
from exsitu.formats.choice import refuse_repeated
from exsitu.formats.votable import Document, field_units, overflow
from exsitu.table_formats import Contents, Format, Units, arrow_frame, reading

HATS_PROPERTIES = ("hats.properties", "collection.properties", "properties")
"""Files of which a HATS catalog has one; the last of catalogs before HATS 1.0."""
_VOTABLE = b"IVOA.VOTable-Parquet.content"


def parquet_units(schema: Any, source: Path) -> Units:
    """
    Name the columns of a Parquet file and their units.

    Parameters
    ----------
    schema : pyarrow.Schema
        With its metadata.
    source : Path
        The file, for messages.

    Returns
    -------
    dict
        ``{name: unit or None}``: of the embedded VOTable, of the header that astropy leaves, or the field's own.

    Raises
    ------
    InputError
        If the embedded VOTable is a service's error.
    """
    units: Units = {f.name: unit.decode() if (unit := (f.metadata or {}).get(b"unit")) else None for f in schema}
    left = (schema.metadata or {}).get(b"table_meta_yaml")
    if left is not None:
        from astropy.table.meta import get_header_from_yaml

        columns = get_header_from_yaml(left.decode().splitlines())["datatype"]
        units |= {c["name"]: str(c["unit"]) for c in columns if c.get("unit") and c["name"] in units}
    document = _embedded(schema, source)
    stated = field_units(document) if document is not None and document.tables else {}
    return units | {name: unit for name, unit in stated.items() if unit and name in units}


def _embedded(schema: Any, source: Path) -> Document | None:
    """The VOTable that a VOParquet file carries for its metadata."""
    content = (schema.metadata or {}).get(_VOTABLE)
    return None if content is None else Document(source).read(io.BytesIO(content))


def parquet_parts(path: Path) -> list[Path]:
    """
    List the files of a table that may be a folder.

    Parameters
    ----------
    path : Path
        A Parquet file, or a folder of such files.

    Returns
    -------
    list of Path
        In the order of their names; hidden files and those that begin with ``_`` are not counted.
    """
    if not path.is_dir():
        return [path]
    return sorted(p for p in path.rglob("*.parquet") if p.is_file() and not p.name.startswith(("_", ".")))


def _describe(path: Path, _: str | None) -> Contents:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if any((path / name).is_file() for name in HATS_PROPERTIES):
        raise InputError(f"{path} is a HATS catalog, which exsitu score alone reads; give one file")

    schema, rows = None, 0
    for part in parquet_parts(path):
        with reading(part), pq.ParquetFile(part) as file:
            rows += file.metadata.num_rows
            schema = file.schema_arrow if schema is None else schema
            if not schema.equals(file.schema_arrow):
                raise InputError(f"{part} has other columns than the first file of {path}; give files of one table")
    if schema is None:
        raise InputError(f"{path} is a folder without Parquet files (*.parquet); give one file, or a HATS catalog")
    refuse_repeated(path, schema.names)
    with reading(path):
        document = _embedded(schema, path)
        cautions = overflow(document) if document is not None else ()
        flat = [f.name for f in schema if not pa.types.is_nested(f.type)]
        units = parquet_units(schema, path)
        return Contents({n: units[n] for n in flat}, rows, None, cautions, truncated=bool(cautions))


def _frames(path: Path, _: str | None, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    import pyarrow.parquet as pq

    for part in parquet_parts(path):
        # With pre_buffer, pyarrow's default, the memory grows with the file.
        with reading(part), pq.ParquetFile(part, page_checksum_verification=True, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=chunk_rows, columns=list(names), use_threads=False):
                yield arrow_frame(batch, str(part))[list(names)]


PARQUET = Format(_describe, _frames)
"""Parquet, whose pages' checksums are verified where there are any."""
