"""E3: what networks taught by bright stars do with dim ones (paper, Sec. 5.2, Figs. 4 and 5)."""

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.evaluation.estimates import Metric, estimates
from exsitu.evaluation.metrics import efficiency_accreted_at
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import RADIAL_VELOCITY, Judged, Mask, minus, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.samples import FILTERS, particle_blocks
from exsitu.experiments.trial import Sample, Trial
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BRIGHT = ("g<15",)
_TAUGHT: Mapping[str, tuple[str, ...]] = {"all": (), "with radial velocity": RADIAL_VELOCITY}
"""Stars that networks learn from, by name: their filters."""
_TESTED: Mapping[str, tuple[str, ...]] = {"all": (), "G < 15": _BRIGHT}
_INPUTS = ("5D", "5D+phot")
_LOOKS = {f"{inputs}, {taught}": 7 * i + t for i, inputs in enumerate(_INPUTS) for t, taught in enumerate(_TAUGHT)}
"""As in Fig. 4: a colour says what was learnt from, dashes that photometry is among the inputs."""
_PAPER_SHARES = {"all": 0.0088, "with radial velocity": 0.0055, "G < 15": np.nan}
"""Tables 3 and 4: accreted share of the training stars; the paper gives none for G < 15."""

_COLUMNS = ("auc", "efficiency_accreted_at_1pct", "purity_at_47pct")
_COMPARED = ("auc", "efficiency_accreted_at_1pct")
_CLOSE = 0.05
"""Accreted efficiencies this near count as indistinguishable in a plot; the paper gives no number."""
_EASED = "5D+phot: ε_A lost on all stars, less that lost on G < 15"
_GROWTH = "accreted share: all over with radial velocity"
_EDGES = np.arange(4.0, 22.01, 0.5)
"""Of the bins of Fig. 5, mag."""


def _survey(settings: Settings) -> str:
    return settings.data.pretraining.surveys[0]


def _trials(settings: Settings) -> Mapping[str, Trial]:
    return {
        f"{inputs}, {taught}": Trial(
            sample=Sample(surveys=(_survey(settings),), filters=_TAUGHT[taught]), input_set=inputs
        )
        for inputs, taught in product(_INPUTS, _TAUGHT)
    }


def _differences(judged: Mapping[str, Judged]) -> dict[str, Judged]:
    """On the same stars: what is lost where only stars with velocities teach, and what photometry does."""
    moving = "with radial velocity"
    found = {f"{inputs}: all less {moving}": minus(judged[f"{inputs}, all"], judged[f"{inputs}, {moving}"])
             for inputs in _INPUTS}  # fmt: skip
    return found | {
        f"{taught}: 5D+phot less 5D": minus(judged[f"5D+phot, {taught}"], judged[f"5D, {taught}"]) for taught in _TAUGHT
    }


def _eased(bench: Bench, survey: str) -> Judged:
    """What teaching by stars with velocities costs on all stars, less what it costs on those of G < 15."""
    stars = bench.test(survey)
    accreted, bright = stars["accreted"].to_numpy(), FILTERS[_BRIGHT[0]](stars)
    blocks = particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)

    def eased(every: NDArray[Any], moving: NDArray[Any]) -> Metric:
        def cost(chosen: Mask) -> float:
            a, b = (efficiency_accreted_at(score[chosen], accreted[chosen]) for score in (every, moving))
            return a - b

        return lambda counted: {"value": cost(counted) - cost(counted & bright)}

    scores = (bench.scores(f"5D+phot, {taught}", survey) for taught in _TAUGHT)
    return estimates([eased(every, moving) for every, moving in zip(*scores, strict=True)], blocks)


def _passing(stars: pd.DataFrame, filters: tuple[str, ...]) -> Mask:
    found = np.ones(len(stars), np.bool_)
    for name in filters:
        found &= FILTERS[name](stars)
    return found


def _growth(bench: Bench, stars: pd.DataFrame) -> Judged:
    """Accreted share of all stars over that of those with velocities."""
    accreted, moving = stars["accreted"].to_numpy(), _passing(stars, RADIAL_VELOCITY)
    blocks = particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)

    def metric(counted: Mask) -> dict[str, float]:
        return {"value": float(accreted[counted].mean() / accreted[counted & moving].mean())}

    return estimates([metric], blocks)


def _samples(stars: pd.DataFrame) -> pd.DataFrame:
    """Stars of each kind, and how bright they are."""
    rows = []
    for name, filters in {**_TAUGHT, **_TESTED}.items():
        members = stars[_passing(stars, filters)]
        magnitude, accreted = members["phot_g_mean_mag"], int(members["accreted"].sum())
        row = {"name": name, "stars": len(members), "accreted": accreted, "accreted_share": accreted / len(members)}
        row |= {"g_median": float(magnitude.median()), "g_99pct": float(magnitude.quantile(0.99))}
        rows.append(row | {"dim_share": 1.0 - float(FILTERS[_BRIGHT[0]](members).mean())})
    return pd.DataFrame(rows).assign(paper_accreted_share=[_PAPER_SHARES[str(row["name"])] for row in rows])


def _magnitudes(stars: pd.DataFrame) -> pd.DataFrame:
    """Histograms of G, each of unit area."""
    found = []
    for taught, filters in _TAUGHT.items():
        members = stars[_passing(stars, filters)]
        for kind, chosen in (("in situ", ~members["accreted"]), ("accreted", members["accreted"])):
            density, _ = np.histogram(members.loc[chosen, "phot_g_mean_mag"], _EDGES, density=True)
            curve = {"name": f"{kind}, {taught}", "low": _EDGES[:-1], "high": _EDGES[1:], "density": density}
            found.append(pd.DataFrame(curve))
    return pd.concat(found, ignore_index=True)


def _measure(bench: Bench) -> Measured:
    survey = _survey(bench.settings)
    networks, differences, curves = [], [], []
    for tested, filters in _TESTED.items():
        judged = {label: bench.judge(label, survey, filters=filters) for label in bench.trials}
        networks.append(table_of(judged, _COLUMNS).assign(group=tested))
        named = {f"{name}, tested on {tested}": found for name, found in _differences(judged).items()}
        differences.append(table_of(named, _COMPARED))
        curves += [bench.roc(label, survey, filters=filters).assign(group=tested) for label in bench.trials]
    table, stars = pd.concat(networks, ignore_index=True), bench.surveys.stars(survey)
    tables = {
        "networks": table.assign(row=table["name"] + ", tested on " + table["group"])[["row", *table.columns]],
        "differences": pd.concat(differences, ignore_index=True),
        "compared": table_of({_EASED: _eased(bench, survey), _GROWTH: _growth(bench, stars)}, ("value",)),
        "samples": _samples(stars),
        "magnitudes": _magnitudes(stars),
        "roc": pd.concat(curves),
        "sizes": bench.sizes(),
    }
    return Measured(tables, {}, (_note(tables["samples"], survey),))


def _note(samples: pd.DataFrame, survey: str) -> str:
    counts = {name: cell(samples, name, "stars")[0] for name in samples["name"]}
    moving = counts["with radial velocity"]
    return (
        f"{survey}: {counts['all']:,.0f} stars, {moving:,.0f} of them with a radial velocity; "
        f"{counts['G < 15']:,.0f} of G < 15: {counts['G < 15'] / moving:.2g} times as many as have a velocity, "
        f"{100 * counts['G < 15'] / counts['all']:.0f} % of all"
    )


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import distributions_figure, numbers_figure, roc_panels_figure

    shown = {"auc": "AUC", "efficiency_accreted_at_1pct": r"$\varepsilon_A$ at $\varepsilon_I$ = 1 %"}
    panels = {
        f"tested on {tested}": {str(name): curve for name, curve in members.groupby("name", sort=False)}
        for tested, members in measured.tables["roc"].groupby("group", sort=False)
    }
    heights = {str(n): curve for n, curve in measured.tables["magnitudes"].groupby("name", sort=False)}
    looks = {f"{kind}, {taught}": k + 7 * t for k, kind in enumerate(("in situ", "accreted"))
             for t, taught in enumerate(_TAUGHT)}  # fmt: skip
    return {
        "roc": roc_panels_figure(panels, looks=_LOOKS),
        "magnitudes": distributions_figure({"apparent magnitude  $G$": {"": heights}}, looks),
        "networks": numbers_figure(measured.tables["networks"], shown, tuple(_TESTED)),
    }


def _claims(tables: Tables) -> list[Claim]:
    found, samples = tables["differences"], tables["samples"]
    column, unit = "efficiency_accreted_at_1pct", "in ε_A at ε_I = 1 %"
    tested = "tested on all"
    dim = {name: 100 * cell(samples, name, "dim_share")[0] for name in ("all", "with radial velocity")}
    why = (
        f"fainter than G = 15: {dim['with radial velocity']:.1f} % of those with velocities, {dim['all']:.1f} % of all"
    )
    return [
        near("with 5D kinematics, stars with velocities teach as well as all do",
             *cell(found, f"5D: all less with radial velocity, {tested}", column), paper="indistinguishable",
             within=_CLOSE, unit=unit, why=why),
        above("with photometry, a network taught by stars with velocities falls behind",
              *cell(found, f"5D+phot: all less with radial velocity, {tested}", column), paper="far behind", unit=unit,
              why=why),
        above("it is then the worst network: photometry harms", *_negative(
                  cell(found, f"with radial velocity: 5D+phot less 5D, {tested}", column)),
              paper="it does where high purity is demanded", unit=unit, why=why),
        above("photometry helps where all stars teach", *cell(found, f"all: 5D+phot less 5D, {tested}", column),
              paper="it does", unit=unit),
        above("of G < 15 the network with photometry loses less", *cell(tables["compared"], _EASED, "value"),
              paper="results generalise better", unit=unit),
        above("the accreted share grows without the velocity requirement", *cell(tables["compared"], _GROWTH, "value"),
              paper="0.88 % over 0.55 %", limit=1.0, unit="times"),
    ]  # fmt: skip


def _negative(number: tuple[float, float]) -> tuple[float, float]:
    return -number[0], number[1]


EXPERIMENT = Experiment(
    name="E3",
    title="Bright to dim",
    source="Sec. 5.2, Figs. 4 and 5",
    finding=(
        "With 5D kinematics a network taught by stars with radial velocities does as well on all stars as one taught "
        "by all; with photometry it falls far behind, because it never saw a star fainter than G = 15."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
)
