"""E1: the traditional selections V, VM and ZM, and their Toomre diagrams (paper, Sec. 3, Table 1, Figs. 1 and 2)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.evaluation.checks import VELOCITIES
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import RADIAL_VELOCITY, judged_selection, selections, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell
from exsitu.experiments.samples import FILTERS
from exsitu.experiments.trial import Trial
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = ("purity", "efficiency_accreted", "efficiency_in_situ")
_MORE = "sum_chi2"
"""Beyond Table 1: how near the velocities of the selected stars come to those of all accreted ones."""
_PAPER = {"V": (0.096, 0.860, 0.045), "VM": (0.305, 0.862, 0.011), "ZM": (0.509, 0.024, 0.0002)}
"""Table 1: purity, accreted and in situ efficiency. V and VM are of stars with a radial velocity, ZM of all."""


def _survey(settings: Settings) -> str:
    return settings.data.pretraining.surveys[0]


def _trials(_: Settings) -> Mapping[str, Trial]:
    return {}


def _measure(bench: Bench) -> Measured:
    survey = _survey(bench.settings)
    every = bench.surveys.stars(survey)
    moving = every[FILTERS[RADIAL_VELOCITY[0]](every)].reset_index(drop=True)
    sun = bench.surveys.sun(survey)
    chosen = selections(moving, sun, bench.settings)
    judged = {name: judged_selection(bench, moving, chosen[name]) for name in ("V", "VM")}
    judged["ZM"] = judged_selection(bench, every, selections(every, sun, bench.settings)["ZM"])
    judged["ZM, with radial velocity"] = judged_selection(bench, moving, chosen["ZM"])
    ratios = {
        "VM over V": judged["VM"]["purity"].value / judged["V"]["purity"].value,
        "ZM over VM": judged["ZM"]["purity"].value / judged["VM"]["purity"].value,
    }
    errors = {name: judged[name]["purity"].error / judged[name]["purity"].value for name in judged}
    pairs = {"VM over V": ("VM", "V"), "ZM over VM": ("ZM", "VM")}
    purities = pd.DataFrame(
        {
            "name": list(ratios),
            "ratio": list(ratios.values()),
            "ratio_error": [ratios[n] * float(np.hypot(errors[a], errors[b])) for n, (a, b) in pairs.items()],
        }
    )
    table = table_of(judged, (*_COLUMNS, _MORE)).assign(
        **{f"paper_{c}": [_PAPER.get(n, (np.nan,) * 3)[i] for n in judged] for i, c in enumerate(_COLUMNS)}
    )
    velocities = moving[list(VELOCITIES)].to_numpy(np.float64)
    truth = moving["accreted"].to_numpy()
    panels = {"in situ": ~truth, "accreted": truth, **chosen}
    counts = len(every), int(every["accreted"].sum()), len(moving), int(truth.sum())
    note = "{:,} stars of {}, {:,} of them accreted; {:,} with a radial velocity, {:,} of them accreted"
    notes = (note.format(counts[0], survey, *counts[1:]),)
    return Measured(
        {"selections": table, "purities": purities}, {n: velocities[mask] for n, mask in panels.items()}, notes
    )


def _draw(measured: Measured, settings: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.figures import toomre_figure

    groups = {"truth": ("in situ", "accreted"), "selections": ("V", "VM", "ZM")}
    return {
        f"toomre_{name}": toomre_figure(
            {title: (stars[:, 0], stars[:, 1], stars[:, 2]) for title in titles if len(stars := measured.stars[title])},
            settings.labels.v_lsr_kms,
        )
        for name, titles in groups.items()
    }


def _claims(tables: Tables) -> list[Claim]:
    found, ratios = tables["selections"], tables["purities"]
    purity = {name: cell(found, name, "purity") for name in ("V", "VM", "ZM")}
    kept = cell(found, "ZM", "efficiency_accreted")
    most = cell(found, "VM", "efficiency_accreted")
    return [
        above("VM is purer than V", *cell(ratios, "VM over V", "ratio"), paper="30.5 % over 9.6 %", limit=1.0,
              unit="times"),
        above("ZM is purer than VM", *cell(ratios, "ZM over VM", "ratio"), paper="50.9 % over 30.5 %", limit=1.0,
              unit="times", why=f"ZM here: {100 * purity['ZM'][0]:.1f} ± {100 * purity['ZM'][1]:.1f} %"),
        above("ZM pays with the accreted stars it loses: VM keeps more than ten times as many", most[0] / kept[0],
              most[0] / kept[0] * kept[1] / kept[0], paper="86.2 % over 2.4 %", limit=10.0, unit="times"),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="E1",
    title="Traditional selections",
    source="Sec. 3, Table 1, Figs. 1 and 2",
    finding=(
        "On m12i LSR0 the velocity cut V is complete and impure, the velocity mixture with a metallicity cut (VM) "
        "three times purer, height and metallicity (ZM) purer still and all but empty."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=lambda settings: (_survey(settings),),
)
