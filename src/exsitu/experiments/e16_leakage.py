"""E16: what it is worth that test stars share star particles with stars that were learnt from."""

import dataclasses
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.evaluation.checks import VELOCITIES
from exsitu.evaluation.estimates import estimates, judging
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import NETWORK_COLUMNS, Judged, minus, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.recipe import REPRESENTATIONS
from exsitu.experiments.samples import SPLITS, particle_blocks
from exsitu.experiments.trial import Sample, Trial
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AT = "efficiency_accreted_at_1pct"
_CLOSE = 0.02
"""Accreted efficiencies this near count as equal, as in E22."""


def _survey(settings: Settings) -> str:
    return settings.data.pretraining.surveys[0]


def _trials(settings: Settings) -> Mapping[str, Trial]:
    start = Trial(sample=Sample(surveys=(_survey(settings),)))
    return {
        f"{representation}: by {split}": dataclasses.replace(
            start, representation=representation, sample=dataclasses.replace(start.sample, split=split)
        )
        for representation, split in product(REPRESENTATIONS, SPLITS)
    }


def _elsewhere(settings: Settings) -> tuple[str, ...]:
    """Surveys of a galaxy that neither network learnt from: both are measured on the same stars."""
    return settings.data.target.surveys[:2]


def _at_home(bench: Bench, label: str, split: str) -> Judged:
    """
    On test stars of the split a network learnt by.

    The blocks are of the whole survey's particles, the same for both splits, so that numbers of both can be subtracted.
    """
    survey = _survey(bench.settings)
    stars, every = bench.test(survey, split=split), bench.surveys.stars(survey)["parentid"].to_numpy()
    blocks = particle_blocks(every, bench.settings.experiments.jackknife_blocks)
    velocities, accreted = stars[list(VELOCITIES)].to_numpy(np.float64), stars["accreted"].to_numpy()
    metrics = [
        judging(score, accreted, velocities, bench.settings.evaluation)
        for score in bench.scores(label, survey, split=split)
    ]
    return estimates(metrics, blocks[bench.surveys.rows(survey, "test", split=split)])


def _judged(bench: Bench) -> dict[tuple[str, str], dict[str, Judged]]:
    """Each network by its split, for each representation and survey."""
    home, found = _survey(bench.settings), {}
    for representation in REPRESENTATIONS:
        labels = {split: f"{representation}: by {split}" for split in SPLITS}
        found[representation, home] = {split: _at_home(bench, label, split) for split, label in labels.items()}
        for survey in _elsewhere(bench.settings):
            found[representation, survey] = {split: bench.judge(label, survey) for split, label in labels.items()}
    return found


def _worth(gaps: Mapping[str, Judged], settings: Settings) -> dict[str, Judged]:
    """What splitting by star gains at home, less what it gains where no particle is shared: on other stars."""
    home = _survey(settings)
    return {
        f"{representation}, less that on {survey}": minus(
            gaps[f"{representation} on {home}"], gaps[f"{representation} on {survey}"]
        )
        for representation, survey in product(REPRESENTATIONS, _elsewhere(settings))
    }


def _shared(bench: Bench) -> pd.DataFrame:
    """Test stars whose particle has a star among those that were learnt from."""
    survey, rows = _survey(bench.settings), []
    for split in SPLITS:
        sample = Sample(surveys=(survey,), split=split)
        taught = bench.surveys.drawn(sample, "training", bench.settings.experiments.training_stars)[survey]
        stars = bench.test(survey, split=split)
        known = np.isin(stars["parentid"].to_numpy(), taught["parentid"].to_numpy())
        accreted = stars["accreted"].to_numpy()
        row = {"name": f"by {split}", "test_stars": len(stars), "test_accreted": int(accreted.sum())}
        rows.append(row | {"shared": float(known.mean()), "shared_accreted": float(known[accreted].mean())})
    return pd.DataFrame(rows)


def _measure(bench: Bench) -> Measured:
    judged = _judged(bench)
    networks = [
        table_of({f"{representation} on {survey}": found}, NETWORK_COLUMNS).assign(group=f"by {split}")
        for (representation, survey), by_split in judged.items()
        for split, found in by_split.items()
    ]
    table = pd.concat(networks, ignore_index=True)
    gaps = {f"{r} on {s}": minus(found["star"], found["particle"]) for (r, s), found in judged.items()}
    tables = {
        "networks": table.assign(row=table["name"] + ", " + table["group"])[["row", *table.columns]],
        "gaps": table_of(gaps, NETWORK_COLUMNS),
        "worth": table_of(_worth(gaps, bench.settings), NETWORK_COLUMNS),
        "shared": _shared(bench),
        "sizes": bench.sizes(),
    }
    share, _ = cell(tables["shared"], "by star", "shared_accreted")
    note = (
        f"split by star, {100 * share:.0f} % of the accreted test stars of {_survey(bench.settings)} share a particle "
        "with a star that was learnt from; split by particle, none does"
    )
    return Measured(tables, {}, (note,))


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import numbers_figure

    shown = {
        "auc": "AUC",
        _AT: r"$\varepsilon_A$ at $\varepsilon_I$ = 1 %",
        "purity_at_47pct": r"purity at $\varepsilon_A$ = 47 %",
    }
    gained = {column: f"gained in {name}" for column, name in shown.items()}
    return {
        "networks": numbers_figure(measured.tables["networks"], shown, tuple(f"by {split}" for split in SPLITS)),
        "gaps": numbers_figure(measured.tables["gaps"], gained),
    }


def _claims(tables: Tables) -> list[Claim]:
    gaps, worth = tables["gaps"], tables["worth"]
    share, _ = cell(tables["shared"], "by star", "shared_accreted")
    paper = "beyond the paper, which splits by star"
    why = f"{100 * share:.0f} % of the accreted test stars share a particle with a training star"
    flattered = [
        above(f"shared particles flatter a network: {representation}, seen against {elsewhere}",
              *cell(worth, name, _AT), paper=paper, unit="in ε_A at ε_I = 1 %, gained at home", why=why)
        for name in worth["name"].astype(str)
        for representation, _, elsewhere in (name.partition(", less that on "),)
    ]  # fmt: skip
    equal = [
        near(f"where no particle is shared, both splits teach alike: {name}", *cell(gaps, name, _AT), paper=paper,
             within=_CLOSE, unit="in ε_A at ε_I = 1 %")
        for name in gaps["name"].astype(str) if name not in _at_home_rows(gaps)
    ]  # fmt: skip
    return [*flattered, *equal]


def _at_home_rows(gaps: pd.DataFrame) -> set[str]:
    """Rows of the survey that taught: each representation's first."""
    names = gaps["name"].astype(str)
    return set(names.groupby(names.str.split(" on ").str[0]).first())


EXPERIMENT = Experiment(
    name="E16",
    title="Parent-disjoint splits",
    source="beyond the paper",
    finding=(
        "A star particle of the simulation becomes many stars of the mock, at one place and with one motion. Split by "
        "star, as in the paper, test stars have their like among the training stars; split by particle, none has."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=_elsewhere,
)
