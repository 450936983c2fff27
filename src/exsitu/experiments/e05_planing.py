"""E5: which variables a network has learnt, seen by planing them away (paper, Sec. 6, Table 5, Fig. 7)."""

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.evaluation.estimates import Estimate, Metric, estimates
from exsitu.evaluation.planing import planing_bins, planing_weights, weighted_auc
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import RADIAL_VELOCITY, Mask, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.samples import particle_blocks
from exsitu.experiments.trial import Sample, Trial
from exsitu.experiments.variables import VARIABLES
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAPER = {"none": 0.96, "phi": 0.97, "R": 0.94, "z": 0.90, "v_z": 0.84, "v_R": 0.83, "v_phi": 0.75}
"""Table 5: AUC by the variable planed away."""
_WRITTEN = {"phi": r"$\phi$", "R": "$R$", "z": "$z$", "v_z": "$v_z$", "v_R": "$v_R$", "v_phi": r"$v_\phi$"}
_VELOCITIES, _POSITIONS = ("v_z", "v_R", "v_phi"), ("phi", "R", "z")
_LITTLE = 0.025
"""A change of the AUC this small counts as little: the larger of the paper's for phi and R, and half its last digit."""

_SHOWN = {"v_phi": r"$v_\phi$  [km s$^{-1}$]", "pmra": r"$\mu_{\alpha*}$  [mas yr$^{-1}$]"}
"""Variables of Fig. 7: the one planed away, and one that changes along with it."""


def _survey(settings: Settings) -> str:
    return settings.data.pretraining.surveys[0]


def _trials(settings: Settings) -> Mapping[str, Trial]:
    sample = Sample(surveys=(_survey(settings),))
    return {name: Trial(sample=sample, planing="" if name == "none" else name) for name in _PAPER}


def _planed_auc(score: NDArray[Any], accreted: Mask, weights: NDArray[np.float64]) -> Metric:
    return lambda chosen: {"auc": weighted_auc(score[chosen], accreted[chosen], weights[chosen])}


def _judged(bench: Bench, stars: pd.DataFrame) -> dict[str, dict[str, Estimate]]:
    """AUC of each network on stars planed like its own and as they are, and of the unplaned network on planed stars."""
    accreted = stars["accreted"].to_numpy()
    blocks = particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)
    even = np.ones(len(stars))

    def measured(label: str, weights: NDArray[np.float64]) -> Estimate:
        scores = bench.scores(label, _survey(bench.settings))
        return estimates([_planed_auc(score, accreted, weights) for score in scores], blocks)["auc"]

    found = {}
    for label in bench.trials:
        weights = even if label == "none" else planing_weights(VARIABLES[label](stars), accreted)
        found[label] = {
            "auc": measured(label, weights),
            "auc_stars_unplaned": measured(label, even),
            "auc_network_unplaned": measured("none", weights),
        }
    return found


def _alone(bench: Bench, stars: pd.DataFrame) -> dict[str, dict[str, Estimate]]:
    """How well a variable ranks the stars by itself: by the accreted share of the bins it is planed by."""
    accreted = stars["accreted"].to_numpy()
    blocks = particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)
    found = {}
    for name in _WRITTEN:
        _, number = planing_bins(VARIABLES[name](stars))
        share = np.bincount(number[accreted], minlength=number.max() + 1) / np.maximum(np.bincount(number), 1)
        found[name] = estimates([_planed_auc(share[number], accreted, np.ones(len(stars)))], blocks)
    return found


def _differences(auc: Mapping[str, Estimate]) -> dict[str, dict[str, Estimate]]:
    """What planing costs; and how much more v_phi costs than each other, and each velocity than each position."""
    costs = {name: auc["none"] - found for name, found in auc.items() if name != "none"}
    pairs = [("v_phi", n) for n in costs if n != "v_phi"] + list(product(_VELOCITIES, _POSITIONS))
    more = {f"{a} costs more than {b}": costs[a] - costs[b] for a, b in pairs}
    return {name: {"auc": found} for name, found in (costs | more).items()}


def _distributions(stars: pd.DataFrame) -> pd.DataFrame:
    """Histograms of unit area, before and after planing; stars beyond the bins count with the outermost."""
    accreted = stars["accreted"].to_numpy()
    planed = planing_weights(VARIABLES["v_phi"](stars), accreted)
    found = []
    for variable, (when, weights) in product(_SHOWN, (("before", np.ones(len(stars))), ("after", planed))):
        values = VARIABLES[variable](stars) if variable in VARIABLES else stars[variable].to_numpy()
        edges, number = planing_bins(values)
        for name, members in (("in situ", ~accreted), ("accreted", accreted)):
            heights = np.bincount(number[members], weights[members], len(edges) - 1)
            curve = {"name": name, "variable": variable, "planing": when, "low": edges[:-1], "high": edges[1:]}
            found.append(pd.DataFrame({**curve, "density": heights / (heights.sum() * np.diff(edges))}))
    return pd.concat(found, ignore_index=True)


def _measure(bench: Bench) -> Measured:
    survey = _survey(bench.settings)
    stars, moving = bench.test(survey), bench.test(survey, filters=RADIAL_VELOCITY)
    judged = _judged(bench, stars)
    columns = ("auc", "auc_stars_unplaned", "auc_network_unplaned")
    tables = {
        "planed": table_of(judged, columns).assign(paper_auc=[_PAPER[name] for name in judged]),
        "differences": table_of(_differences({name: found["auc"] for name, found in judged.items()}), ("auc",)),
        "alone": table_of(_alone(bench, stars), ("auc",)),
        "distributions": _distributions(moving),
        "sizes": bench.sizes(),
    }
    note = (
        f"tested on {len(stars):,} stars of {survey}, {int(stars['accreted'].sum()):,} of them accreted, weighted as "
        "in training: without the variable there too; distributions are of those with a radial velocity"
    )
    return Measured(tables, {}, (note,))


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import distributions_figure, numbers_figure

    table = measured.tables["planed"]
    names = ["full set" if n == "none" else f"removed {_WRITTEN[n]}" for n in table["name"]]
    here = pd.DataFrame({"name": names, "group": "here", "auc": table["auc"], "auc_error": table["auc_error"]})
    paper = here.assign(group="paper", auc=table["paper_auc"], auc_error=np.nan)
    curves = dict(iter(measured.tables["distributions"].groupby(["variable", "planing", "name"], sort=False)))
    rows = {
        label: {
            f"{when} planing in {_WRITTEN['v_phi']}": {n: curves[(variable, when, n)] for n in ("in situ", "accreted")}
            for when in ("before", "after")
        }
        for variable, label in _SHOWN.items()
    }
    return {
        "planed": numbers_figure(pd.concat([here, paper]), {"auc": "AUC"}, ("here", "paper")),
        "distributions": distributions_figure(rows),
    }


def _claims(tables: Tables) -> list[Claim]:
    differences, planed = tables["differences"], tables["planed"]
    kept = cell(planed, "v_phi", "auc")
    alone = ", ".join(f"{name} {cell(tables['alone'], name, 'auc')[0]:.2f}" for name in (*reversed(_VELOCITIES), "z"))
    return [
        _least("v_phi matters most", [f"v_phi costs more than {n}" for n in _PAPER if n not in {"none", "v_phi"}],
               differences, paper="0.08 more than v_R", why=f"AUC of a variable by itself: {alone}"),
        _least("velocities matter more than positions",
               [f"{v} costs more than {p}" for v, p in product(_VELOCITIES, _POSITIONS)], differences,
               paper="0.06 more: v_z and z"),
        above("the height z matters", *cell(differences, "z", "auc"), paper="0.06", unit="in AUC"),
        *(near(f"{name} matters little", *cell(differences, name, "auc"), within=_LITTLE, unit="in AUC",
               paper=f"{_PAPER['none'] - _PAPER[name]:.2f}") for name in ("phi", "R")),
        above("without v_phi other information is left", *kept, limit=0.5, paper=f"{_PAPER['v_phi']:.2f}", unit="AUC"),
    ]  # fmt: skip


def _least(statement: str, rows: list[str], differences: pd.DataFrame, *, paper: str, why: str = "") -> Claim:
    """Claim that all differences are above zero, by the least of them."""
    row = min(rows, key=lambda name: cell(differences, name, "auc")[0])
    return above(statement, *cell(differences, row, "auc"), paper=paper, unit=f"in AUC, least: {row}", why=why)


EXPERIMENT = Experiment(
    name="E5",
    title="Data planing",
    source="Sec. 6, Table 5, Fig. 7",
    finding=(
        "Planing a variable away in training and test lowers the AUC most for v_phi, then for the other velocities, "
        "less for positions: phi and R hardly matter."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
)
