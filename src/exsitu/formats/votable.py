"""VOTable: what the document states by one look through its XML, the rows by astropy."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

import numpy as np
import pandas as pd

from exsitu.errors import InputError
from exsitu.formats.choice import Table, choose_table, refuse_repeated
from exsitu.formats.packed import opened
from exsitu.table_formats import Contents, Format, Units, native, nullable, plain_frame, reading

_BLOCK = 1 << 20


@dataclass(slots=True)
class Document:
    """
    What a VOTable document states, without its rows.

    Parameters
    ----------
    source : Path
        The file, for the messages.
    tables : list of dict
        The tables in order: ``name``, ``fields`` (the attributes of each FIELD), ``rows`` or None.
    status : str
        The service's QUERY_STATUS, the last one stated; empty where there is none.
    words : str
        What the service wrote beside it.
    """

    source: Path
    tables: list[dict[str, Any]] = field(default_factory=list)
    status: str = ""
    words: str = ""
    _open: list[dict[str, Any]] = field(default_factory=list, init=False)
    _listening: bool = field(default=False, init=False)

    def read(self, stream: IO[bytes]) -> "Document":
        """
        Look through a document.

        Parameters
        ----------
        stream : file object of bytes
            The document.

        Returns
        -------
        Document
            This one.

        Raises
        ------
        InputError
            If it points to data elsewhere, declares entities, or the service reports an error.
        """
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler, parser.EntityDeclHandler = self._text, self._entity
        while block := stream.read(_BLOCK):
            parser.Parse(block, False)
        parser.Parse(b"", True)
        if self.status == "ERROR":
            said = " ".join(self.words.split()) or "without a reason"
            raise InputError(f"{self.source} is a service's error, no table: {said[:500]}; correct the query")
        return self

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "TR" and self._open:
            self._open[-1]["counted"] += 1
        elif name == "TABLE":
            self._open.append({"name": attributes.get("name", attributes.get("ID", "")), "fields": [], "counted": 0})
            self._open[-1]["stated"] = attributes.get("nrows")
            self.tables.append(self._open[-1])
        elif name == "FIELD" and self._open:
            self._open[-1]["fields"].append(dict(attributes))
        elif name == "INFO" and attributes.get("name", "").upper() == "QUERY_STATUS":
            self.status, self._listening = attributes.get("value", "").upper(), True
        elif name == "STREAM" and "href" in attributes:
            raise self._elsewhere(attributes["href"])

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name == "TABLE" and self._open:
            self._open.pop()
        elif name == "INFO":
            self._listening = False

    def _text(self, text: str) -> None:
        if self._listening:
            self.words += text

    def _entity(self, name: str, *_: Any) -> None:
        raise InputError(f"{self.source} declares the XML entity {name!r}, which no table needs; fetch it again")

    def _elsewhere(self, href: str) -> InputError:
        beside = "/" not in href and "\\" not in href and (self.source.parent / href).is_file()
        way = f"give {self.source.parent / href} itself" if beside else "write it with its rows inside (BINARY2)"
        return InputError(f"{self.source} keeps its rows in another place, {href!r}, which is not followed; {way}")


@lru_cache(maxsize=4)
def _look(path: Path, _size: int, _changed: int) -> Document:
    """What a document states; the same file is looked through once."""
    with opened(path) as stream:
        return Document(path).read(stream)


def _document(path: Path, table: str | None) -> tuple[Document, int]:
    """What the document states, and which of its tables is meant."""
    state = path.stat()
    document = _look(path, state.st_size, state.st_mtime_ns)
    tables = [
        Table(number, each["name"], tuple(f.get("name", f.get("ID", "")) for f in each["fields"]))
        for number, each in enumerate(document.tables, 1)
    ]
    if not tables:
        raise InputError(f"{path} holds no table{f' ({document.words.strip()})' if document.words else ''}; fetch it")
    chosen = choose_table(path, tables, table)
    refuse_repeated(path, chosen.columns)
    return document, chosen.number - 1


def field_units(document: Document, number: int = 0) -> Units:
    """
    Name the columns of a table and their units.

    Parameters
    ----------
    document : Document
        Of `Document.read`.
    number : int
        Which of its tables, from 0.

    Returns
    -------
    dict
        ``{name: unit or None}``, of columns of one value a row.
    """
    fields = document.tables[number]["fields"]
    return {f.get("name", f.get("ID", "")): f.get("unit") or None for f in fields if _is_scalar(f)}


def _is_scalar(attributes: Mapping[str, str]) -> bool:
    return attributes.get("arraysize", "1") == "1" or attributes.get("datatype") in {"char", "unicodeChar"}


def _describe(path: Path, table: str | None) -> Contents:
    with reading(path):
        document, number = _document(path, table)
        found = document.tables[number]
        rows = found["counted"] or (int(found["stated"]) if found["stated"] else None)
        return Contents(
            field_units(document, number),
            rows,
            str(number + 1) if len(document.tables) > 1 else None,
            overflow(document),
            truncated=document.status == "OVERFLOW",
        )


def overflow(document: Document) -> tuple[str, ...]:
    """
    Say that the service cut the answer short.

    Parameters
    ----------
    document : Document
        Of `Document.read`.

    Returns
    -------
    tuple of str
        A sentence, or none.
    """
    if document.status != "OVERFLOW":
        return ()
    sentence = (
        f"{document.source} is not the whole answer: its service states QUERY_STATUS=OVERFLOW, rows beyond a limit are "
        "missing; ask for fewer rows at a time, or with a higher MAXREC."
    )
    return (sentence,)


def _rows(path: Path, number: int, columns: Sequence[int] | None) -> Any:
    """Some columns of one table; the standard's serialisations are read whole, then handed out in chunks."""
    from astropy.io.votable import exceptions, parse

    with warnings.catch_warnings():
        # Values that do not fit the type they are declared with: astropy would clip them.
        warnings.simplefilter("error", exceptions.W51)
        try:
            return parse(str(path), table_number=number, columns=columns, verify="warn").get_first_table()
        except exceptions.W51 as error:
            raise InputError(
                f"{path} declares a type too narrow for its values ({str(error).partition('W51: ')[2] or error}); "
                "declare ids as datatype='long'"
            ) from None


def _frames(path: Path, table: str | None, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    with reading(path):
        document, number = _document(path, table)
        places = [f.get("name", f.get("ID", "")) for f in document.tables[number]["fields"]]
        # astropy compares the numbers of columns with those of every table, whichever is read.
        columns = sorted(map(places.index, names)) if len(document.tables) == 1 else None
        read = _rows(path, number, columns).to_table(use_names_over_ids=True)
        for start in range(0, len(read), chunk_rows):
            rows = {n: _plain(read[n][start : start + chunk_rows]) for n in names}
            yield plain_frame({n: nullable(native(v, f"{path}: {n}"), np.ma.getmaskarray(v)) for n, v in rows.items()})


def _plain(values: Any) -> Any:
    return values.data if hasattr(values, "mask") else np.asarray(values)


VOTABLE = Format(_describe, _frames)
"""VOTable in TABLEDATA, BINARY, BINARY2 or FITS inside the document."""
