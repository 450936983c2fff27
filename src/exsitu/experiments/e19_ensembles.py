"""E19: ensembles of networks that differ by their seed: what the mean of their scores gains, and how they spread."""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.evaluation.checks import VELOCITIES
from exsitu.evaluation.estimates import Estimate, estimates, judging
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, pretrained
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.samples import particle_blocks
from exsitu.experiments.trial import Trial
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NETWORKS = 5
_LABEL = "pretrained"
_AT = "efficiency_accreted_at_1pct"
_COLUMNS = ("auc", _AT, "purity_at_47pct", "sum_chi2")
_CLOSE = 0.02
"""Accreted efficiencies this near count as equal, as in E22."""


def _trials(settings: Settings) -> Mapping[str, Trial]:
    return {_LABEL: pretrained(settings)}


def _surveys(settings: Settings) -> tuple[str, str]:
    return settings.data.pretraining.surveys[0], settings.data.target.surveys[0]


def groups(count: int, size: int) -> list[tuple[int, ...]]:
    """
    Ensembles of some of the networks, each network in as many of them.

    Parameters
    ----------
    count : int
        How many networks there are.
    size : int
        How many are in an ensemble.

    Returns
    -------
    list of tuple of int
        Numbers of the networks; one ensemble of all of them.
    """
    starts = range(count if size < count else 1)
    return [tuple((start + step) % count for step in range(size)) for start in starts]


def _ensembles(bench: Bench, survey: str) -> dict[int, Judged]:
    """Numbers of the ensembles of each size, a value an ensemble."""
    stars, scores = bench.test(survey), np.stack(bench.scores(_LABEL, survey)).astype(np.float64)
    velocities, accreted = stars[list(VELOCITIES)].to_numpy(np.float64), stars["accreted"].to_numpy()
    blocks = particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)
    return {
        size: estimates(
            [
                judging(scores[list(group)].mean(axis=0), accreted, velocities, bench.settings.evaluation)
                for group in groups(len(scores), size)
            ],
            blocks,
        )
        for size in range(1, _NETWORKS + 1)
    }


def _row(found: Estimate, single: Estimate, column: str) -> dict[str, float]:
    """A number of ensembles of a size, their spread, and an error that counts the single networks' spread."""
    of_networks = single.spread / np.sqrt(len(single.values))
    error = float(np.hypot(found.sampling_error, of_networks))
    return {column: found.value, f"{column}_spread": found.spread, f"{column}_error": error}


def _mean(found: Estimate) -> Estimate:
    return Estimate(found.values.mean(keepdims=True), found.replicas.mean(axis=0, keepdims=True))  # noqa: PD011 - not a table's


def _measure(bench: Bench) -> Measured:
    ensembles, gains = [], []
    for survey in _surveys(bench.settings):
        judged = _ensembles(bench, survey)
        for size, found in judged.items():
            name = {"name": f"{size} on {survey}", "group": survey, "networks": size}
            cells = [_row(found[c], judged[1][c], c) for c in _COLUMNS]
            ensembles.append({**name, **{k: v for row in cells for k, v in row.items()}})
            gained = [_row(_mean(found[c]) - _mean(judged[1][c]), judged[1][c], c) for c in _COLUMNS]
            if size > 1:
                gains.append({**name, **{k: v for row in gained for k, v in row.items() if not k.endswith("_spread")}})
    tables = {
        "ensembles": pd.DataFrame(ensembles),
        "gains": pd.DataFrame(gains),
        "scatter": _scatter(bench),
        "sizes": bench.sizes(),
    }
    count = bench.settings.experiments.seeds
    return Measured(tables, {}, (f"{count} networks of the pretraining that differ by their seed alone",))


def _scatter(bench: Bench) -> pd.DataFrame:
    """How far the networks differ about a star: standard deviation of its scores, by its mean score."""
    edges, rows = np.linspace(0.0, 1.0, 11), []
    for survey in _surveys(bench.settings):
        scores = np.stack(bench.scores(_LABEL, survey)).astype(np.float64)
        mean, spread = scores.mean(axis=0), scores.std(axis=0, ddof=1)
        for low, high in pairwise(edges):
            inside = (mean >= low) & ((mean < high) | (high == 1.0))
            row = {"name": f"{low:.1f} to {high:.1f} on {survey}", "group": survey, "stars": int(inside.sum())}
            rows.append({**row, "score": (low + high) / 2, "spread": spread[inside].mean() if inside.any() else np.nan})
    return pd.DataFrame(rows)


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import lines_figure

    against = {"networks": "networks in the ensemble"}
    gains = measured.tables["gains"]
    labels = {_AT: r"gain in $\varepsilon_A$ at $\varepsilon_I$ = 1 %", "auc": "gain in AUC"}
    return {
        name: lines_figure(gains, against, column, labels[column]) for name, column in (("gain", _AT), ("auc", "auc"))
    }


def _claims(tables: Tables) -> list[Claim]:
    gains, paper = tables["gains"], "beyond the paper; prototypes: barely"
    most = int(gains["networks"].max())
    surveys = [str(s) for s in dict.fromkeys(gains["group"])]
    found = {survey: cell(gains, f"{most} on {survey}", _AT) for survey in surveys}
    unit = "in ε_A at ε_I = 1 %"
    helps = [
        above(f"an ensemble of {most} does better than one network on {survey}", *found[survey], paper=paper, unit=unit)
        for survey in surveys
    ]
    little = [
        near(f"but little, on {survey}", *found[survey], paper=paper, within=_CLOSE, unit=unit) for survey in surveys
    ]
    return [claim for pair in zip(helps, little, strict=True) for claim in pair]


EXPERIMENT = Experiment(
    name="E19",
    title="Ensembles of seeds",
    source="beyond the paper",
    finding=(
        "Networks of the same training differ by their seed: where they start, the order of the stars, the draws of "
        "their errors. The mean of their scores is surer than one of them."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=_surveys,
    seeds=_NETWORKS,
)
