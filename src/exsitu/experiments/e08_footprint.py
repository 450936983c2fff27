"""E8: the validation again, transferred on stars in RAVE's part of the sky alone (paper, Sec. 8, footnote 9)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from exsitu.experiments.bench import Bench
from exsitu.experiments.common import RADIAL_VELOCITY, Judged, minus, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, cell, near
from exsitu.experiments.recipe import (
    PAPER_CUT,
    cuts_of,
    distributions,
    drawn_distributions,
    drawn_selections,
    hundredfold,
    recipe,
    selections_table,
    viewpoints,
)
from exsitu.experiments.trial import Sample, Trial
from exsitu.pages import measured
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EVERYWHERE, _FOOTPRINT = "all sky", "RAVE's footprint"
_SHOWN = ("l", "b", "parallax", "v_r", "v_phi", "v_z")
_COLUMNS = ("purity", "efficiency_accreted", "sum_chi2", "auc", "purity_at_47pct")
_CLOSE = 5.0
"""Points of per cent in which a minimal change may lie, as in E3; the paper gives no number."""
_CLOSE_CHI2 = 0.25
"""In sum of chi2, times 100: a quarter of what the paper's recipe is left with (Table 6)."""


def _trials(settings: Settings) -> Mapping[str, Trial]:
    there = Sample(surveys=settings.data.target.surveys[:1], filters=(*RADIAL_VELOCITY, "rave_footprint"))
    return {_EVERYWHERE: recipe(settings), _FOOTPRINT: recipe(settings, sample=there)}


def _measure(bench: Bench) -> Measured:
    survey = viewpoints(bench.settings, "target", 2, "E8")[1]
    stars = bench.test(survey)
    judged: dict[str, dict[str, Judged]] = {
        label: {name: bench.judge(label, survey, cut=cut) for name, cut in cuts_of(bench, label).items()}
        for label in bench.trials
    }
    flat = {f"{label}, {name}": found for label, cuts in judged.items() for name, found in cuts.items()}
    changed = {name: minus(found, judged[_EVERYWHERE][name]) for name, found in judged[_FOOTPRINT].items()}
    accreted = stars["accreted"].to_numpy(np.bool_)
    samples = {
        f"accreted in {bench.settings.data.target.galaxy} (truth)": stars[accreted],
        **{f"selected, {label}": stars[bench.scores(label, survey)[0] > PAPER_CUT] for label in bench.trials},
    }
    tables = {
        "selections": selections_table(flat, accreted),
        "changes": table_of(changed, _COLUMNS),
        "distributions": distributions(samples, _SHOWN),
        "sizes": bench.sizes(),
    }
    return Measured(tables, {}, (_note(tables, survey),))


def _note(tables: Tables, survey: str) -> str:
    taught = [cell(tables["sizes"], name, "training_stars")[0] for name in (_FOOTPRINT, _EVERYWHERE)]
    labelled = [cell(tables["sizes"], name, "training_accreted")[0] for name in (_FOOTPRINT, _EVERYWHERE)]
    return (
        f"tested on {survey}; transferred on {taught[0]:,.0f} stars of the footprint against {taught[1]:,.0f} of the "
        f"whole sky, labelled accreted {labelled[0]:,.0f} against {labelled[1]:,.0f}; the paper took as many of both"
    )


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    drawn = measured.tables["distributions"]
    looks = dict(zip(dict.fromkeys(drawn["name"]), (1, 20, 7), strict=True))
    return {
        "distributions": drawn_distributions(drawn, looks),
        "selections": drawn_selections(measured.tables["selections"], (_EVERYWHERE, _FOOTPRINT)),
    }


def _claims(tables: Tables) -> list[Claim]:
    changes, why, row = tables["changes"], _why(tables), f"S > {PAPER_CUT}"
    return [
        near(f"purity at {row} changes minimally", *hundredfold(cell(changes, row, "purity")), paper="minimally",
             within=_CLOSE, unit="points, footprint less all sky", why=why),
        near(f"accreted efficiency at {row} changes minimally",
             *hundredfold(cell(changes, row, "efficiency_accreted")), paper="minimally", within=_CLOSE,
             unit="points, footprint less all sky", why=why),
        near("the least Σχ² changes minimally", *hundredfold(cell(changes, "best cut", "sum_chi2")),
             paper="minimally", within=_CLOSE_CHI2, unit="×10⁻² in Σχ², footprint less all sky", why=why),
    ]  # fmt: skip


def _why(tables: Tables) -> str:
    """What taught, and whether the order of the scores changed or their scale."""
    labelled = [cell(tables["sizes"], name, "training_accreted")[0] for name in (_FOOTPRINT, _EVERYWHERE)]
    pure, auc = (cell(tables["changes"], "best cut", name) for name in ("purity_at_47pct", "auc"))
    return (
        f"{labelled[0]:,.0f} stars of the footprint carry the ZM label, {labelled[1]:,.0f} of the whole sky; the order "
        f"of the scores changes by {measured(*auc)} in AUC, and purity by {measured(*hundredfold(pure))} points where "
        "either network keeps 47 % of the accreted stars"
    )


EXPERIMENT = Experiment(
    name="E8",
    title="RAVE's footprint",
    source="Sec. 8, footnote 9",
    finding="Transferred on stars that are distributed on the sky as RAVE's, the validation changes only minimally.",
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=lambda settings: viewpoints(settings, "target", 2, "E8")[:2],
)
