"""E15: gradient-boosted trees in the network's place (paper, Sec. 4)."""

import dataclasses
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import pandas as pd

from exsitu.experiments.bench import Bench
from exsitu.experiments.common import NETWORK_COLUMNS, Judged, minus, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell
from exsitu.experiments.recipe import REPRESENTATIONS
from exsitu.experiments.trial import Sample, Trial
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = ("network", "trees")
_AT = "efficiency_accreted_at_1pct"


def _trials(settings: Settings) -> Mapping[str, Trial]:
    start = Trial(sample=Sample(surveys=settings.data.pretraining.surveys[:1]))
    return {
        f"{representation}: {kind}": dataclasses.replace(start, representation=representation, kind=kind)
        for representation, kind in product(REPRESENTATIONS, _KINDS)
    }


def _surveys(settings: Settings) -> tuple[str, ...]:
    """The survey that teaches, and another galaxy's."""
    return (*settings.data.pretraining.surveys[:1], *settings.data.target.surveys[:2])


def _measure(bench: Bench) -> Measured:
    networks: list[pd.DataFrame] = []
    differences: dict[str, Judged] = {}
    for survey, representation in product(_surveys(bench.settings), REPRESENTATIONS):
        judged = {kind: bench.judge(f"{representation}: {kind}", survey) for kind in _KINDS}
        name = f"{representation} on {survey}"
        differences[f"network less trees, {name}"] = minus(judged["network"], judged["trees"])
        networks += [table_of({name: found}).assign(group=kind) for kind, found in judged.items()]
    table = pd.concat(networks, ignore_index=True)
    curves = [
        bench.roc(label, survey).assign(group=survey)
        for survey, label in product(_surveys(bench.settings), bench.trials)
    ]
    sizes = bench.sizes()
    tables = {
        "networks": table.assign(row=table["group"] + ", " + table["name"])[["row", *table.columns]],
        "differences": table_of(differences, NETWORK_COLUMNS),
        "roc": pd.concat(curves),
        "sizes": sizes,
    }
    taught, accreted = (cell(sizes, "measured: trees", f"training_{n}")[0] for n in ("stars", "accreted"))
    note = (
        f"both learnt from the same {taught:,.0f} stars of {_surveys(bench.settings)[0]}, {accreted:,.0f} accreted, "
        "with the same class weights and as many draws of their errors an epoch"
    )
    return Measured(tables, {}, (note,))


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import numbers_figure, roc_panels_figure

    shown = {
        "auc": "AUC",
        _AT: r"$\varepsilon_A$ at $\varepsilon_I$ = 1 %",
        "sum_chi2": r"least $\Sigma\chi^2$",
    }
    looks = {f"{r}: {k}": i + 7 * j for (i, r), (j, k) in product(enumerate(REPRESENTATIONS), enumerate(_KINDS))}
    panels = {
        f"tested on {survey}": {str(name): curve for name, curve in members.groupby("name", sort=False)}
        for survey, members in measured.tables["roc"].groupby("group", sort=False)
    }
    return {
        "networks": numbers_figure(measured.tables["networks"], shown, _KINDS),
        "roc": roc_panels_figure(panels, looks=looks),
    }


def _claims(tables: Tables) -> list[Claim]:
    differences = tables["differences"]
    why = "trees of depth 6, as one takes them from the shelf; no setting of either was searched for"
    return [
        above(f"the network does better than trees: {name.removeprefix('network less trees, ')}",
              *cell(differences, name, _AT), paper="a general increase in performance", unit="in ε_A at ε_I = 1 %",
              why=why)
        for name in differences["name"].astype(str)
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="E15",
    title="Trees instead of a network",
    source="Sec. 4",
    finding=(
        "Networks are chosen over gradient-boosted trees for a general increase in performance, and because part of a "
        "network can be frozen in transfer."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=_surveys,
)
