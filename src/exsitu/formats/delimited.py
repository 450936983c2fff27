"""Rows of delimited text (CSV and its kin, ECSV) in chunks: split by Arrow, each column then brought into its type."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from exsitu.columns import COLUMNS, spellings
from exsitu.errors import InputError
from exsitu.formats.packed import is_packed, opened
from exsitu.formats.text import BLANKS, Header, decoded, delimited_header, ecsv_header
from exsitu.table_formats import Contents, Format, arrow_frame, reading

_BLOCK = 1 << 24
"""Bytes that are split at once; a longer row is refused."""

_BLANK_ROWS = 50_000
_INT64_LIMIT = 1 << 63
_MISSING = (
    *("", "null", "NULL", "NaN", "nan", "-nan", "-NaN", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "None", "\\N"),
    *("--", "---", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
_ENDS = ("[EOD]", "#")
"""How lines below the rows begin that are no rows."""

_FORTRAN = r"^([+-]?[0-9.]+)[dD]([+-]?[0-9]+)$"
_DECIMAL_COMMA = r"^([+-]?[0-9]*),([0-9]*(?:[eE][+-]?[0-9]+)?)$"


class _Quotes(io.RawIOBase):
    """A stream that counts its quotes: an odd number may mean that one is open at the end."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream, self.quotes = stream, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        block = self._stream.read(len(view))
        view[: len(block)] = block
        self.quotes += block.count(b'"')
        return len(block)


def _wrong_width(path: Path, header: Header, line: int | None, text: str, fields: int) -> InputError:
    width = len(header.names)
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - len(text) - 1))
        is_end = bool(text) and not is_packed(path) and stream.read().decode("latin-1").endswith(text)
    if fields < width and is_end:
        return InputError(f"{path} is cut short: its last line has {fields} of {width} fields; fetch it again")
    place = "a row" if line is None else f"line {line}"
    return InputError(
        f"{path}: {place} has {fields} fields and its header {width} names, which would shift columns; remove the "
        "surplus delimiter, name every column, or quote fields that hold delimiters"
    )


def _options(header: Header, names: Sequence[str], judge: Callable[[Any], str]) -> dict[str, Any]:
    """How Arrow splits text: by one thread, which numbers the lines; as Latin-1, in which no byte is wrong."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    return {
        "read_options": arrow_csv.ReadOptions(
            column_names=list(header.names),
            block_size=_BLOCK,
            use_threads=False,
            encoding="latin-1",
        ),
        "parse_options": arrow_csv.ParseOptions(
            delimiter=header.delimiter, newlines_in_values=True, invalid_row_handler=judge
        ),
        "convert_options": arrow_csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(header.names, pa.string()),
            include_columns=list(dict.fromkeys(names)),
            null_values=list(_MISSING),
            strings_can_be_null=True,
        ),
    }


def _split(path: Path, header: Header, names: Sequence[str]) -> Iterator[Any]:
    """Batches of the columns named, as text; every row has as many fields as there are names."""
    import pyarrow as pa
    import pyarrow.csv

    wrong: list[Any] = []

    def judge(row: Any) -> str:
        if not row.text.strip() or row.text.lstrip().startswith(_ENDS):
            return "skip"
        wrong.append(row)
        return "error"

    with opened(path) as stream:
        stream.read(header.start)
        quotes = _Quotes(stream)
        last = header.names[-1]
        batch = None
        try:
            for batch in pyarrow.csv.open_csv(quotes, **_options(header, [*names, last], judge)):
                yield batch.select(list(names))
        except pa.ArrowInvalid as error:
            if wrong:
                line = None if wrong[0].number is None else header.lines + wrong[0].number
                raise _wrong_width(path, header, line, wrong[0].text, wrong[0].actual_columns) from None
            if "Empty CSV" not in str(error):
                raise
        # A quote that is never closed takes all rows behind it into the last field of the last row.
        if quotes.quotes % 2 and batch is not None and re.search("[\r\n]", batch.column(last)[-1].as_py() or ""):
            raise InputError(f"{path} opens a quote that is never closed, so that rows are lost in it; correct it")


def _split_blanks(path: Path, header: Header, names: Sequence[str]) -> Iterator[Any]:
    """As `_split`, of columns set apart by any number of blanks."""
    import pyarrow as pa

    places = [header.names.index(name) for name in names]
    held: list[list[str]] = []
    with opened(path) as stream, io.TextIOWrapper(stream, "latin-1", newline=None) as text:
        stream.read(header.start)
        lines = (line.replace("\t", " ").strip() for line in text)
        reader = csv.reader(lines, delimiter=" ", skipinitialspace=True)
        for fields in reader:
            if not fields or fields[0].startswith(_ENDS):
                continue
            if len(fields) != len(header.names):
                raise _wrong_width(path, header, header.lines + reader.line_num, "", len(fields))
            held.append(fields)
            if len(held) == _BLANK_ROWS:
                yield _batch(pa, held, places, names)
                held = []
    if held:
        yield _batch(pa, held, places, names)


def _batch(pa: Any, rows: Sequence[Sequence[str]], places: Sequence[int], names: Sequence[str]) -> Any:
    missing = frozenset(_MISSING)
    columns = [[None if row[p] in missing else row[p] for row in rows] for p in places]
    return pa.RecordBatch.from_arrays([pa.array(c, pa.string()) for c in columns], names=list(names))


def _rows(path: Path, header: Header, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    """The columns named, in frames of just so many rows."""
    import pyarrow as pa

    known = spellings()
    kinds = {n: _kind(n, header.types.get(n), known) for n in names}
    split = _split_blanks if header.delimiter == BLANKS else _split
    held = None
    with reading(path):
        for batch in split(path, header, names):
            rows = pa.Table.from_batches([batch])
            held = rows if held is None else pa.concat_tables([held, rows])
            while held.num_rows >= chunk_rows:
                yield _typed(path, header, held.slice(0, chunk_rows), kinds)
                held = held.slice(chunk_rows)
        if held is not None and held.num_rows:
            yield _typed(path, header, held, kinds)


def _kind(name: str, declared: str | None, known: Mapping[str, str]) -> str:
    """How a column of text shall be read: "id" (exact, or refused), "int", "float", "text", or "any"."""
    registered = COLUMNS.get(known.get(name.lower(), ""))
    kind = declared or (registered.dtype if registered is not None else "")
    if kind.startswith(("int", "uint")):
        return "id" if registered is not None and registered.ucd.startswith("meta.id") else "int"
    return {"float32": "float", "float64": "float", "str": "text", "string": "text"}.get(kind, "any")


def _typed(path: Path, header: Header, rows: Any, kinds: Mapping[str, str]) -> pd.DataFrame:
    import pyarrow as pa

    columns = {
        name: _column(f"{path}: {name}", values.combine_chunks(), kinds[name], comma=header.delimiter == ";")
        for name, values in zip(rows.column_names, rows.columns, strict=True)
    }
    return arrow_frame(pa.table(columns), str(path))


def _column(source: str, values: Any, kind: str, *, comma: bool) -> Any:
    """One column of text in its type; what is not of it stays text, for the reader to refuse by its value."""
    import pyarrow as pa

    targets = {
        "id": (pa.int64(),),
        "int": (pa.int64(), pa.float64()),
        "float": (pa.float64(),),
        "text": (),
        "any": (pa.int64(), pa.float64(), pa.bool_()),
    }[kind]
    text = _text(values)
    if values.null_count == len(values) and kind != "text":
        return pa.nulls(len(values), targets[0] if kind != "any" else pa.float64())
    for plain in (True, False):
        tidy = text if plain else _tidy(text, comma=comma and kind != "id")
        for target in targets if kind != "text" else ():
            if (cast := _cast(tidy, target)) is not None:
                return _whole(cast) if kind == "int" else cast
    if kind == "id":
        raise _not_an_id(source, text)
    return text


def _text(values: Any) -> Any:
    """Text as it was meant, of text read as Latin-1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.all(pc.string_is_ascii(values)).as_py() is not False:
        return values
    return pa.array([None if v is None else decoded(v) for v in values.to_pylist()], pa.string())


def _cast(text: Any, target: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        cast = text.cast(target)
    except pa.ArrowInvalid:
        return None
    # Arrow takes 0x10 for 16, and 1 for true.
    return None if target == pa.int64() and pc.any(pc.match_substring(text, "x")).as_py() else cast


def _tidy(text: Any, *, comma: bool) -> Any:
    """Numbers as Arrow reads them: no blanks around, no plus, Fortran's D as e, a decimal comma as a point."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.replace_substring_regex(pc.utf8_trim_whitespace(text), r"^\+", "")
    text = pc.if_else(pc.is_in(text, value_set=pa.array(_MISSING)), pa.scalar(None, pa.string()), text)
    text = pc.replace_substring_regex(text, _DECIMAL_COMMA, r"\1.\2") if comma else text
    return pc.replace_substring_regex(text, _FORTRAN, r"\1e\2")


def _whole(cast: Any) -> Any:
    """Integers that were written as 12.0, as pandas does where some are missing."""
    import pyarrow as pa

    try:
        return cast.cast(pa.int64())
    except pa.ArrowInvalid:
        return cast


def _not_an_id(source: str, text: Any) -> InputError:
    given = [value for value in text.to_pylist() if value is not None]
    wrong = next((value for value in given if not _is_int64(value)), given[0])
    return InputError(
        f"{source} holds {wrong!r}, not a whole number of 64 bits; "
        "an id never passes through a float: export the column as integers"
    )


def _is_int64(text: str) -> bool:
    return bool(re.fullmatch(r"\s*[+-]?[0-9]+\s*", text)) and -_INT64_LIMIT <= int(text) < _INT64_LIMIT


def _describe_csv(path: Path, _: str | None) -> Contents:
    with reading(path):
        return Contents(delimited_header(path).units, None)


def _csv_frames(path: Path, _: str | None, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    with reading(path):
        header = delimited_header(path)
    yield from _rows(path, header, names, chunk_rows)


def _describe_ecsv(path: Path, _: str | None) -> Contents:
    with reading(path):
        return Contents(ecsv_header(path).units, None)


def _ecsv_frames(path: Path, _: str | None, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    with reading(path):
        header = ecsv_header(path)
    yield from _rows(path, header, names, chunk_rows)


CSV = Format(_describe_csv, _csv_frames)
"""Text with commas, semicolons, tabs, bars or blanks between its columns."""
ECSV = Format(_describe_ecsv, _ecsv_frames)
"""Astropy's and the Gaia archive's text with a header of types and units."""
