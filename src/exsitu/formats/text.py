"""Tables of text: what the lines above the rows state, and the rows in chunks, ids digit by digit.

Text has no types of its own: the registry gives them, or an ECSV header. Rows of another length than the header are
refused by their line, for they shift every column behind the gap.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exsitu.columns import spellings
from exsitu.errors import InputError
from exsitu.formats.choice import refuse_repeated
from exsitu.formats.packed import opened
from exsitu.table_formats import Units

HEAD_BYTES = 1 << 20
"""Bytes at the start of a file within which its column names stand."""

BLANKS = "blanks"
"""Delimiter of a table whose columns are set apart by any number of blanks."""

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_RULE = re.compile(r"-+([\t;|])-+(\1-+)*")
_QUOTED = re.compile(r'(^|[,;\t| ])"(?:[^"]|"")*"')
_OPEN_QUOTE = re.compile(r'(^|[,;\t| ])"')
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eEdD][+-]?\d+)?")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Header:
    """
    What stands above the rows of a text table.

    Parameters
    ----------
    start : int
        Bytes before the first row.
    lines : int
        Lines before the first row.
    delimiter : str
        One character, or `BLANKS`.
    names : tuple of str
        Names of all columns of the rows, in order.
    units : dict
        ``{name: unit or None}`` of the columns that can be read.
    types : mapping of str to str
        Declared types, by name; ECSV alone has them.
    """

    start: int
    lines: int
    delimiter: str
    names: tuple[str, ...]
    units: Units
    types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    end: int
    number: int


def _lines(head: str) -> Iterator[_Line]:
    """Lines of a head, line breaks inside quotes not counted as ends; none that the head cuts off."""
    place = number = 0
    while place < len(head):
        start, quoted = place, True
        while quoted and place < len(head):
            found = _LINE.match(head, place)
            assert found is not None  # noqa: S101 - the pattern matches anywhere
            place, number = found.end(), number + 1
            text = head[start : found.end(1)]
            quoted = not text.startswith("#") and bool(_OPEN_QUOTE.search(_QUOTED.sub(r"\1", text)))
        yield _Line(text, place, number)


def read_head(path: Path) -> str:
    """
    Read the start of a text file.

    Parameters
    ----------
    path : Path
        The file, perhaps compressed.

    Returns
    -------
    str
        As Latin-1, one character a byte.

    Raises
    ------
    InputError
        If it is UTF-16, or has no line end where the column names should stand.
    """
    with opened(path) as stream:
        head = stream.read(HEAD_BYTES)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path} is text in UTF-16; save it as UTF-8")
    if len(head) == HEAD_BYTES and not re.search(rb"[\r\n]", head):
        raise InputError(f"{path} has no line end within its first {HEAD_BYTES} bytes; it is no table")
    return head.decode("latin-1")


def decoded(text: str) -> str:
    """
    Read text of `read_head` as what it is.

    Parameters
    ----------
    text : str
        One character a byte.

    Returns
    -------
    str
        Decoded as UTF-8 where it is that, else left as Latin-1.
    """
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return text


def split_line(text: str, delimiter: str) -> list[str]:
    """
    Split a line into its fields.

    Parameters
    ----------
    text : str
        One line.
    delimiter : str
        One character, or `BLANKS`.

    Returns
    -------
    list of str
        Without quotes, and without blanks around.
    """
    if delimiter == BLANKS:
        reader = csv.reader([text.replace("\t", " ").strip()], delimiter=" ", skipinitialspace=True)
    else:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [name.strip() for name in next(reader, [])]


def _delimiter(text: str) -> str:
    fields = {d: len(split_line(text, d)) for d in ",;\t|"}
    best = max(fields, key=lambda d: fields[d])
    if fields[best] > 1:
        return best
    return BLANKS if len(text.split()) > 1 else ","


def _is_row(fields: Sequence[str]) -> bool:
    """Whether a line is one of numbers rather than of names."""
    filled = [f for f in fields if f]
    return 2 * sum(bool(_NUMBER.fullmatch(f)) for f in filled) > len(filled)


def delimited_header(path: Path, head: str | None = None) -> Header:
    """
    Find the names of the columns of a table of delimited text.

    Parameters
    ----------
    path : Path
        The file, perhaps compressed.
    head : str, optional
        Of `read_head`, where it was read already.

    Returns
    -------
    Header
        The names stand in the first line that is no comment, in a comment right above the numbers (STILTS, NumPy), or
        above a line of dashes, perhaps with units between (VizieR, Starlink's TST).

    Raises
    ------
    InputError
        If there is no line of names, or two of them are the same.
    """
    head = read_head(path) if head is None else head
    skipped = len(_BOM) * head.startswith(_BOM.decode("latin-1"))
    comments: list[_Line] = []
    above: list[_Line] = []
    first: _Line | None = None
    for line in _lines(head[skipped:]):
        if _RULE.fullmatch(line.text) and above:
            return _ruled(path, above, line, skipped)
        if line.text.startswith("#"):
            comments += [line] if first is None else []
        elif line.text.strip() and first is None:
            first = line
        above = [*above[-1:], line]
        if first is not None and line.number > first.number + _ABOVE_RULE:
            break
    if first is None:
        raise InputError(f"{path} is empty: it has no line of column names; at least one row is needed")
    return _named(path, comments, first, skipped)


_ABOVE_RULE = 100
"""Lines of free text that may stand above the names of a table with a line of dashes."""


def _ruled(path: Path, above: Sequence[_Line], rule: _Line, skipped: int) -> Header:
    """Names, perhaps units, a line of dashes."""
    found = _RULE.fullmatch(rule.text)
    assert found is not None  # noqa: S101 - the caller looked
    rows = [split_line(line.text, found[1]) for line in above]
    named = rows[0] if len(rows[0]) == len(rows[-1]) else rows[-1]
    units = rows[-1] if named is not rows[-1] else [""] * len(named)
    stated = dict(zip(map(decoded, named), (None if u in {"", "-", "---"} else decoded(u) for u in units), strict=True))
    return _header(path, rule, found[1], named, skipped, stated)


def _named(path: Path, comments: Sequence[_Line], first: _Line, skipped: int) -> Header:
    """Names in the first line, or in the comment above it that has as many fields."""
    known = spellings()
    delimiter = _delimiter(first.text)
    fields = split_line(first.text, delimiter)
    choices = [] if _is_row(fields) else [(first, fields)]
    for comment in comments:
        names = split_line(comment.text.lstrip("#"), delimiter)
        choices += [(comment, names)] if len(names) == len(fields) and not _is_row(names) else []
    if not choices:
        raise InputError(
            f"{path} has no line of column names: it begins with {decoded(first.text)[:60]!r}; write the names above"
        )
    line, names = max(choices, key=lambda choice: sum(name.lower() in known for name in choice[1]))
    last = first if line is first else comments[-1]
    return _header(path, last, delimiter, names, skipped)


def _header(
    path: Path, last: _Line, delimiter: str, names: Sequence[str], skipped: int, units: Units | None = None
) -> Header:
    bare = [names[0].lstrip("#").strip(), *names[1:]]
    whole = tuple(decoded(name) or f"unnamed_{place}" for place, name in enumerate(bare, 1))
    refuse_repeated(path, whole)
    return Header(last.end + skipped, last.number, delimiter, whole, units or dict.fromkeys(whole))


def ecsv_header(path: Path) -> Header:
    """
    Read the header of an ECSV file.

    Parameters
    ----------
    path : Path
        The file, perhaps compressed.

    Returns
    -------
    Header

    Raises
    ------
    InputError
        If two columns have one name.
    """
    from astropy.table.meta import get_header_from_yaml

    stated: list[str] = []
    for line in _lines(read_head(path)):
        if not line.text.startswith("#"):
            break
        stated.append(decoded(line.text.removeprefix("#").removeprefix(" ")))
    else:
        raise InputError(f"{path} is empty: its header is not followed by the names of its columns; fetch it again")
    parsed: Mapping[str, Any] = get_header_from_yaml([text for text in stated if not text.startswith("%ECSV")])
    names = tuple(c["name"] for c in parsed["datatype"])
    refuse_repeated(path, names)
    flat = [c for c in parsed["datatype"] if "subtype" not in c]
    delimiter = parsed.get("delimiter", " ")
    if tuple(map(decoded, split_line(line.text, delimiter))) != names:
        raise InputError(f"{path} names other columns above its rows than in its header; write it again")
    units = {c["name"]: c.get("unit") and str(c["unit"]) for c in flat}
    return Header(line.end, line.number, delimiter, names, units, {c["name"]: c["datatype"] for c in flat})
