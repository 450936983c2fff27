"""E12: kinematics and photometry together, from viewpoints to the catalog (paper, App. C, Figs. SC.1 to SC.3)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.evaluation.estimates import Estimate, Metric, estimates
from exsitu.experiments.bench import Bench
from exsitu.experiments.catalogs import (
    catalog_distributions,
    catalog_figures,
    catalog_table,
    drawn_columns,
    fair_rows,
    gaia_weights,
    planes,
    selecting,
    whole_crossmatch,
)
from exsitu.experiments.common import Judged, Mask, minus, pretrained, table_of, transferred
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.milky_way import GAIA, SPECTRA, truth_of
from exsitu.experiments.recipe import (
    PAPER_CUT,
    chosen_cut,
    drawn_distributions,
    hundredfold,
    recipe,
    selections_table,
    viewpoints,
)
from exsitu.experiments.samples import FILTERS, particle_blocks
from exsitu.experiments.trial import Sample, Trial
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INPUTS = "5D+phot"
_VARIANTS = ("none", "ZM last", "ZM first", "VM last")
_TRANSFERRED, _KINEMATIC, _KINEMATIC_TRANSFERRED = "Milky Way", "5D: ZM last", "5D: Milky Way"
_CATALOGS = {_INPUTS: ("ZM last", _TRANSFERRED), "5D": (_KINEMATIC, _KINEMATIC_TRANSFERRED)}
"""Inputs, the network whose cut is chosen on the mock, and that of the Milky Way."""
_PAPER_BEST = 0.9
_PAPER_CUTS = {_INPUTS: _PAPER_BEST, "5D": PAPER_CUT}
_PAPER_SHARES = {f"{_INPUTS}, S > {_PAPER_BEST}": 0.53, f"5D, S > {PAPER_CUT}": 1.06}
"""383 k and 767 k of 72 M stars, per cent."""
_AT = "efficiency_accreted_at_1pct"
_DISC_KMS = (150.0, 300.0)
"""Rotation that counts as the disc's, as in E21."""
_HALF, _WITHIN = 0.5, 0.25
"""About half as many, and how near to it."""
_DISC = f"disc-like share of the selected: {_INPUTS} less 5D"
_RATIO = f"stars selected: {_INPUTS} over 5D"
_VELOCITIES = ("v_r", "v_phi", "v_z")
_COLUMNS = ("sum_chi2", "cut", "purity", "efficiency_accreted", "auc", _AT)


def _viewpoints(settings: Settings) -> dict[str, tuple[str, ...]]:
    """What networks of one viewpoint and of a pair learn from; the second viewpoint is the one they are tested on."""
    first, tested, other, *_ = viewpoints(settings, "pretraining", 3, "E12")
    groups = ((tested,), (first, other), (first,))
    return {" + ".join(s.rsplit("/", 1)[-1].upper() for s in group): group for group in groups}


def _trials(settings: Settings) -> Mapping[str, Trial]:
    start = pretrained(settings, input_set=_INPUTS)
    layers = {name: (name.split()[1],) for name in _VARIANTS[1:]}
    labels = {name: f"label_{name.split()[0].lower()}" for name in layers}
    with_photometry = whole_crossmatch(("photometry",))
    return {
        "none": start,
        **{name: transferred(start, settings, labels[name], layers[name]) for name in layers},
        _TRANSFERRED: recipe(settings, input_set=_INPUTS, sample=with_photometry),
        _KINEMATIC: recipe(settings),
        _KINEMATIC_TRANSFERRED: recipe(settings, sample=whole_crossmatch()),
        **{
            name: Trial(sample=Sample(surveys=surveys), input_set=_INPUTS)
            for name, surveys in _viewpoints(settings).items()
        },
    }


def _on_viewpoints(bench: Bench) -> dict[str, pd.DataFrame]:
    """E4 in small."""
    names, tested = list(_viewpoints(bench.settings)), bench.settings.data.pretraining.surveys[1]
    judged = {name: bench.judge(name, tested) for name in names}
    pair, single = judged[names[1]], judged[names[-1]]
    gain: dict[str, Judged] = {"pair over single": {"ratio": pair[_AT] / single[_AT]}}
    return {
        "viewpoints": table_of(judged, ("auc", _AT)),
        "gain": table_of(gain, ("ratio",)),
        "roc": pd.concat([bench.roc(name, tested).assign(group=tested) for name in names]),
    }


def _on_target(bench: Bench) -> dict[str, pd.DataFrame]:
    """E6 and E7 in small: the variants, and the chosen one on the other viewpoint."""
    first, second = viewpoints(bench.settings, "target", 2, "E12")[:2]
    judged = {name: bench.judge(name, first) for name in _VARIANTS}
    rivals = {f"{name} less ZM last": minus(judged[name], judged["ZM last"]) for name in _VARIANTS if name != "ZM last"}
    cuts = {"best cut": chosen_cut(bench, "ZM last"), f"S > {_PAPER_BEST}": _PAPER_BEST}
    validated = {name: bench.judge("ZM last", second, cut=cut) for name, cut in cuts.items()}
    return {
        "variants": table_of(judged, _COLUMNS),
        "differences": table_of(rivals, ("sum_chi2", "auc", _AT)),
        "validation": selections_table(validated, bench.test(second)["accreted"].to_numpy()),
    }


def disc_like(score: NDArray[Any], cut: float, v_phi: NDArray[np.float64], weight: NDArray[np.float64]) -> Metric:
    """
    Make the metric of how many selected stars rotate with the disc.

    Parameters
    ----------
    score : ndarray, shape (n_stars,)
        Network output.
    cut : float
        Score cut.
    v_phi : ndarray, shape (n_stars,)
        Rotation, km/s; NaN where it is not known.
    weight : ndarray, shape (n_stars,)
        Stars of the sky that each stands for.

    Returns
    -------
    callable
        Takes which stars count; gives ``disc_like``: their share of the selected stars with three velocities.
    """
    selected = (score > cut) & np.isfinite(v_phi)
    rotates = selected & (v_phi > _DISC_KMS[0]) & (v_phi < _DISC_KMS[1])

    def metric(counted: Mask) -> dict[str, float]:
        whole = float(weight[counted & selected].sum())
        return {"disc_like": float(weight[counted & rotates].sum()) / whole if whole else float("nan")}

    return metric


def _of_gaia(bench: Bench, stars: pd.DataFrame, scores: Mapping[str, list[NDArray[np.float32]]]) -> dict[str, Judged]:
    """The catalogs of both networks, at the best cut and at the paper's."""
    weight, truth = gaia_weights(bench, stars), truth_of(stars)
    v_phi = stars["v_phi"].to_numpy(np.float64)
    blocks = particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)
    found: dict[str, Judged] = {}
    for inputs, (chosen, _) in _CATALOGS.items():
        cuts = {"best cut": chosen_cut(bench, chosen), f"S > {_PAPER_CUTS[inputs]}": _PAPER_CUTS[inputs]}
        for name, cut in cuts.items():
            catalog = estimates([selecting(score, cut, weight, truth) for score in scores[inputs]], blocks)
            disc = estimates([disc_like(score, cut, v_phi, weight) for score in scores[inputs]], blocks)
            found[f"{inputs}, {name}"] = {**catalog, **disc}
    return found


def _compared(catalogs: Mapping[str, Judged]) -> dict[str, dict[str, Estimate]]:
    photometric, kinematic = (catalogs[f"{inputs}, best cut"] for inputs in _CATALOGS)
    return {
        _RATIO: {"value": photometric["share"] / kinematic["share"]},
        _DISC: {"value": photometric["disc_like"] - kinematic["disc_like"]},
    }


def _measure(bench: Bench) -> Measured:
    stars = bench.surveys.stars(GAIA)
    stars = stars[FILTERS["photometry"](stars)].reset_index(drop=True)
    scores = {inputs: bench.scores_of(network, GAIA, stars) for inputs, (_, network) in _CATALOGS.items()}
    catalogs = _of_gaia(bench, stars, scores)
    fair = fair_rows(bench, stars)
    shown = stars[fair].reset_index(drop=True)
    cut = catalogs[f"{_INPUTS}, best cut"]["cut"].value
    selected = scores[_INPUTS][0][fair] > cut
    disc = {name: found["disc_like"].row("disc_like_share") for name, found in catalogs.items()}
    tables = {
        "catalog": catalog_table(catalogs, _PAPER_SHARES).merge(
            pd.DataFrame.from_dict(disc, orient="index").rename_axis("name").reset_index(), on="name"
        ),
        "compared": table_of(_compared(catalogs), ("value",)),
        **_on_target(bench),
        **_on_viewpoints(bench),
        "distributions": catalog_distributions(shown, selected),
        "sizes": bench.sizes(),
    }
    note = (
        f"{len(stars):,} Gaia stars with magnitudes, {int(stars['v_phi'].notna().sum()):,} of them with three "
        f"velocities; figures at the best cut on the mock, S > {cut:.2f}, of the first seed; errors of the survey's "
        "magnitudes are those expected"
    )
    return Measured(tables, drawn_columns(shown, selected), (note,))


def _draw(measured: Measured, settings: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import numbers_figure, roc_panels_figure

    curves = measured.tables["roc"]
    panel = {str(name): curve for name, curve in curves.groupby("name", sort=False)}
    tested = settings.data.pretraining.surveys[1].rsplit("/", 1)[-1].upper()
    variants = measured.tables["variants"]
    scaled = variants.assign(
        sum_chi2=100 * variants["sum_chi2"], sum_chi2_error=100 * variants["sum_chi2_error"],
        purity=100 * variants["purity"], purity_error=100 * variants["purity_error"],
    )  # fmt: skip
    shown = {"sum_chi2": r"least $\Sigma\chi^2 \times 10^2$", "purity": "purity there  [%]", "cut": "its cut"}
    return {
        "roc": roc_panels_figure({f"5D+phot, tested on {tested}": panel}),
        "variants": numbers_figure(scaled, shown),
        "velocities": planes(measured.stars, _VELOCITIES),
        **catalog_figures(measured.stars),
        "distributions": drawn_distributions(measured.tables["distributions"]),
    }


def _claims(tables: Tables) -> list[Claim]:
    differences, variants, catalog = tables["differences"], tables["variants"], tables["catalog"]
    gain, gain_error = cell(tables["gain"], "pair over single", "ratio")
    nearest = str(differences["name"].iloc[int(np.argmin(differences["sum_chi2"]))])
    rival = f"least of the others: {nearest.removesuffix(' less ZM last')}"
    cut, error = cell(variants, "ZM last", "cut")
    purity = [cell(tables["validation"], "best cut", "purity"), cell(variants, "ZM last", "purity")]
    changed = (purity[0][0] - purity[1][0], float(np.hypot(purity[0][1], purity[1][1])))
    ratio, ratio_error = cell(tables["compared"], _RATIO, "value")
    disc = [100 * cell(catalog, f"{inputs}, best cut", "disc_like_share")[0] for inputs in _CATALOGS]
    right = [cell(catalog, f"{inputs}, best cut", "purity")[0] for inputs in _CATALOGS]
    why = (
        f"by the truth the catalogs are {right[0]:.0f} % and {right[1]:.0f} % pure" if np.isfinite(right).all() else ""
    )
    return [
        above("a network of two viewpoints gains over one on the other", 100 * (gain - 1), 100 * gain_error,
              paper="8 % and 12 %", unit="% of ε_A at ε_I = 1 %"),
        above("ZM in the last layer is the best label and layer", *hundredfold(cell(differences, nearest, "sum_chi2")),
              paper="it is", unit=f"×10⁻² in Σχ²: {nearest}", why=rival),
        near("the best cut is 0.9", cut - _PAPER_BEST, error, paper="0.9", within=0.1, unit="from 0.9"),
        near("on the other viewpoint the purity is consistent", *hundredfold(changed), paper="consistent", within=5.0,
             unit="points, other viewpoint less first"),
        near("it selects about half as many of Gaia's stars as kinematics alone", ratio - _HALF, ratio_error,
             paper="383 k against 767 k", within=_WITHIN, unit="from one half, ratio of stars selected", why=why),
        above("its catalog holds more stars that rotate with the disc",
              *hundredfold(cell(tables["compared"], _DISC, "value")), paper="peaks consistent with the disc",
              unit=f"points: {disc[0]:.0f} % against {disc[1]:.0f} %", why=why),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="E12",
    title="Photometric network",
    source="App. C, Figs. SC.1 to SC.3",
    finding=(
        "With photometry the networks carry over between viewpoints; ZM in the last layer is again the best transfer, "
        "at a cut of 0.9. The catalog is half as large as that of kinematics alone, and holds more disc stars."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=lambda settings: (
        *(GAIA, SPECTRA, settings.data.pretraining.surveys[1]),
        *viewpoints(settings, "target", 2, "E12")[:2],
    ),
)
