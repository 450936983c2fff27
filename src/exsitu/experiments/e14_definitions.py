"""E14: two definitions of an accreted star, merger history and formation distance (paper, Sec. 2.2)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.evaluation.estimates import Metric, estimates
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, Mask, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.origins import history_of
from exsitu.experiments.samples import particle_blocks
from exsitu.labels.histories import label_overlap
from exsitu.mocks.check.labels import LIMITS_KPC, LabelledParticles, labelled_particles
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PICKED: Mapping[str, str] = {
    "both": "both",
    "distance_only": "formation distance only",
    "history_only": "merger history only",
}
"""What picks a particle: field of `Overlap`, and what it is called."""
_PAPER: Mapping[str, Mapping[str, float]] = {
    "m12i": {"both": 74.0, "distance_only": 7.0, "history_only": 19.0},
    "m12f": {"both": 65.0, "distance_only": 17.0, "history_only": 18.0},
}
"""Per cent of what either definition picks."""
_WITHIN = 10.0
"""Points of per cent in which a share may differ from the paper's, as in `exsitu mocks check`."""
_PAPERS = "the paper"


def _surveys(settings: Settings) -> tuple[str, ...]:
    """One of each galaxy: its particles are what counts."""
    return settings.data.pretraining.surveys[0], settings.data.target.surveys[0]


def _overlap(found: LabelledParticles) -> Metric:
    def metric(counted: Mask) -> dict[str, float]:
        masks = (found.history[counted], found.distance[counted], found.near[counted])
        overlap = label_overlap(*masks, found.weight[counted])
        return {name: 100.0 * getattr(overlap, name) for name in _PICKED}

    return metric


def _scored(label: Mask, found: LabelledParticles) -> Metric:
    """A definition against the origin that a generator knows."""
    truth = found.near & (np.zeros_like(label) if found.truth is None else found.truth)
    chosen = found.near & label

    def metric(counted: Mask) -> dict[str, float]:
        mass = {name: found.weight[counted & mask].sum()
                for name, mask in (("right", chosen & truth), ("chosen", chosen), ("true", truth))}  # fmt: skip
        purity, completeness = mass["right"] / mass["chosen"], mass["right"] / mass["true"]
        return {"purity": 100.0 * float(purity), "completeness": 100.0 * float(completeness)}

    return metric


def _rows(galaxy: str, overlap: Judged) -> pd.DataFrame:
    paper = _PAPER.get(galaxy, {})
    rows = [
        {"row": f"{galaxy}, {says}", "name": says, "group": galaxy, **overlap[name].row("share")}
        | {"paper_share": paper.get(name, np.nan)}
        for name, says in _PICKED.items()
    ]
    return pd.DataFrame(rows)


def _measure(bench: Bench) -> Measured:
    overlaps, scored, notes = [], dict[str, Judged](), []
    for survey in _surveys(bench.settings):
        galaxy = survey.rpartition("/")[0]
        found = labelled_particles(history_of(bench, survey), galaxy)
        blocks = particle_blocks(np.arange(len(found.near)), bench.settings.experiments.jackknife_blocks)
        overlaps.append(_rows(galaxy, estimates([_overlap(found)], blocks)))
        if found.truth is not None:
            for name, label in (("merger history", found.history), ("formation distance", found.distance)):
                scored[f"{galaxy}, {name}"] = estimates([_scored(label, found)], blocks)
        notes.append(_note(galaxy, found))
    tables = {"overlap": pd.concat(overlaps, ignore_index=True)}
    if scored:
        tables["against_truth"] = table_of(scored, ("purity", "completeness"))
    return Measured(tables, {}, (*notes, "the error counts particles; those of one satellite are no independent draws"))


def _note(galaxy: str, found: LabelledParticles) -> str:
    picked = found.near & (found.history | found.distance)
    limit = LIMITS_KPC.get(galaxy, LIMITS_KPC["m12i"])
    return (
        f"{galaxy}: {int(picked.sum()):,} of {int(found.near.sum()):,} particles within 16 kpc are picked by either "
        f"definition; the limit of formation distance is {limit:g} kpc"
    )


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import numbers_figure

    overlap = measured.tables["overlap"]
    here = overlap.assign(name=overlap["row"], group="here")
    paper = here.assign(group=_PAPERS, share=here["paper_share"], share_error=0.0)
    both = pd.concat([here, paper], ignore_index=True)
    shown = {"share": "share of either's picks  [%]"}
    figures = {"overlap": numbers_figure(both, shown, ("here", _PAPERS))}
    if "against_truth" in measured.tables:
        shown = {"purity": "purity  [%]", "completeness": "completeness  [%]"}
        figures["against_truth"] = numbers_figure(measured.tables["against_truth"], shown)
    return figures


def _claims(tables: Tables) -> list[Claim]:
    overlap = tables["overlap"]
    claims: list[Claim] = []
    for galaxy in dict.fromkeys(overlap["group"].astype(str)):
        paper = _PAPER.get(galaxy, {})
        value, error = cell(overlap, f"{galaxy}, both", "share")
        claims.append(
            above(f"most of what either definition picks in {galaxy}, both pick", value, error, limit=50.0,
                  paper=f"{paper['both']:.0f} %" if paper else "74 % and 65 % of its galaxies", unit="%")
        )  # fmt: skip
        for name, says in _PICKED.items() if paper else ():
            value, error = cell(overlap, f"{galaxy}, {says}", "share")
            claims.append(
                near(f"{galaxy}, {says}: the paper's share within {_WITHIN:g} points", value - paper[name], error,
                     paper=f"{paper[name]:.0f} %", within=_WITHIN, unit=f"points from {paper[name]:.0f} %")
            )  # fmt: skip
    return claims


EXPERIMENT = Experiment(
    name="E14",
    title="Two definitions of truth",
    source="Sec. 2.2",
    finding=(
        "Of the stars that merger history or formation distance call accreted, both pick 74 % in m12i (65 % in m12f), "
        "formation distance alone 7 % (17 %), merger history alone 19 % (18 %)."
    ),
    trials=lambda _: {},
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=_surveys,
)
