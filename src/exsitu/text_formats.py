"""CSV and ECSV in chunks, ids digit by digit. Text has no types of its own: the registry or the header gives them."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from exsitu.columns import COLUMNS, spellings
from exsitu.errors import InputError
from exsitu.table_formats import Format, Units, is_gzipped, nullable, opened, reading

_LONGEST_LINE = 1 << 16
"""Bytes of a file's end that are looked at for a line cut short."""


@dataclass(frozen=True, slots=True)
class _Text:
    """Header of a text table: lines before the names, delimiter, names, units and, in ECSV, the declared types."""

    skip: int
    delimiter: str
    names: tuple[str, ...]
    units: Units
    types: Mapping[str, str]


def _csv_header(path: Path) -> _Text:
    with opened(path) as stream:
        line = stream.readline().decode("utf-8-sig")
    names = tuple(next(csv.reader([line]), []))
    stripped = [name.strip() for name in names]
    twice = sorted({name for name in stripped if stripped.count(name) > 1})
    if twice:
        raise InputError(f"{path} has column {twice[0]!r} more than once; rename or drop one")
    return _Text(0, ",", names, dict.fromkeys(stripped), {})


def _ecsv_header(path: Path) -> _Text:
    from astropy.table.meta import get_header_from_yaml

    lines = []
    with opened(path) as stream:
        while (line := stream.readline().decode("utf-8")).startswith("#"):
            lines.append(line.removeprefix("#").removeprefix(" ").rstrip("\n"))
    header = get_header_from_yaml([line for line in lines if not line.startswith("%ECSV")])
    flat = [c for c in header["datatype"] if "subtype" not in c]
    types = {c["name"]: c["datatype"] for c in flat}
    names = tuple(c["name"] for c in header["datatype"])
    return _Text(len(lines), header.get("delimiter", " "), names, {c["name"]: c.get("unit") for c in flat}, types)


def _text_type(name: str, declared: str | None, known: Mapping[str, str]) -> str | None:
    """How a column of text shall be read: "exact" for ids, else pandas' type; None leaves it to pandas."""
    registered = COLUMNS.get(known.get(name.lower(), ""))
    kind = declared or (registered.dtype if registered is not None else "")
    if kind.startswith(("int", "uint")):
        return "exact" if registered is not None and registered.ucd.startswith("meta.id") else "Int64"
    return {"float32": "float64", "float64": "float64", "str": "str", "string": "str"}.get(kind)


def _exact(path: Path, name: str, text: "pd.Series[str]") -> Any:
    """Integers of text, digit by digit: a decimal point or an exponent is a sign that ids went through a float."""
    missing = text.isna().to_numpy(bool)
    try:
        values = text.fillna("0").to_numpy("U").astype(np.int64)
    except (ValueError, OverflowError):
        wrong = text[~text.fillna("0").str.fullmatch(r"\s*[+-]?\d{1,18}\s*")]
        shown = repr(wrong.iloc[0]) if len(wrong) else "a number beyond 64 bits"
        raise InputError(
            f"{path}: {name} holds {shown}, not a whole number of 64 bits; "
            "an id never passes through a float: export the column as integers"
        ) from None
    return nullable(values, missing)


def _refuse_cut(path: Path, text: _Text) -> None:
    """Refuse a file whose last line ends early: pandas would fill it up with missing values."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _LONGEST_LINE))
        last = stream.read().rsplit(b"\n", 1)[-1]
    fields = next(csv.reader([last.decode(errors="replace")], delimiter=text.delimiter), [])
    if fields and len(fields) < len(text.names):
        counted = f"{len(fields)} of {len(text.names)}"
        raise InputError(f"{path} is cut short: its last line has {counted} fields; fetch it again")


def _text_frames(path: Path, text: _Text, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    known = spellings()
    raw = {name.strip(): name for name in text.names}
    types = {n: t for n in names if (t := _text_type(n, text.types.get(n), known)) is not None}
    with reading(path), opened(path) as stream:
        if not is_gzipped(path):
            _refuse_cut(path, text)
        reader = pd.read_csv(
            stream,
            sep=text.delimiter,
            skiprows=text.skip,
            usecols=[raw[n] for n in names],
            dtype={raw[n]: "str" if t == "exact" else t for n, t in types.items()},
            chunksize=chunk_rows,
            low_memory=False,
            encoding="utf-8-sig",
        )
        for rows in reader:
            frame = rows[[raw[n] for n in names]].set_axis(list(names), axis=1).reset_index(drop=True)
            yield frame.assign(**{n: _exact(path, n, frame[n]) for n, t in types.items() if t == "exact"})


def _describe_csv(path: Path) -> tuple[Units, int | None]:
    with reading(path):
        return _csv_header(path).units, None


def _csv_frames(path: Path, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    yield from _text_frames(path, _csv_header(path), names, chunk_rows)


def _describe_ecsv(path: Path) -> tuple[Units, int | None]:
    with reading(path):
        return _ecsv_header(path).units, None


def _ecsv_frames(path: Path, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    yield from _text_frames(path, _ecsv_header(path), names, chunk_rows)


TEXT_FORMATS: Mapping[str, Format] = MappingProxyType(
    {"csv": Format(_describe_csv, _csv_frames), "ecsv": Format(_describe_ecsv, _ecsv_frames)}
)
"""Formats of text, perhaps gzipped."""
