"""The comparison report: one HTML page of what `exsitu.stages.compare` measured, with a card a model."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.catalog.remakings import remakings_sentences
from exsitu.evaluation import curves, figures, panels
from exsitu.evaluation.calibration import reliability
from exsitu.evaluation.metrics import scan_cuts
from exsitu.pages import Block, Heading, Picture, Table, as_html, printed
from exsitu.provenance import publish_file
from exsitu.stages.compare import Comparison, numbers, verdict
from exsitu.stages.contenders import Contender
from exsitu.tracking import flat

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DIGEST = re.compile(r"[0-9a-f]{64}")

_SCORES = np.linspace(0.0, 1.0, 21)
"""Bins of the reliability diagram."""

_IN_A_ROW = 3
"""Toomre diagrams beside that of the truth."""


def write_comparison(comparison: Comparison, output: Path) -> pd.DataFrame:
    """
    Write the report as one HTML file that needs no other.

    Parameters
    ----------
    comparison : Comparison
        The models.
    output : Path
        The file.

    Returns
    -------
    DataFrame
        As `numbers` gives it.
    """
    table = numbers(comparison)
    with tempfile.TemporaryDirectory(prefix="exsitu-compare-") as pictures, publish_file(output) as staged:
        staged.write_text(as_html(list(page(comparison, table, Path(pictures)))), encoding="utf-8")
    return table


def page(comparison: Comparison, table: pd.DataFrame, pictures: Path) -> Iterator[Block]:
    """
    Lay the report out.

    Parameters
    ----------
    comparison : Comparison
        The models.
    table : DataFrame
        As `numbers` gives it.
    pictures : Path
        Folder to draw into.

    Yields
    ------
    Heading, Table, Picture or str
        A str is a paragraph.
    """
    yield Heading(f"{len(comparison.groups)} models side by side", 1)
    yield (
        f"{len(comparison.stars):,} {comparison.about}; {int(comparison.accreted.sum()):,} of them are accreted. Each "
        "model is measured at its own cut, which its stage chose. An error covers the sky (jackknife over cells) and, "
        "where there are several, the seeds. “behind” is Σχ² minus the least one, measured on the same stars."
    )
    yield verdict(table)
    yield printed(table)
    for name, figure, caption in _drawn(comparison):
        path = pictures / f"{name}.png"
        figures.save_figure(figure, path)
        yield Picture(path, caption)
    yield Heading("What they differ in", 2)
    yield _differences(comparison.groups)
    yield Heading("Model cards", 2)
    for name, members in comparison.groups.items():
        for member in members:
            yield Heading(name if len(members) == 1 else f"{name}, seed {member.seed}", 3)
            yield Table(("", ""), list(card_of(member).items()))


def _drawn(comparison: Comparison) -> Iterator[tuple[str, "Figure", str]]:
    """Name, figure and caption, one at a time: a figure is large."""
    scores, truth, velocities = comparison.scores, comparison.accreted, comparison.velocities
    settings = comparison.settings
    band = "a band is the range of the seeds"
    roc = {name: curves.roc_over_seeds(found, truth) for name, found in scores.items()}
    yield "roc", panels.roc_panels_figure({"": roc}), f"ROC: accreted efficiency against in situ rejection; {band}"
    purity = {name: curves.purity_over_seeds(found, truth) for name, found in scores.items()}
    yield "purity", panels.purity_figure(purity), f"Purity against accreted efficiency; {band}"
    scans = {name: _mean_scan(comparison, found) for name, found in scores.items()}
    least = settings.evaluation.min_selected
    told = f"Σχ² and purity against the score cut, where at least {least} stars are selected"
    yield "scan", panels.scans_figure(scans, least), told
    reliable = {name: reliability(found[0], truth, _SCORES) for name, found in scores.items()}
    told = (
        "Reliability: accreted fraction of the stars of a score. Training on stars like these weighs an accreted one "
        f"{comparison.weight:.3g} times as much as another: the grey line is what an exact network would show"
    )
    yield "reliability", panels.reliability_figure(reliable, comparison.weight), told
    picked = {
        f"{name}, S > {members[0].cut:.2f}": velocities[chosen]
        for name, members in comparison.groups.items()
        if (chosen := comparison.selected(name)).any()
    }
    figure = figures.velocity_figure(velocities[truth], picked, settings.evaluation.velocity_bins)
    yield "velocities", figure, "Velocities of the selected stars against those of all accreted ones"
    titles = list(picked)
    for start in range(0, len(titles), _IN_A_ROW):
        row = {"accreted (truth)": velocities[truth]} | {t: picked[t] for t in titles[start : start + _IN_A_ROW]}
        shown = {title: (v[:, 0], v[:, 1], v[:, 2]) for title, v in row.items()}
        figure = figures.toomre_figure(shown, settings.labels.v_lsr_kms)
        yield f"toomre-{start}", figure, "Toomre diagrams: the accreted stars, and what is selected"


def _mean_scan(comparison: Comparison, scores: Sequence[NDArray[np.float32]]) -> pd.DataFrame:
    evaluation, truth, velocities = comparison.settings.evaluation, comparison.accreted, comparison.velocities
    scans = [scan_cuts(s, truth, velocities, evaluation.velocity_bins, evaluation.cuts) for s in scores]
    return pd.concat(scans).groupby(level=0).mean()


def card_of(contender: Contender) -> dict[str, str]:
    """
    Model card for people: what it takes, what it was made from, by which code, how it was trained.

    Parameters
    ----------
    contender : Contender
        The model.

    Returns
    -------
    dict of str to str
    """
    card, run = contender.card, contender.run
    told = {
        "inputs": ", ".join(card["inputs"]),
        "domain": "; ".join(f"{n} {low:.4g} to {high:.4g}" for n, (low, high) in card["domain"].items()),
        "representation": card["representation"]["name"],
        "hidden layers": ", ".join(map(str, card["hidden"])),
        "score cut": f"{contender.cut:.2f}",
        "weights SHA-256": card["weights_sha256"],
        "model digest": card["digest"],
        "how far a score moves": remakings_sentences(),
        **{f"made: {name}": str(value) for name, value in flat(card["provenance"]).items() if "learnt_on" not in name},
    }
    if run is None:
        return told | {"MLflow run": "none on record here; the model was fetched, or its run was removed"}
    tags = {name: value for name, value in run.tags.items() if name not in {"stage", "variant", "model_digest"}}
    params = {name: value for name, value in run.params.items() if name not in {"stage", "variant"}}
    return told | {"MLflow run": f"{run.run_id} ({run.name}, {run.status.lower()})"} | tags | params


def _differences(groups: Mapping[str, list[Contender]]) -> Block:
    """Rows of the cards in which the first models of the groups differ, but for digests of weights."""
    cards = {name: card_of(members[0]) for name, members in groups.items()}
    rows = dict.fromkeys(row for card in cards.values() for row in card)
    own = {"weights SHA-256", "weights_sha256", "model digest", "MLflow run"}
    shown = [
        (row, *(_short(card.get(row, "")) for card in cards.values()))
        for row in rows
        if row not in own and len({card.get(row) for card in cards.values()}) > 1
    ]
    return Table(("", *cards), shown) if shown else "In nothing that their cards tell but their weights."


def _short(value: str) -> str:
    """A digest by its start: in full it stands in the card."""
    return f"{value[:12]}…" if _DIGEST.fullmatch(value) else value
