"""E13: how wide and deep a network needs to be, and what that costs (paper, Sec. 4.1)."""

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, minus, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell
from exsitu.experiments.trial import Sample, Trial
from exsitu.provenance import read_json
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DEPTHS, _WIDTHS = (1, 2, 3, 4), (25, 50, 100, 200)
_DEPTH, _WIDTH = 3, 100
"""The paper's choice."""
_AT = "efficiency_accreted_at_1pct"
_COLUMNS = ("auc", _AT)
_SUBSET = 3
"""The scan learns from one in so many of the stars that other networks learn from: the paper's "small set"."""
_CLOSE = 0.02
"""Accreted efficiencies this near count as equal, as in E22."""


def _label(depth: int, width: int) -> str:
    return f"{depth} x {width}"


def _survey(settings: Settings) -> str:
    return settings.data.pretraining.surveys[0]


def _trials(settings: Settings) -> Mapping[str, Trial]:
    stars = max(1, settings.experiments.training_stars // _SUBSET)
    sample = Sample(surveys=(_survey(settings),), stars=stars)
    return {_label(d, w): Trial(sample=sample, hidden=(w,) * d) for d, w in product(_DEPTHS, _WIDTHS)}


def _cost(bench: Bench, label: str) -> dict[str, float]:
    """Numbers of the networks as they lie on disk; epochs are the mean over seeds."""
    from exsitu.model.network import load_model, weights_of

    folders = bench.folders(label)
    weights = weights_of(load_model(folders[0])[0])
    return {
        "parameters": sum(w.size for w in weights.values()),
        "multiplications": sum(w.size for w in weights.values() if w.ndim > 1),
        "epochs": float(np.mean([read_json(folder / "trial.json")["epochs"] for folder in folders])),
    }


def _architectures(bench: Bench, judged: Mapping[str, Judged]) -> pd.DataFrame:
    shapes = pd.DataFrame(list(product(_DEPTHS, _WIDTHS)), columns=["depth", "width"])
    costs = pd.DataFrame([_cost(bench, label) for label in judged])
    spent = costs["multiplications"] * costs["epochs"]
    chosen = list(judged).index(_label(_DEPTH, _WIDTH))
    table = table_of(judged, _COLUMNS)
    shapes = pd.concat([shapes, costs.assign(training_cost=spent / spent[chosen])], axis=1)
    return pd.concat([table[["name"]], shapes, table[table.columns[1:]]], axis=1)


def _measure(bench: Bench) -> Measured:
    survey = _survey(bench.settings)
    judged = {label: bench.judge(label, survey) for label in bench.trials}
    chosen = _label(_DEPTH, _WIDTH)
    differences = {f"{label} less {chosen}": minus(found, judged[chosen]) for label, found in judged.items()}
    sizes, stars = bench.sizes(), bench.test(survey)
    tables = {
        "architectures": _architectures(bench, judged),
        "differences": table_of({n: d for n, d in differences.items() if n != f"{chosen} less {chosen}"}, _COLUMNS),
        "sizes": sizes,
    }
    taught, n_accreted = cell(sizes, chosen, "training_stars")[0], int(stars["accreted"].sum())
    notes = (
        f"learnt from the same {taught:,.0f} stars of {survey}, tested on {len(stars):,}, {n_accreted:,} accreted",
        f"multiplications are those of one star scored; training cost is multiplications times epochs, of {chosen}: 1",
    )
    return Measured(tables, {}, notes)


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import lines_figure

    table = measured.tables["architectures"]
    layers = [f"{depth} hidden layer{'s' if depth > 1 else ''}" for depth in table["depth"]]
    against = {
        "width": "nodes in a layer",
        "parameters": "parameters",
        "training_cost": f"cost of training, {_label(_DEPTH, _WIDTH)}: 1",
    }
    labels = {"auc": "AUC", _AT: r"$\varepsilon_A$ at $\varepsilon_I$ = 1 %"}
    named = table.assign(group=layers)
    return {
        name: lines_figure(named, against, column, labels[column])
        for name, column in (("efficiency", _AT), ("auc", "auc"))
    }


def _claims(tables: Tables) -> list[Claim]:
    found, differences = tables["architectures"], tables["differences"]
    chosen, unit = _label(_DEPTH, _WIDTH), "in ε_A at ε_I = 1 %"
    larger = found[(found["depth"] >= _DEPTH) & (found["width"] >= _WIDTH) & (found["name"] != chosen)]
    best = max(larger["name"].astype(str), key=lambda name: -_lost(differences, name, chosen)[0])
    why = f"{best} costs {cell(found, best, 'training_cost')[0]:.2g} times as much to train"
    smaller = (_label(_DEPTHS[0], _WIDTH), _label(_DEPTH, _WIDTHS[0]), _label(_DEPTHS[0], _WIDTHS[0]))
    return [
        above(f"no larger network gains more than {_CLOSE} over {chosen}", *_lost(differences, best, chosen),
              limit=-_CLOSE, paper="saturated", unit=f"{unit}: {chosen} less the best of the larger, {best}", why=why),
        *(above(f"{name} is not enough yet", *_lost(differences, name, chosen), paper="implied: saturated at 3 x 100",
                unit=f"{unit}: {chosen} less {name}") for name in smaller),
    ]  # fmt: skip


def _lost(differences: pd.DataFrame, name: str, chosen: str) -> tuple[float, float]:
    value, error = cell(differences, f"{name} less {chosen}", _AT)
    return -value, error


EXPERIMENT = Experiment(
    name="E13",
    title="Architecture scan",
    source="Sec. 4.1",
    finding="On a small set of stars the performance saturates at three hidden layers of 100 nodes.",
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
)
