"""One catalog in three formats that say the same of every column: Parquet, FITS and VOTable.

Units, UCDs and descriptions are the registry's. Each file is written so that both astropy and the Java tools (TOPCAT,
STILTS) show them, and so that the same table gives the same bytes: none holds a time.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from exsitu.catalog.header import Header
from exsitu.columns import Column, column
from exsitu.errors import InputError
from exsitu.formats import FORMATS, recognise
from exsitu.provenance import publish_file
from exsitu.tables import write_parquet

NAMES = ("catalog.parquet", "catalog.fits", "catalog.vot")
"""The files of a catalog: the same rows and columns, three times."""

_FRAME_ID = "icrs"
_VOTABLE_TYPES = {"int64": "long", "int32": "int", "float64": "double", "float32": "float"}
_BINARY2 = {"long": ">i8", "int": ">i4", "double": ">f8", "float": ">f4"}
_NULL_FLAGS = "null_flags"
_READ_ROWS = 1_000_000
_STREAM_START = b'<DATA>\n<BINARY2>\n<STREAM encoding="base64">\n'
_STREAM_END = b"</STREAM>\n</BINARY2>\n</DATA>\n"
_TABLE_END = b"</TABLE>"
_CHECKSUM_NOTE = "sum of this HDU"


def write_catalog(folder: Path, frame: pd.DataFrame, header: Header) -> list[Path]:
    """
    Write a catalog in all formats.

    Parameters
    ----------
    folder : Path
        Where ``catalog.parquet``, ``catalog.fits`` and ``catalog.vot`` go.
    frame : DataFrame
        Numeric registry columns; they are stored in the registry's types.
    header : Header
        What the files say of themselves.

    Returns
    -------
    list of Path
        The files, in the order of `NAMES`.

    Raises
    ------
    InputError
        If a column is unknown, of text, or cannot be stored in its type, or there is no row.
    """
    parquet, fits, votable = (folder / name for name in NAMES)
    write_parquet_catalog(parquet, frame, header)
    # From what was stored, so that rounding to the registry's types cannot differ between the formats.
    stored = read_catalog(parquet)
    write_fits_catalog(fits, stored, header)
    write_votable_catalog(votable, stored, header)
    return [parquet, fits, votable]


def write_parquet_catalog(path: Path, frame: pd.DataFrame, header: Header) -> None:
    """
    Write a catalog as Parquet with the VOParquet convention (IVOA Note, 2025): the footer holds a VOTable without data.

    Parameters
    ----------
    path : Path
        Target file.
    frame : DataFrame
        Registry columns.
    header : Header
        What the file says of itself.
    """
    content = io.BytesIO()
    _votable(_columns(frame), header)[0].to_xml(content)
    facts = {name: str(value) for _, name, value, _ in header.entries()}
    voparquet = {
        "IVOA.VOTable-Parquet.version": "1.0",
        "IVOA.VOTable-Parquet.content": content.getvalue().decode(),
    }
    write_parquet(path, [frame], metadata={**facts, **voparquet}, allow_empty=True)


def write_fits_catalog(path: Path, frame: pd.DataFrame, header: Header) -> None:
    """
    Write a catalog as a FITS binary table.

    Parameters
    ----------
    path : Path
        Target file.
    frame : DataFrame
        Registry columns.
    header : Header
        What the file says of itself.
    """
    columns = _columns(frame)
    cards: list[tuple[str, Any, str]] = [("RADESYS", "ICRS", "celestial reference frame")]
    if header.epoch is not None:
        cards.append(("REFEPOCH", header.epoch, "[yr] Julian year of the positions"))
    cards += [(keyword, value, comment) for keyword, _, value, comment in header.entries()]
    with publish_file(path) as staged:
        write_fits_table(staged, _astropy_table(frame, columns), columns, name=header.table_name.upper(), cards=cards)


def write_fits_table(
    path: Path, table: Any, columns: Sequence[Column], *, name: str, cards: Sequence[tuple[str, Any, str]]
) -> None:
    """
    Write a table as FITS so that astropy, TOPCAT and STILTS show units, UCDs and descriptions, with checksums.

    Parameters
    ----------
    path : Path
        Where to write.
    table : astropy.table.Table
        The rows; columns have unit, description and ``meta["ucd"]``.
    columns : sequence of Column
        What is known of each of its columns, in order; an empty unit, UCD or description is left out.
    name : str
        Of the extension.
    cards : sequence of (str, object, str)
        Keyword, value and comment of further cards.

    Notes
    -----
    astropy keeps descriptions and UCDs in COMMENT cards, which no other reader understands; ``TUCDn`` and ``TCOMMn``
    say them again to TOPCAT and STILTS.
    """
    from astropy.io import fits

    # Through the high-level writer and back: it alone knows how to fill the COMMENT cards.
    written = io.BytesIO()
    table.write(written, format="fits")
    written.seek(0)
    with fits.open(written) as file:
        hdu = file[1]
        for number, c in enumerate(columns, start=1):
            after = f"TFORM{number}"
            if c.unit:
                hdu.header[f"TUNIT{number}"] = c.unit
            if c.description:
                hdu.header.set(f"TCOMM{number}", c.description, after=after)
            if c.ucd:
                hdu.header.set(f"TUCD{number}", c.ucd, after=after)
        hdu.header["EXTNAME"] = name
        for keyword, value, comment in cards:
            hdu.header[keyword] = (value, comment)
        for part in file:
            # The default note is the time of day.
            part.add_checksum(when=_CHECKSUM_NOTE)
        file.writeto(path, overwrite=True)


def write_votable_catalog(path: Path, frame: pd.DataFrame, header: Header) -> None:
    """
    Write a catalog as VOTable with BINARY2 data and the frame and epoch of the positions.

    Parameters
    ----------
    path : Path
        Target file.
    frame : DataFrame
        Registry columns.
    header : Header
        What the file says of itself.

    Notes
    -----
    astropy writes and reads BINARY2 value by value, minutes for a catalog of a million stars. It makes the document
    here, and the rows go in as one array: a byte of null flags for eight columns, then big-endian values.
    """
    columns = _columns(frame)
    document = io.BytesIO()
    _votable(columns, header)[0].to_xml(document)
    rows = np.zeros(len(frame), _binary2_rows({c.name: _VOTABLE_TYPES[c.dtype] for c in columns}))
    for c in columns:
        rows[c.name] = frame[c.name].to_numpy(c.dtype)
    before, table_end, after = document.getvalue().partition(_TABLE_END)
    with publish_file(path) as staged, staged.open("wb") as stream:
        stream.write(before + _STREAM_START)
        stream.write(base64.encodebytes(rows.tobytes()))
        stream.write(_STREAM_END + table_end + after)


def read_catalog(path: Path) -> pd.DataFrame:
    """
    Read a catalog back, in any of its formats.

    Parameters
    ----------
    path : Path
        A file of `write_catalog`.

    Returns
    -------
    DataFrame
        In the registry's types.

    Raises
    ------
    InputError
        If the file cannot be read or a column is not one of the registry.
    """
    frame = _read_votable(path) if path.suffix == ".vot" else _read_rows(path)
    return frame.astype({name: column(str(name)).dtype for name in frame})


def _read_rows(path: Path) -> pd.DataFrame:
    """All rows of a FITS or Parquet file, of which there may be none."""
    form = FORMATS[recognise(path)]
    names = list(form.describe(path, None).columns)
    frames = list(form.frames(path, None, names, _READ_ROWS))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)


def _binary2_rows(types: Mapping[str, str]) -> Any:
    """Layout of one row: null flags, one bit a column, and the values as they stand in the file."""
    flags = (_NULL_FLAGS, np.uint8, ((len(types) + 7) // 8,))
    return np.dtype([flags, *((name, _BINARY2[kind]) for name, kind in types.items())])


def _read_votable(path: Path) -> pd.DataFrame:
    """Rows of a VOTable of `write_votable_catalog`; the columns are what the document says."""
    from astropy.io.votable import parse

    before, _, rest = path.read_bytes().partition(_STREAM_START)
    stream, end, after = rest.partition(_STREAM_END)
    if not end:
        raise InputError(f"{path} is no VOTable with one BINARY2 stream, or is cut short; write it again")
    fields = parse(io.BytesIO(before + after)).get_first_table().fields
    layout = _binary2_rows({field.name: field.datatype for field in fields})
    content = base64.b64decode(stream)
    rows = np.frombuffer(content, layout) if content else np.empty(0, layout)
    return pd.DataFrame({field.name: rows[field.name].astype(layout[field.name].newbyteorder("=")) for field in fields})


def _columns(frame: pd.DataFrame) -> list[Column]:
    columns = [column(str(name)) for name in frame]
    for c in columns:
        if c.dtype not in _VOTABLE_TYPES:
            raise InputError(f"{c.name} is {c.dtype}; a catalog holds {', '.join(_VOTABLE_TYPES)}")
    return columns


def _astropy_table(frame: pd.DataFrame, columns: list[Column]) -> Any:
    from astropy.table import Column as AstropyColumn
    from astropy.table import Table

    return Table(
        [
            AstropyColumn(
                frame[c.name].to_numpy(c.dtype),
                name=c.name,
                unit=c.unit or None,
                description=c.description,
                meta={"ucd": c.ucd},
            )
            for c in columns
        ]
    )


def _votable(columns: list[Column], header: Header) -> tuple[Any, Any]:
    """A VOTable document without data, and its one table."""
    from astropy.io.votable.tree import CooSys, Field, Info, Resource, TableElement, VOTableFile

    votable = VOTableFile(version="1.4")
    resource = Resource(type="results")
    votable.resources.append(resource)
    epoch = {} if header.epoch is None else {"epoch": f"J{header.epoch}"}
    resource.coordinate_systems.append(CooSys(ID=_FRAME_ID, system="ICRS", **epoch))
    for _, name, value, _ in header.entries():
        resource.infos.append(Info(name=name, value=str(value)))
    table = TableElement(votable, name=header.table_name, nrows=None)
    table.description = header.description
    resource.tables.append(table)
    for c in columns:
        celestial = {"ref": _FRAME_ID} if c.ucd.startswith(("pos.eq", "pos.pm", "pos.parallax")) else {}
        field = Field(
            votable,
            name=c.name,
            ID=c.name,
            datatype=_VOTABLE_TYPES[c.dtype],
            unit=c.unit or None,
            ucd=c.ucd,
            **celestial,
        )
        field.description = c.description
        table.fields.append(field)
    return votable, table


def same_rows(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """
    Compare two catalogs bit by bit, NaN being equal to NaN.

    Parameters
    ----------
    a, b : DataFrame
        Catalogs.

    Returns
    -------
    bool
    """
    if list(a) != list(b) or len(a) != len(b):
        return False
    return all(
        a[name].dtype == b[name].dtype
        and np.array_equal(a[name].to_numpy(), b[name].to_numpy(), equal_nan=a[name].dtype.kind == "f")
        for name in a
    )
