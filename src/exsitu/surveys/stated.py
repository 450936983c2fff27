"""What a table's file states of itself beside its columns: FITS cards, VOTable infos, Parquet and HDF5 metadata."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from exsitu.formats.packed import opened
from exsitu.formats.parquet import parquet_parts
from exsitu.table_formats import reading

_HEAD_BYTES = 1 << 20
_LONGEST = 10_000
"""Characters of a statement; longer ones are tables or schemas inside of one."""

_VOPARQUET = "IVOA.VOTable-Parquet.content"
_NOT_STATED = frozenset({"ARROW:schema", "pandas", "table_meta_yaml"})
_COLUMN_CARD = re.compile(r"(T(TYPE|FORM|UNIT|NULL|DISP|DIM|SCAL|ZERO|COMM|UCD|UTYP|XTYP|META)\d+|COMMENT|HISTORY|)")
_DATA = re.compile(rb"<(\w+:)?DATA[\s>]", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_ELEMENT = re.compile(r"<(?:\w+:)?(INFO|PARAM|COOSYS|TABLE|DESCRIPTION)\b([^>]*)>([^<]*)", re.IGNORECASE)
_FIELD = re.compile(r"<(?:\w+:)?FIELD\b.*?(?:/>|</(?:\w+:)?FIELD\s*>)", re.IGNORECASE | re.DOTALL)


def stated_facts(path: Path, form: str) -> dict[str, str]:
    """
    Read what a file states of itself.

    Parameters
    ----------
    path : Path
        The file.
    form : str
        Its format, as `exsitu.tables.describe` names it.

    Returns
    -------
    dict of str to str
        Statements by name; empty for formats that have no place for any. What is said of single columns is left out.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    read = _READERS.get(form)
    if read is None:
        return {}
    with reading(path):
        return {name: text for name, text in read(path) if text and len(text) <= _LONGEST}


def _fits(path: Path) -> Iterator[tuple[str, str]]:
    from astropy.io import fits

    with fits.open(path) as hdus:
        for hdu in hdus[:2]:
            for card in hdu.header.cards:
                if not _COLUMN_CARD.fullmatch(card.keyword):
                    yield card.keyword.lower(), str(card.value)


def _votable(path: Path) -> Iterator[tuple[str, str]]:
    with opened(path) as stream:
        head = _DATA.split(stream.read(_HEAD_BYTES))[0]
    yield from _document(head.decode("utf-8", "replace"))


def _document(text: str) -> Iterator[tuple[str, str]]:
    """Infos, parameters, descriptions and coordinate systems of a VOTable without its rows."""
    for kind, attributes, content in _ELEMENT.findall(_FIELD.sub("", text)):
        given = {name.lower(): double or single for name, double, single in _ATTRIBUTE.findall(attributes)}
        name = given.get("name", kind.lower()).lower()
        if kind.upper() == "COOSYS":
            # Of another system it says when the equinox was, not the positions.
            yield "ref_epoch", given.get("epoch", "") if given.get("system", "").upper() == "ICRS" else ""
        elif kind.upper() == "TABLE":
            yield "table", given.get("name", "")
        else:
            yield name, given.get("value") or content.strip()


def _parquet(path: Path) -> Iterator[tuple[str, str]]:
    import pyarrow.parquet as pq

    for key, value in (pq.read_schema(parquet_parts(path)[0]).metadata or {}).items():
        name, text = key.decode("utf-8", "replace"), value.decode("utf-8", "replace")
        if name == _VOPARQUET:
            yield from _document(text)
        elif name not in _NOT_STATED:
            yield name, text


def _ecsv(path: Path) -> Iterator[tuple[str, str]]:
    from astropy.table.meta import get_header_from_yaml

    with opened(path) as stream:
        lines = stream.read(_HEAD_BYTES).decode("utf-8", "replace").splitlines()
    comments = [line.removeprefix("# ") for line in lines if line.startswith("# ") and not line.startswith("# %")]
    yield from _flat(get_header_from_yaml(comments).get("meta") or {})


def _hdf5(path: Path) -> Iterator[tuple[str, str]]:
    import h5py

    with h5py.File(path, "r") as file:
        yield from _flat(dict(file.attrs))


def _flat(meta: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in meta.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield str(name), value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


_READERS: Mapping[str, Callable[[Path], Iterator[tuple[str, str]]]] = MappingProxyType(
    {"fits": _fits, "votable": _votable, "parquet": _parquet, "ecsv": _ecsv, "hdf5": _hdf5}
)
