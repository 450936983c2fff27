"""Pages of headings, paragraphs, tables and figures: one HTML file that needs no other, or Markdown."""

import base64
import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

_ERROR = "_error"
_SPREAD = "_spread"
_ROUNDING = 1e-12
"""Errors below this share of their number are what a jackknife leaves of equal numbers."""


@dataclass(frozen=True, slots=True)
class Heading:
    """
    A title.

    Parameters
    ----------
    text : str
        The title.
    level : int
        1 is the page's.
    """

    text: str
    level: int


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table.

    Parameters
    ----------
    heads : sequence of str
        Of the columns.
    rows : sequence of sequence of str
        Cells.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Picture:
    """
    A figure.

    Parameters
    ----------
    path : Path
        A PNG file.
    caption : str
        What it shows.
    """

    path: Path
    caption: str


Block = Heading | Table | Picture | str


def printed(table: pd.DataFrame) -> Table:
    """
    A table for people: errors stand behind their numbers.

    Parameters
    ----------
    table : DataFrame
        Of each number ``<name>`` and, where known, ``<name>_error``; ``<name>_spread`` is not shown.

    Returns
    -------
    Table
    """
    beside = {f"{name}{end}" for name in table.columns for end in (_ERROR, _SPREAD)}
    shown = [c for c in table.columns if c not in beside]
    rows = [[_cell(row, name) for name in shown] for row in table.to_dict("records")]
    return Table([name.replace("_", " ") for name in shown], rows)


def _cell(row: Mapping[Any, Any], name: str) -> str:
    value, error = row[name], row.get(f"{name}{_ERROR}", float("nan"))
    if not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return ""
    if float(value).is_integer() and abs(value) >= 1 and not error > 0:
        return f"{value:,.0f}"
    return measured(value, error)


def measured(value: float, error: float) -> str:
    """
    Write a number as far as its error lets it be known: to the error's second digit.

    Parameters
    ----------
    value : float
        The number, finite.
    error : float
        Its standard error; NaN, zero, or what is left of rounding where there is none.

    Returns
    -------
    str
        Such as ``"0.935 ± 0.012"`` or ``"53,470 ± 1,200"``; the number alone, to four digits, without an error.
    """
    if not error > _ROUNDING * abs(value):
        return f"{value:.4g}"
    places = 1 - int(f"{error:.1e}".partition("e")[2])
    shown = max(places, 0)
    return f"{round(value, places):,.{shown}f} ± {round(error, places):,.{shown}f}"


def as_text(table: Table) -> str:
    """
    Write a table for a terminal.

    Parameters
    ----------
    table : Table
        The table.

    Returns
    -------
    str
        A line a row; the first column to the left, the others to the right.
    """
    lines = [list(table.heads), *map(list, table.rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def figure_name(path: Path) -> str:
    """
    Name of a figure's copy beside a Markdown page.

    Parameters
    ----------
    path : Path
        The figure.

    Returns
    -------
    str
        Name of its folder and its own.
    """
    return f"{path.parent.name}-{path.name}"


def as_markdown(blocks: Sequence[Block]) -> str:
    """
    Write blocks as Markdown.

    Parameters
    ----------
    blocks : sequence of Heading, Table, Picture or str
        The report.

    Returns
    -------
    str
        With figures by relative path.
    """
    parts = []
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"{'#' * level} {text}")
            case Table(heads, rows):
                parts.append("\n".join(map(_line, (heads, ["---"] * len(heads), *rows))))
            case Picture(path, caption):
                parts.append(f"![{caption}](figures/{figure_name(path)})")
            case _:
                parts.append(str(block))
    return "\n\n".join(parts) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


_LOOK = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { border-top: 1px solid #d5d5d5; padding-top: 1.2rem; margin-top: 2.5rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; margin: .6rem 0; }
th, td { border-bottom: 1px solid #e4e4e4; padding: .25rem .6rem; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #7f7f7f; } figure { margin: 1.2rem 0; } img { max-width: 100%; }
figcaption { color: #555; font-size: 13px; }
"""


def as_html(blocks: Sequence[Block]) -> str:
    """
    Write blocks as one HTML file that needs no other.

    Parameters
    ----------
    blocks : sequence of Heading, Table, Picture or str
        The report.

    Returns
    -------
    str
        With figures as data URIs and no scripts.
    """
    title = next(block.text for block in blocks if isinstance(block, Heading))
    body = "\n".join(_html(block) for block in blocks)
    head = (
        f'<meta charset="utf-8"><title>{html.escape(title)}</title><meta name="viewport" content="width=device-width">'
    )
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{_LOOK}</style></head><body>\n{body}\n</body></html>\n'


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Table(heads, rows):
            head = "".join(f"<th>{html.escape(c)}</th>" for c in heads)
            body = "\n".join(f"<tr>{''.join(f'<td>{html.escape(c)}</td>' for c in row)}</tr>" for row in rows)
            return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'
        case Picture(path, caption):
            data, text = path.read_bytes(), html.escape(caption)
            source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
            image = f'<img alt="{text}" width="{_width(data)}" src="{source}">'
            return f"<figure>{image}<figcaption>{text}</figcaption></figure>"
        case _:
            return f"<p>{html.escape(str(block))}</p>"


def _width(png: bytes) -> int:
    """Pixels of a page: half of the figure's own, so that its letters are about as large as the text's."""
    return int.from_bytes(png[16:20], "big") // 2
