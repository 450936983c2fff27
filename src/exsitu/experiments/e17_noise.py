"""E17: draws from the whole covariance of the errors, from the errors alone, and none (beyond the paper; App. B)."""

import dataclasses
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.experiments.bench import Bench
from exsitu.experiments.common import NETWORK_COLUMNS, Judged, minus, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.trial import Sample, Trial
from exsitu.model.inputs import correlated_pairs, input_columns
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AT = "efficiency_accreted_at_1pct"
_LOOKS = {"none": 0, "errors": 8, "covariance": 16}
"""Each has dashes of its own: curves that coincide must not hide one another."""

_CLOSE = 0.02
"""Accreted efficiencies this near count as equal, as in E22."""


def noises(settings: Settings) -> dict[str, Trial]:
    """
    One training by what its draws are made from.

    Parameters
    ----------
    settings : Settings
        Which galaxy.

    Returns
    -------
    dict of str to Trial
        ``none``, ``errors``, ``covariance``.
    """
    start = Trial(sample=Sample(surveys=settings.data.pretraining.surveys[:1]))
    return {
        "none": dataclasses.replace(start, noise="none"),
        "errors": dataclasses.replace(start, noise="errors"),
        "covariance": dataclasses.replace(start, noise="covariance"),
    }


def _surveys(settings: Settings) -> tuple[str, ...]:
    return (*settings.data.pretraining.surveys[:1], *settings.data.target.surveys[:2])


def _correlations(bench: Bench) -> pd.DataFrame:
    """How correlated the errors of the mocks are: pairs of inputs, and quantiles over the stars that teach."""
    survey = _surveys(bench.settings)[0]
    stars, columns = bench.surveys.stars(survey), input_columns("5D")
    rows = []
    for (i, j), name in correlated_pairs(columns).items():
        size = np.abs(stars[name].to_numpy(np.float64))
        median, most = np.quantile(size, (0.5, 0.95))
        rows.append({"name": f"{columns[j]}, {columns[i]}", "median_size": median, "size_95pct": most})
    return pd.DataFrame(rows)


def _errors(bench: Bench) -> pd.DataFrame:
    """How large the errors are that stars were measured with, and so carry already: medians, against their spread."""
    stars = bench.surveys.stars(_surveys(bench.settings)[0])
    rows = []
    for name in ("parallax", "pmra", "pmdec"):
        low, high = stars[name].quantile([0.16, 0.84])
        error = float(stars[f"{name}_error"].median())
        rows.append({"name": name, "median": error, "relative": error / (0.5 * (high - low))})
    return pd.DataFrame(rows)


def _measure(bench: Bench) -> Measured:
    networks: list[pd.DataFrame] = []
    differences: dict[str, Judged] = {}
    surveys = _surveys(bench.settings)
    for survey in surveys:
        judged = {noise: bench.judge(noise, survey) for noise in bench.trials}
        differences[f"errors less none, on {survey}"] = minus(judged["errors"], judged["none"])
        differences[f"covariance less errors, on {survey}"] = minus(judged["covariance"], judged["errors"])
        networks += [table_of({survey: found}, NETWORK_COLUMNS).assign(group=n) for n, found in judged.items()]
    table = pd.concat(networks, ignore_index=True)
    tables = {
        "networks": table.assign(row=table["group"] + ", on " + table["name"])[["row", *table.columns]],
        "differences": table_of(differences, NETWORK_COLUMNS),
        "roc": pd.concat([bench.roc(n, survey).assign(group=survey) for survey, n in product(surveys, bench.trials)]),
        "correlations": _correlations(bench),
        "errors": _errors(bench),
        "sizes": bench.sizes(),
    }
    return Measured(tables, {}, (_note(tables["correlations"]),))


def _note(correlations: pd.DataFrame) -> str:
    said = ", ".join(f"{row['name']} {row['median_size']:.2f}" for _, row in correlations.iterrows())
    return f"size of the correlations of the mocks' errors, in the median of the stars: {said}"


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import numbers_figure, roc_panels_figure

    shown = {"auc": "AUC", _AT: r"$\varepsilon_A$ at $\varepsilon_I$ = 1 %", "sum_chi2": r"least $\Sigma\chi^2$"}
    panels = {
        f"tested on {survey}": {str(name): curve for name, curve in members.groupby("name", sort=False)}
        for survey, members in measured.tables["roc"].groupby("group", sort=False)
    }
    groups = tuple(dict.fromkeys(measured.tables["networks"]["group"]))
    return {
        "networks": numbers_figure(measured.tables["networks"], shown, groups),
        "roc": roc_panels_figure(panels, looks=_LOOKS),
    }


def _claims(tables: Tables) -> list[Claim]:
    found, unit = tables["differences"], "in ε_A at ε_I = 1 %"
    names = found["name"].astype(str)
    why = "correlations " + ", ".join(
        f"{row['name']}: {row['median_size']:.2f}" for _, row in tables["correlations"].iterrows()
    )
    small = ", ".join(f"{row['name']} {100 * row['relative']:.2g} %" for _, row in tables["errors"].iterrows())
    sampled = [
        above(f"draws of the errors teach better than none, seen {_where(name)}", *cell(found, name, _AT),
              paper="critical to incorporate the uncertainties", unit=unit,
              why=f"of the spread of the stars, in the median, the errors are: {small}; stars carry them already")
        for name in names[names.str.startswith("errors")]
    ]  # fmt: skip
    correlated = [
        near(f"correlations of the errors need not be known, seen {_where(name)}", *cell(found, name, _AT),
             paper="not expected to be an issue", within=_CLOSE, unit=unit, why=why)
        for name in names[names.str.startswith("covariance")]
    ]  # fmt: skip
    return [*sampled, *correlated]


def _where(row: str) -> str:
    return row.rpartition(", ")[2]


EXPERIMENT = Experiment(
    name="E17",
    title="Noise",
    source="beyond the paper; App. B",
    finding=(
        "Measurement errors have to be part of the training. The paper draws them as if they were uncorrelated, and "
        "expects no harm from that, given its cut in parallax error."
    ),
    trials=noises,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=_surveys,
)
