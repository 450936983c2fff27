"""E4: what a network learnt from one viewpoint is worth in another of the same galaxy (paper, Sec. 5.3, Fig. 6)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.errors import SettingsError
from exsitu.evaluation.checks import VELOCITIES
from exsitu.evaluation.estimates import Estimate, average, estimates
from exsitu.evaluation.scan import sum_chi2
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, Mask, minus, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell
from exsitu.experiments.recipe import hundredfold
from exsitu.experiments.samples import particle_blocks
from exsitu.experiments.trial import Sample, Trial
from exsitu.pages import measured
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AT = "efficiency_accreted_at_1pct"
_COLUMNS = ("auc", _AT, "purity_at_47pct", "purity_at_13pct")
_PAPER = {("LSR0", "LSR1"): 0.40, ("LSR0", "LSR2"): 0.34}
"""Accreted efficiency at an in situ efficiency of 1 %: learnt from, tested on."""
_PAPER_GAINS = {"LSR1": "9 %", "LSR2": "19 %"}
"""Of the pair over LSR0, in accreted efficiency."""
_LEAST = 3
"""Viewpoints that a galaxy must have: one to be tested in, and two others that make a pair."""
_HELD = 0.5
"""Share of the local network's accreted efficiency that must be left; the paper says "not dramatically worsened"."""


def _name(survey: str) -> str:
    return survey.rsplit("/", 1)[-1].upper()


def _taught(settings: Settings, tested: str) -> dict[str, tuple[str, ...]]:
    """What networks of a panel learn from: the viewpoint itself, the others together, each other, the first last."""
    others = tuple(s for s in settings.data.pretraining.surveys if s != tested)
    groups = ((tested,), others, *((s,) for s in reversed(others)))
    return {" + ".join(_name(s) for s in group): group for group in groups}


def _tested(settings: Settings) -> tuple[str, ...]:
    return settings.data.pretraining.surveys[1:]


def _trials(settings: Settings) -> Mapping[str, Trial]:
    surveys = settings.data.pretraining.surveys
    if len(surveys) < _LEAST:
        raise SettingsError(
            f"data.pretraining has {len(surveys)} viewpoints ({', '.join(surveys)}); E4 tests networks of two "
            f"viewpoints in a third: give at least {_LEAST}, or leave E4 out"
        )
    groups = {label: group for tested in _tested(settings) for label, group in _taught(settings, tested).items()}
    return {label: Trial(sample=Sample(surveys=group)) for label, group in sorted(groups.items())}


def _differences(judged: Mapping[str, Judged]) -> dict[str, Judged]:
    """On one viewpoint's stars; networks come as `_taught` names them."""
    own, pair, *single = judged
    members = [judged[name] for name in single]
    middle = {column: average([m[column] for m in members]) for column in _COLUMNS}
    return {
        **{f"{own} less {name}": minus(judged[own], judged[name]) for name in judged if name != own},
        f"{single[0]} less {single[-1]}": minus(members[0], members[-1]),
        f"{pair} less the middle of its members": {c: judged[pair][c] - middle[c] for c in _COLUMNS},
    }


def _ratios(judged: Mapping[str, Judged]) -> dict[str, Estimate]:
    """Of accreted efficiencies on one viewpoint's stars."""
    own, pair, *single = judged
    at = {name: found[_AT] for name, found in judged.items()}
    return {
        **{f"{name} over {own}": at[name] / at[own] for name in (pair, *single)},
        f"{pair} over {single[-1]}": at[pair] / at[single[-1]],
    }


def _alike(bench: Bench, tested: str, other: str) -> Judged:
    """How far apart the true velocities of the accreted stars of two viewpoints lie; particles are shared by both."""
    stars = [bench.test(survey) for survey in (tested, other)]
    accreted = pd.concat([s[s["accreted"]].assign(own=number == 0) for number, s in enumerate(stars)])
    velocities, own = accreted[list(VELOCITIES)].to_numpy(np.float64), accreted["own"].to_numpy()
    bins = bench.settings.evaluation.velocity_bins

    def metric(counted: Mask) -> dict[str, float]:
        return {"sum_chi2": sum_chi2(velocities[counted & own], velocities[counted & ~own], bins)}

    return estimates(
        [metric], particle_blocks(accreted["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)
    )


def _measure(bench: Bench) -> Measured:
    networks, curves, notes = [], [], []
    alike: dict[str, Judged] = {}
    differences: dict[str, Judged] = {}
    ratios: dict[str, Judged] = {}
    for survey in _tested(bench.settings):
        labels, tested = list(_taught(bench.settings, survey)), _name(survey)
        judged = {label: bench.judge(label, survey) for label in labels}
        networks.append(table_of(judged, _COLUMNS).assign(group=tested))
        differences |= {f"{name}, on {tested}": found for name, found in _differences(judged).items()}
        ratios |= {f"{name}, on {tested}": {"ratio": found} for name, found in _ratios(judged).items()}
        curves += [bench.roc(label, survey).assign(group=tested) for label in labels]
        others = (s for s in bench.settings.data.pretraining.surveys if s != survey)
        alike |= {f"{_name(other)}, {tested}": _alike(bench, survey, other) for other in others}
        stars = bench.test(survey)
        notes.append(f"{tested}: tested on {len(stars):,} stars, {int(stars['accreted'].sum()):,} of them accreted")
    table = pd.concat(networks, ignore_index=True)
    paper = [_PAPER.get((name, group), np.nan) for name, group in zip(table["name"], table["group"], strict=True)]
    named = table.assign(row=table["name"] + " on " + table["group"], **{f"paper_{_AT}": paper})
    tables = {
        "networks": named[["row", *(c for c in named.columns if c != "row")]],
        "differences": table_of(differences, _COLUMNS),
        "ratios": table_of(ratios, ("ratio",)),
        "alike": table_of(alike, ("sum_chi2",)),
        "roc": pd.concat(curves),
        "sizes": bench.sizes(),
    }
    return Measured(tables, {}, tuple(notes))


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import numbers_figure, roc_panels_figure

    panels = {
        f"tested on {tested}": {str(name): curve for name, curve in members.groupby("name", sort=False)}
        for tested, members in measured.tables["roc"].groupby("group", sort=False)
    }
    networks = measured.tables["networks"]
    table = networks.assign(name=networks["row"])
    shown = {"auc": "AUC", _AT: r"$\varepsilon_A$ at $\varepsilon_I$ = 1 %"}
    return {"roc": roc_panels_figure(panels), "networks": numbers_figure(table, shown)}


def _claims(tables: Tables) -> list[Claim]:
    networks = tables["networks"]
    claims = []
    for tested, members in networks.groupby("group", sort=False):
        claims += _claims_on(str(tested), [str(name) for name in members["name"]], tables)
    return claims


def _least(table: pd.DataFrame, rows: list[str], column: str) -> str:
    return min(rows, key=lambda row: cell(table, row, column)[0])


def _claims_on(tested: str, labels: list[str], tables: Tables) -> list[Claim]:
    differences, ratios = tables["differences"], tables["ratios"]
    own, pair, *single = labels
    rival = _least(differences, [f"{own} less {name}, on {tested}" for name in (pair, *single)], _AT)
    worst = _least(ratios, [f"{name} over {own}, on {tested}" for name in single], "ratio")
    value, error = cell(tables["networks"], f"{single[-1]} on {tested}", _AT)
    gain, gain_error = cell(ratios, f"{pair} over {single[-1]}, on {tested}", "ratio")
    unit = "in ε_A at ε_I = 1 %"
    apart = " and ".join(
        f"{measured(*hundredfold(cell(tables['alike'], f'{name}, {tested}', 'sum_chi2')))} ×10⁻² from {name}'s"
        for name in single
    )
    return [
        above(f"on {tested} the network that learnt there is best", *cell(differences, rival, _AT), paper="it is",
              unit=f"{unit}, least margin: {rival}"),
        above(f"on {tested} every other network holds up", *cell(ratios, worst, "ratio"), limit=_HELD,
              paper="not dramatically worse", unit=f"of the local network's ε_A, least: {worst}",
              why=f"{single[-1]} keeps {value:.2f} ± {error:.2f} of the accreted stars at ε_I = 1 %"),
        above(f"on {tested} the {single[0]} network does better than the {single[-1]} one",
              *cell(differences, f"{single[0]} less {single[-1]}, on {tested}", _AT), paper="it does", unit=unit,
              why=f"in Σχ² of velocities, {tested}'s accreted stars lie {apart}"),
        above(f"on {tested} the pair is nearer to the better of its members",
              *cell(differences, f"{pair} less the middle of its members, on {tested}", _AT), paper="it is",
              unit=f"{unit}, above the middle of both"),
        above(f"on {tested} the pair gains over {single[-1]}", 100 * (gain - 1), 100 * gain_error,
              paper=_PAPER_GAINS.get(tested, "it does"), unit="% of ε_A at ε_I = 1 %"),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="E4",
    title="Viewpoints",
    source="Sec. 5.3, Fig. 6",
    finding=(
        "The network that learnt in the viewpoint it is tested in is best, all others hold up; a network that learnt "
        "from two other viewpoints comes close to the better of the two."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
)
