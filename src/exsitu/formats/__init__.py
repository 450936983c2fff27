"""The table formats that exsitu reads, each as a `Format` of two functions, and how a file shows which it is."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from exsitu.columns import spellings
from exsitu.errors import InputError
from exsitu.formats.delimited import CSV, ECSV
from exsitu.formats.fits import FITS
from exsitu.formats.fixed import IPAC, MRT
from exsitu.formats.hdf5 import HDF5
from exsitu.formats.packed import PACKED_SUFFIXES, opened
from exsitu.formats.parquet import PARQUET
from exsitu.formats.text import delimited_header, read_head
from exsitu.formats.votable import VOTABLE
from exsitu.table_formats import Format, reading

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "fits": FITS,
        "votable": VOTABLE,
        "parquet": PARQUET,
        "hdf5": HDF5,
        "csv": CSV,
        "ecsv": ECSV,
        "ipac": IPAC,
        "mrt": MRT,
    }
)
"""Every format exsitu reads; "csv" is any delimited text."""

_SIGNATURES: Mapping[bytes, str] = MappingProxyType(
    {b"SIMPLE  =": "fits", b"PAR1": "parquet", b"\x89HDF\r\n\x1a\n": "hdf5", b"# %ECSV": "ecsv"}
)
_OTHERS: Mapping[bytes, str] = MappingProxyType(
    {
        b"PK\x03\x04": "a ZIP archive (or an Excel sheet); unpack it, or save the sheet as CSV",
        b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it",
        b"ARROW1": "an Arrow (Feather) file; write it as Parquet",
        b"\x93NUMPY": "a NumPy array; write it as a table with named columns",
        b"<!DOCTYPE HTML": "a page of a web site, not a table; fetch the table again",
        b"<HTML": "a page of a web site, not a table; fetch the table again",
    }
)
_TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".tst", ".scsv", ".psv")
_TEXT_SUFFIXES = (".txt", ".dat", ".asc", ".ascii")
_VOTABLE = re.compile(rb"<(\w+:)?VOTABLE[\s>]", re.IGNORECASE)
_IPAC = re.compile(rb"(\\[^\n]*\n)*\s*\|[^\n]*\|\s*\n\s*\|")
_MRT = re.compile(rb"^byte-by-byte description of file", re.IGNORECASE | re.MULTILINE)


def recognise(path: Path) -> str:
    """
    Name the format of a file by its first bytes; delimited text, which has no signature, by its name or its columns.

    Parameters
    ----------
    path : Path
        The file, perhaps compressed by gzip, bzip2 or xz; or a folder of Parquet files.

    Returns
    -------
    str
        A key of ``FORMATS``.

    Raises
    ------
    InputError
        If there is no such file, or it is empty or of no known format.
    """
    if path.is_dir():
        return "parquet"
    if not path.exists():
        raise InputError(f"no file {path}; check the path")
    if not path.is_file():
        raise InputError(f"{path} is not a file; give the path of one table")
    with reading(path), opened(path) as stream:
        head = stream.read(1 << 16)
    if not head:
        raise InputError(f"{path} is empty (0 bytes); fetch or write it again")
    name = _by_signature(head) or ("csv" if _is_delimited(path, head) else None)
    if name is not None:
        return name
    upper = head.lstrip()[:32].upper()
    other = next((words for signature, words in _OTHERS.items() if upper.startswith(signature)), None)
    if other is None:
        why = " (it has bytes of 0, so it is no text)" if 0 in head else ""
        other = f"of no known format{why}; known: {', '.join(FORMATS)} (convert it, or name a CSV file .csv)"
    raise InputError(f"{path} is {other}")


def _by_signature(head: bytes) -> str | None:
    found = next((name for signature, name in _SIGNATURES.items() if head.startswith(signature)), None)
    patterns = (("votable", _VOTABLE.search), ("ipac", _IPAC.match), ("mrt", _MRT.search))
    return found or next((name for name, matches in patterns if b"\x00" not in head and matches(head)), None)


def _is_delimited(path: Path, head: bytes) -> bool:
    """Whether a file is text that is named so, or whose first line names columns that are known."""
    name = path.name.lower()
    for suffix in PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    if b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    if name.endswith(_TABLE_SUFFIXES):
        return head.lstrip()[:1] != b"<"
    try:
        with reading(path):
            header = delimited_header(path, read_head(path))
    except InputError:
        if name.endswith(_TEXT_SUFFIXES):
            raise
        return False
    known = spellings()
    return len(header.names) > 1 and any(n.lower() in known for n in header.names)
