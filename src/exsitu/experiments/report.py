"""The report: paper and results side by side, from what the experiments wrote and nothing else.

One HTML file with its figures inside, without scripts, and the same as Markdown with figures beside it.
"""

import base64
import html
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from exsitu.experiments.experiment import SIGMAS
from exsitu.experiments.run import read_results
from exsitu.provenance import publish_file, publish_folder

_ROWS = 40
"""Longer tables, such as curves, are drawn and not printed."""

_ERROR = "_error"
_SPREAD = "_spread"


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


def write_report(kept: Path, output: Path) -> Path:
    """
    Write the report.

    Parameters
    ----------
    kept : Path
        What the experiments wrote.
    output : Path
        Folder to write: ``paper.html``, ``paper.md`` and ``figures/``.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    InputError
        If nothing was run yet.
    """
    blocks = list(page(kept, read_results(kept)))
    with publish_folder(output / "figures", replace=True) as figures:
        for block in blocks:
            if isinstance(block, Picture):
                shutil.copyfile(block.path, figures / _figure_name(block.path))
    for name, text in (("paper.md", as_markdown(blocks)), ("paper.html", as_html(blocks))):
        with publish_file(output / name) as staged:
            staged.write_text(text, encoding="utf-8")
    return output / "paper.html"


def page(kept: Path, results: Mapping[str, Mapping[str, Any]]) -> Iterator[Block]:
    """
    Lay the report out.

    Parameters
    ----------
    kept : Path
        What the experiments wrote.
    results : mapping
        ``results.json`` of each experiment.

    Yields
    ------
    Heading, Table, Picture or str
        A str is a paragraph.
    """
    yield Heading("Cataloging accreted stars: the paper and what came out here", 1)
    yield (
        "The paper is Ostdiek, Necib et al. 2019 (arXiv:1907.06652). Here its experiments are run on mock galaxies "
        "made or imported by exsitu: numbers differ, the phenomena are what is held against the paper. A number stands "
        "with its standard error, which covers the seeds of the networks and the star particles they were measured "
        f"with (block jackknife); a finding holds, or does not, where it differs by more than {SIGMAS:g} of these."
    )
    yield Heading("All findings", 2)
    yield Table(
        ("", "finding", "paper", "here", "verdict"),
        [
            (name, claim["statement"], claim["paper"], claim["here"], claim["verdict"])
            for name, result in results.items()
            for claim in result["claims"]
        ],
    )
    for name, result in results.items():
        yield from _section(kept / name, result)


def _section(folder: Path, result: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading(f"{result['experiment']} · {result['title']}", 2)
    yield f"{result['source']}. The paper: {result['finding']}"
    seeds = result["seeds"]
    told = f"Profile {result['profile']}, {seeds} seeds of each network"
    if seeds == 1:
        told = (
            f"Profile {result['profile']}, one seed of each network: errors do not cover what another seed would give"
        )
    yield f"{told}; {'; '.join(result['notes'])}." if result["notes"] else f"{told}."
    for claim in result["claims"]:
        if claim["why"]:
            yield f"“{claim['statement']}”: {claim['verdict']}. {claim['why']}."
    for name in result["tables"]:
        table = pd.read_csv(folder / f"{name}.csv")
        if len(table) <= _ROWS:
            yield Heading(name.replace("_", " "), 3)
            yield _printed(table)
    for name in result["figures"]:
        yield Picture(folder / f"{name}.png", f"{result['experiment']}: {name.replace('_', ' ')}")


def _printed(table: pd.DataFrame) -> Table:
    """A table for people: errors stand behind their numbers."""
    shown = [c for c in table.columns if not c.endswith((_ERROR, _SPREAD))]
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
    return f"{value:.4g} ± {error:.1g}" if error > 0 else f"{value:.4g}"


def _figure_name(path: Path) -> str:
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
                parts.append(f"![{caption}](figures/{_figure_name(path)})")
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
            data = base64.b64encode(path.read_bytes()).decode()
            text = html.escape(caption)
            return (
                f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'
            )
        case _:
            return f"<p>{html.escape(str(block))}</p>"
