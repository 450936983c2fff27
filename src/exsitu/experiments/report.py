"""The report: paper and results side by side, from what the experiments wrote and nothing else.

One HTML file with its figures inside, without scripts, and the same as Markdown with figures beside it.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from exsitu.experiments.experiment import SIGMAS, Verdict
from exsitu.experiments.run import read_results
from exsitu.pages import Block, Heading, Picture, Table, as_html, as_markdown, figure_name, printed
from exsitu.provenance import publish_file, publish_folder

_ROWS = 40
"""Longer tables, such as curves, are drawn and not printed."""

_COLOURS = 256
"""What a PNG's palette holds: a third of the size, for a page that goes by mail or into a repository."""


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
        smaller = [_smaller(block, figures) if isinstance(block, Picture) else block for block in blocks]
        html = as_html(smaller)
    for name, text in (("paper.md", as_markdown(blocks)), ("paper.html", html)):
        with publish_file(output / name) as staged:
            staged.write_text(text, encoding="utf-8")
    return output / "paper.html"


def _smaller(picture: Picture, folder: Path) -> Picture:
    """Copy a figure with a palette of colours."""
    path = folder / figure_name(picture.path)
    with Image.open(picture.path) as image:
        image.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return dataclasses.replace(picture, path=path)


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
    yield _tally(results)
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


def _tally(results: Mapping[str, Mapping[str, Any]]) -> str:
    """How many findings came out how."""
    verdicts = [claim["verdict"] for result in results.values() for claim in result["claims"]]
    counted = ", ".join(f"{v} {verdicts.count(v)}" for v in Verdict)
    return f"{len(verdicts)} findings: {counted}."


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
            yield printed(table)
    for name in result["figures"]:
        yield Picture(folder / f"{name}.png", f"{result['experiment']}: {name.replace('_', ' ')}")
