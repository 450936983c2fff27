"""FITS tables, in chunks: binary and ASCII ones, and those of one row that hold whole columns (STILTS' colfits)."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.formats.choice import Table, choose_table, refuse_repeated
from exsitu.formats.packed import is_packed, opened
from exsitu.table_formats import Contents, Format, native, nullable, plain_frame, reading

# TFORM of one value a row, in binary and in ASCII tables: text, logical, integer, float; no vectors, bits or pointers.
_SCALAR = re.compile(r"\d*A|1?[LBIJKED]|[AIFED]\d+(\.\d+)?")
_VECTOR = re.compile(r"(\d+)[LBIJKED]")
_BLOCK = 1 << 20


def _table(path: Path, hdus: Any, wanted: str | None) -> tuple[str | None, Any]:
    """The table that is meant, with its number among several, after a look whether the file holds all its bytes."""
    from astropy.io import fits

    held = {n: hdu for n, hdu in enumerate(hdus) if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)}
    if not held:
        raise InputError(f"{path} holds no FITS table; give the file of the table extension")
    tables = [Table(number, hdu.name, tuple(hdu.columns.names)) for number, hdu in held.items()]
    chosen = choose_table(path, tables, wanted)
    refuse_repeated(path, chosen.columns)
    hdu = held[chosen.number]
    promised, size = hdu.fileinfo()["datLoc"] + hdu.size, path.stat().st_size
    if size < promised and not is_packed(path):
        raise InputError(f"{path} is cut short: {size} of {promised} bytes; fetch it again")
    return (str(chosen.number) if len(held) > 1 else None), hdu


def _refuse_changed(path: Path, hdu: Any) -> None:
    """Refuse a table whose bytes are not those of which its own header states the checksum."""
    for name, verify in (("DATASUM", hdu.verify_datasum), ("CHECKSUM", hdu.verify_checksum)):
        if verify() == 0:
            raise InputError(
                f"{path} is damaged: its table does not have the {name} that its header states; fetch it again, or, if "
                "it was edited on purpose, write its checksums anew (astropy: checksum=True)"
            )


def _vectors(hdu: Any) -> dict[str, int]:
    """Columns of a table of one row, all of one length above 1, with that length: a table stored by columns."""
    if int(hdu.header["NAXIS2"]) != 1:
        return {}
    lengths = {c.name: int(m[1]) for c in hdu.columns if (m := _VECTOR.fullmatch(str(c.format))) and int(m[1]) > 1}
    return lengths if len(lengths) > 1 and len(set(lengths.values())) == 1 else {}


def _columns(hdu: Any) -> dict[str, Any]:
    vectors = _vectors(hdu)
    return {c.name: c for c in hdu.columns if (c.name in vectors if vectors else _SCALAR.fullmatch(str(c.format)))}


def _rows(hdu: Any) -> int:
    return next(iter(_vectors(hdu).values()), int(hdu.header["NAXIS2"]))


def _describe(path: Path, table: str | None) -> Contents:
    from astropy.io import fits

    with reading(path), opened(path) as stream:
        # astropy takes a stream that breaks off for the end of the file; unpacking it through finds its checksum.
        while is_packed(path) and stream.read(_BLOCK):
            pass
    with reading(path), fits.open(path, memmap=True) as hdus:
        number, hdu = _table(path, hdus, table)
        return Contents({name: c.unit or None for name, c in _columns(hdu).items()}, _rows(hdu), number)


def _frames(path: Path, table: str | None, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    from astropy.io import fits

    with reading(path), fits.open(path, memmap=True) as hdus:
        _, hdu = _table(path, hdus, table)
        _refuse_changed(path, hdu)
        columns, stored = _columns(hdu), bool(_vectors(hdu))
        for start in range(0, _rows(hdu), chunk_rows):
            rows = slice(start, start + chunk_rows)
            data = hdu.data if stored else hdu.data[rows]
            raw = {n: np.ravel(data.field(n)[0])[rows] if stored else data.field(n) for n in names}
            values = {n: _values(v, columns[n], f"{path}: {n}") for n, v in raw.items()}
            holes = {} if isinstance(hdu, fits.BinTableHDU) else _blank(data, columns, names)
            yield plain_frame({n: nullable(v, holes[n]) if n in holes else v for n, v in values.items()})


def _blank(data: Any, columns: dict[str, Any], names: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Where an ASCII table holds no number; astropy reads an integer's place as 0."""
    text = {n: np.char.strip(data.view(np.ndarray)[n]) for n in names}
    nulls = {n: [b"", str(columns[n].null or "").strip().encode()] for n in names}
    return {n: np.isin(t, nulls[n]) for n, t in text.items()}


def _values(raw: NDArray[Any], column: Any, source: str) -> Any:
    values = native(raw, source)
    if isinstance(column.null, str):  # of an ASCII table
        return values
    if column.null in {None, ""} or values.dtype.kind not in "iuf":
        return values
    null = int(column.null) * (column.bscale or 1) + (column.bzero or 0)  # TNULL is stated before TSCAL and TZERO
    return nullable(values, values == null)


FITS = Format(_describe, _frames)
"""FITS, perhaps compressed."""
