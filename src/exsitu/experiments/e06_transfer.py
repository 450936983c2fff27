"""E6: the ways to transfer to another galaxy (paper, Sec. 7.2, Table 6, Figs. 8 and 9)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.evaluation.checks import VELOCITIES
from exsitu.evaluation.estimates import Estimate
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import RADIAL_VELOCITY, judged_selection, pretrained, table_of, transferred
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.recipe import hundredfold
from exsitu.experiments.trial import Trial
from exsitu.pages import measured
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYERS: Mapping[str, tuple[str, ...]] = {"first": ("first",), "last": ("last",), "first + last": ("first", "last")}
"""Layers that learn, as the paper names them."""

_LABELS = ("VM", "ZM")
_COLUMNS = (
    "sum_chi2", "cut", "purity", "efficiency_accreted", "efficiency_in_situ", "auc", "efficiency_accreted_at_1pct",
)  # fmt: skip
_PAPER = {
    "none": 1.07e-2, "VM first": 2.13e-2, "VM last": 1.20e-2, "VM first + last": 2.28e-2, "ZM first": 1.04e-2,
    "ZM last": 1.02e-2, "ZM first + last": 1.03e-2,
}  # fmt: skip
"""Table 6: least sum of chi2."""


def variants(start: Trial, settings: Settings) -> dict[str, Trial]:
    """
    All ways to carry a network over, none among them.

    Parameters
    ----------
    start : Trial
        The pretrained network.
    settings : Settings
        Which galaxy.

    Returns
    -------
    dict of str to Trial
        ``none``, then ``VM first`` to ``ZM first + last``.
    """
    return {"none": start} | {
        f"{label} {name}": transferred(start, settings, f"label_{label.lower()}", layers)
        for label in _LABELS
        for name, layers in LAYERS.items()
    }


def _survey(settings: Settings) -> str:
    return settings.data.target.surveys[0]


def _trials(settings: Settings) -> Mapping[str, Trial]:
    return variants(pretrained(settings), settings)


def _differences(chi2: Mapping[str, Estimate]) -> pd.DataFrame:
    """Of least sums of chi2 on the same stars."""
    found = {f"VM less ZM, {layers}": chi2[f"VM {layers}"] - chi2[f"ZM {layers}"] for layers in LAYERS}
    found |= {f"{name} less ZM last": e - chi2["ZM last"] for name, e in chi2.items() if name != "ZM last"}
    return pd.DataFrame([{"name": name, **e.row("sum_chi2")} for name, e in found.items()])


def _measure(bench: Bench) -> Measured:
    survey = _survey(bench.settings)
    stars = bench.test(survey)
    judged = {label: bench.judge(label, survey) for label in bench.trials}
    table = table_of(judged, _COLUMNS).assign(paper_sum_chi2=[_PAPER[name] for name in judged])
    tables = {
        "variants": table,
        "differences": _differences({name: found["sum_chi2"] for name, found in judged.items()}),
        "labels": _labels(bench, survey),
        "scans": pd.concat([bench.scan(label, survey) for label in bench.trials]),
        "sizes": bench.sizes(),
    }
    best = str(table["name"].iloc[int(np.argmin(table["sum_chi2"]))])
    velocities, accreted = stars[list(VELOCITIES)].to_numpy(np.float64), stars["accreted"].to_numpy()
    score = bench.scores(best, survey)[0]
    cuts = sorted({0.5, float(table.loc[table["name"] == best, "cut"].iloc[0])})
    selected = {f"{best}, S > {cut:.2f}": velocities[score > cut] for cut in cuts}
    drawn = {"accreted (truth)": velocities[accreted], **{n: v for n, v in selected.items() if len(v)}}
    return Measured(tables, drawn, (_note(bench, survey, stars),))


def _labels(bench: Bench, survey: str) -> pd.DataFrame:
    """What the labels are worth by themselves, on test stars with a radial velocity: what networks are taught."""
    stars = bench.test(survey, filters=RADIAL_VELOCITY)
    judged = {label: judged_selection(bench, stars, stars[f"label_{label.lower()}"].to_numpy()) for label in _LABELS}
    return table_of(judged, ("purity", "efficiency_accreted", "efficiency_in_situ", "sum_chi2"))


def _note(bench: Bench, survey: str, stars: pd.DataFrame) -> str:
    taught = bench.sizes()
    labels = {label: cell(taught, f"{label} last", "training_accreted")[0] for label in _LABELS}
    labelled = ", ".join(f"{label} {count:,.0f}" for label, count in labels.items())
    n_accreted, n_taught = int(stars["accreted"].sum()), cell(taught, "ZM last", "training_stars")[0]
    return (
        f"tested on {len(stars):,} stars of {survey}, {n_accreted:,} of them accreted; transferred on {n_taught:,.0f} "
        f"stars, labelled accreted: {labelled}"
    )


def _draw(measured: Measured, settings: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.figures import velocity_figure
    from exsitu.evaluation.panels import numbers_figure, scans_figure

    variants_table = measured.tables["variants"]
    scaled = variants_table.assign(
        sum_chi2=100 * variants_table["sum_chi2"], sum_chi2_error=100 * variants_table["sum_chi2_error"],
        purity=100 * variants_table["purity"], purity_error=100 * variants_table["purity_error"],
    )  # fmt: skip
    scans = {str(name): scan for name, scan in measured.tables["scans"].groupby("name", sort=False)}
    truth = measured.stars["accreted (truth)"]
    selected = {name: stars for name, stars in measured.stars.items() if name != "accreted (truth)"}
    shown = {"sum_chi2": r"least $\Sigma\chi^2 \times 10^2$", "purity": "purity there  [%]", "cut": "its cut"}
    return {
        "variants": numbers_figure(scaled, shown),
        "scans": scans_figure(scans, settings.evaluation.min_selected),
        "velocities": velocity_figure(truth, selected, settings.evaluation.velocity_bins),
    }


def _why(tables: Tables) -> str:
    """What ZM has to beat: how pure labels are, and how near the velocities of their stars come to the truth."""
    told = []
    for label in _LABELS:
        count, _ = cell(tables["sizes"], f"{label} last", "training_accreted")
        purity, chi2 = (cell(tables["labels"], label, name) for name in ("purity", "sum_chi2"))
        told.append(
            f"{label} labels {count:,.0f} stars, {measured(*hundredfold(purity))} % of its stars are accreted, and "
            f"their velocities lie {measured(*hundredfold(chi2))} ×10⁻² in Σχ² from the truth"
        )
    return "; ".join(told)


def _claims(tables: Tables) -> list[Claim]:
    differences, found = tables["differences"], tables["variants"]
    why = _why(tables)
    claims = [
        above(f"ZM beats VM in the layers: {layers}",
              *hundredfold(cell(differences, f"VM less ZM, {layers}", "sum_chi2")),
              paper=f"{100 * (_PAPER[f'VM {layers}'] - _PAPER[f'ZM {layers}']):.2f}", unit="×10⁻² in Σχ²", why=why)
        for layers in LAYERS
    ]  # fmt: skip
    rivals = differences[differences["name"].str.endswith("less ZM last")]
    nearest = str(rivals["name"].iloc[int(np.argmin(rivals["sum_chi2"]))])
    best = str(found["name"].iloc[int(np.argmin(found["sum_chi2"]))])
    cut, error = cell(found, "ZM last", "cut")
    return [
        *claims,
        above("ZM in the last layer is the best of all", *hundredfold(cell(differences, nearest, "sum_chi2")),
              paper="0.01 below its nearest rival", unit=f"×10⁻² in Σχ²: {nearest}", why=f"best here: {best}"),
        near("the best cut of ZM last lies between 0.5 and 0.9", cut - 0.7, error, paper="0.75", within=0.2,
             unit="from 0.7"),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="E6",
    title="Transfer variants",
    source="Sec. 7.2, Table 6, Figs. 8 and 9",
    finding=(
        "Labels from height and metallicity (ZM) always carry over better than those from the velocity mixture (VM); "
        "best is ZM in the last layer, at a cut of 0.75."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
)
