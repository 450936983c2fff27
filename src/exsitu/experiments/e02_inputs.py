"""E2: how many numbers of a star a network needs: nine input sets (paper, Sec. 5.1, Fig. 3)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.evaluation.estimates import Estimate, Metric, average, estimates
from exsitu.evaluation.metrics import efficiency_accreted_at
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import (
    RADIAL_VELOCITY,
    Judged,
    judged_selection,
    minus,
    selection_metric,
    selections,
    table_of,
)
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.samples import particle_blocks
from exsitu.experiments.trial import Sample, Trial
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINEMATICS = ("4D", "5D", "6D")
_EXTRAS = ("", "+phot", "+feh")
_COMPARED = ("auc", "efficiency_accreted_at_1pct")
_CLOSE = 0.1
"""Accreted efficiencies this near count as close; the paper gives no number."""


def _survey(settings: Settings) -> str:
    return settings.data.pretraining.surveys[0]


def _trials(settings: Settings) -> Mapping[str, Trial]:
    sample = Sample(surveys=(_survey(settings),), filters=RADIAL_VELOCITY)
    return {f"{k}{e}": Trial(sample=sample, input_set=f"{k}{e}") for k in _KINEMATICS for e in _EXTRAS}


def _steps(judged: Mapping[str, Judged]) -> dict[str, Judged]:
    """What each further input gains, on the same stars."""
    first, second = minus(judged["5D"], judged["4D"]), minus(judged["6D"], judged["5D"])
    gains = {extra: [minus(judged[f"{k}{extra}"], judged[k]) for k in _KINEMATICS] for extra in _EXTRAS if extra}
    mean = {extra: {c: average([g[c] for g in found]) for c in _COMPARED} for extra, found in gains.items()}
    return {
        "4D to 5D": first,
        "5D to 6D": second,
        "4D to 5D, less 5D to 6D": minus(first, second),
        "+phot": mean["+phot"],
        "+feh, less +phot": minus(mean["+feh"], mean["+phot"]),
    }


def _against(bench: Bench, selected: Mapping[str, np.ndarray], stars: pd.DataFrame) -> dict[str, Estimate]:
    """Accreted efficiency of each network at the in situ efficiency of a selection, less the selection's."""
    accreted = stars["accreted"].to_numpy()
    blocks = particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)

    def margin(score: np.ndarray, chosen: np.ndarray) -> Metric:
        of_selection = selection_metric(chosen, accreted)

        def metric(counted: np.ndarray) -> dict[str, float]:
            found = of_selection(counted)
            reached = efficiency_accreted_at(score[counted], accreted[counted], found["efficiency_in_situ"])
            return {"margin": reached - found["efficiency_accreted"]}

        return metric

    return {
        f"{label} against {name}": estimates(
            [margin(s, chosen) for s in bench.scores(label, _survey(bench.settings), filters=RADIAL_VELOCITY)], blocks
        )["margin"]
        for label in bench.trials
        for name, chosen in selected.items()
    }


def _measure(bench: Bench) -> Measured:
    survey = _survey(bench.settings)
    stars = bench.test(survey, filters=RADIAL_VELOCITY)
    judged = {label: bench.judge(label, survey, filters=RADIAL_VELOCITY) for label in bench.trials}
    chosen = selections(stars, bench.surveys.sun(survey), bench.settings)
    traditional = {name: judged_selection(bench, stars, mask) for name, mask in chosen.items()}
    margins = _against(bench, {name: chosen[name] for name in ("V", "VM")}, stars)
    tables = {
        "networks": table_of(judged),
        "steps": table_of(_steps(judged), _COMPARED),
        "against": pd.DataFrame([{"name": name, **e.row("margin")} for name, e in margins.items()]),
        "selections": table_of(traditional, ("purity", "efficiency_accreted", "efficiency_in_situ")),
        "roc": pd.concat([bench.roc(label, survey, filters=RADIAL_VELOCITY) for label in bench.trials]),
        "sizes": bench.sizes(),
    }
    n_accreted = int(stars["accreted"].sum())
    note = f"tested on {len(stars):,} stars of {survey} with a radial velocity, {n_accreted:,} of them accreted"
    return Measured(tables, {}, (note,))


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import numbers_figure, roc_panels_figure

    curves = {str(name): curve for name, curve in measured.tables["roc"].groupby("name")}
    traditional = measured.tables["selections"].set_index("name")
    points = {
        name: (float(row["efficiency_accreted"]), float(row["efficiency_in_situ"]))
        for name, row in traditional.iterrows()
        if name in {"V", "VM"} and row["efficiency_in_situ"] > 0
    }
    by_kinematics = {k: {f"{k}{e}": curves[f"{k}{e}"] for e in _EXTRAS} for k in _KINEMATICS}
    by_extras = {e or "kinematics alone": {f"{k}{e}": curves[f"{k}{e}"] for k in _KINEMATICS} for e in _EXTRAS}
    shown = {"auc": "AUC", "efficiency_accreted_at_1pct": r"$\varepsilon_A$ at $\varepsilon_I$ = 1 %"}
    return {
        "roc_by_kinematics": roc_panels_figure(by_kinematics, points),
        "roc_by_extras": roc_panels_figure(by_extras, points),
        "networks": numbers_figure(measured.tables["networks"], shown),
    }


def _least(table: pd.DataFrame) -> tuple[str, float, float]:
    row = table.iloc[int(np.argmin(table["margin"]))]
    return str(row["name"]), float(row["margin"]), float(row["margin_error"])


def _claims(tables: Tables) -> list[Claim]:
    steps, against = tables["steps"], tables["against"]
    names = against["name"].astype(str)
    with_feh = against[names.str.contains("+feh", regex=False)]
    worst, margin, error = _least(with_feh)
    gain = {row: cell(steps, row, "auc") for row in steps["name"].astype(str)}
    return [
        above("5D beats 4D", *gain["4D to 5D"], paper="it does", unit="in AUC"),
        above("6D beats 5D", *gain["5D to 6D"], paper="it does", unit="in AUC"),
        above("the step from 4D to 5D is larger than that from 5D to 6D", *gain["4D to 5D, less 5D to 6D"],
              paper="it is", unit="in AUC"),
        above("photometry helps", *gain["+phot"], paper="it does", unit="in AUC, mean of 4D, 5D and 6D"),
        above("[Fe/H] helps more than photometry", *gain["+feh, less +phot"], paper="it does",
              unit="in AUC, mean of 4D, 5D and 6D"),
        above("every network with [Fe/H] beats V and VM", margin, error, paper="all do",
              unit=f"in ε_A at equal ε_I, least margin: {worst}", why="the least of six margins is shown"),
        near("5D kinematics comes close to V", *cell(against, "5D against V", "margin"), paper="close", within=_CLOSE,
             unit="in ε_A at equal ε_I"),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="E2",
    title="Input dimensionality",
    source="Sec. 5.1, Fig. 3",
    finding=(
        "4D < 5D < 6D, the step from 4D to 5D the larger one; photometry helps, [Fe/H] helps more; with [Fe/H] every "
        "network beats V and VM; 5D kinematics comes close to V."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
)
