"""E9: the Milky Way's stars with spectra in thirds, each judged by what the others taught (paper, Sec. 8.1)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.evaluation.estimates import Metric, estimates
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, Mask, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.milky_way import EVERY_STAR, SPECTRA, absolute_magnitude, truth_of
from exsitu.experiments.recipe import AXES, PAPER_CUT, chosen_cut, hundredfold, recipe
from exsitu.experiments.samples import FILTERS, THIRDS, particle_blocks
from exsitu.experiments.trial import Sample, Trial
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from exsitu.evaluation.grids import Plane

_RECIPE = "ZM last"
_VELOCITIES = ("v_r", "v_phi", "v_z")
_TOLD = ("stars", "v_r_mean", "v_phi_mean", "v_z_mean", "v_phi_median", "feh_median", "feh_99pct", "accreted_share")
_ROTATION_KMS, _NEAR_ROTATION_KMS = 224.0, 30.0
"""Of the local standard of rest (paper, Sec. 3), and how near the in situ stars' median has to come."""
_SYMMETRIC_KMS = 50.0
"""Mean velocity up to which a distribution counts as roughly symmetric around zero; the paper gives no number."""
_PAPER_STARS, _PAPER_ZM = 347_979, 849


def _without(third: int) -> str:
    return f"without third {third + 1}"


def _trials(settings: Settings) -> Mapping[str, Trial]:
    taught = {
        _without(third): Sample(surveys=(SPECTRA,), filters=(f"but_third_{third}",), stars=EVERY_STAR)
        for third in range(THIRDS)
    }
    return {_RECIPE: recipe(settings)} | {label: recipe(settings, sample=sample) for label, sample in taught.items()}


def _scores(bench: Bench, stars: pd.DataFrame) -> list[NDArray[np.float32]]:
    """Of each star by the network that learnt from the other two thirds, seed by seed."""
    members = [FILTERS[f"third_{third}"](stars) for third in range(THIRDS)]
    parts = [bench.scores_of(_without(third), SPECTRA, stars[own]) for third, own in enumerate(members)]
    found = []
    for of_seed in zip(*parts, strict=True):
        whole = np.full(len(stars), np.nan, np.float32)
        for own, part in zip(members, of_seed, strict=True):
            whole[own] = part
        found.append(whole)
    return found


def told(selected: Mask, stars: pd.DataFrame) -> Metric:
    """
    Make the metric that describes some stars.

    Parameters
    ----------
    selected : ndarray of bool, shape (n_stars,)
        Which.
    stars : DataFrame
        All, with velocities and [Fe/H] and, where the truth is known, ``accreted``.

    Returns
    -------
    callable
        Takes which stars count; gives their number, means and medians; NaN where there is none or nobody knows.
    """
    columns = {name: stars[name].to_numpy(np.float64) for name in (*_VELOCITIES, "feh")}
    truth = truth_of(stars)

    def metric(counted: Mask) -> dict[str, float]:
        chosen = counted & selected
        if not chosen.any():
            return {**dict.fromkeys(_TOLD, float("nan")), "stars": 0.0}
        means = {f"{name}_mean": float(columns[name][chosen].mean()) for name in _VELOCITIES}
        return {
            "stars": float(chosen.sum()),
            **means,
            "v_phi_median": float(np.median(columns["v_phi"][chosen])),
            "feh_median": float(np.median(columns["feh"][chosen])),
            "feh_99pct": float(np.quantile(columns["feh"][chosen], 0.99)),
            "accreted_share": float("nan") if truth is None else float(truth[chosen].mean()),
        }

    return metric


def _kinds(score: NDArray[np.float32], cuts: Mapping[str, float]) -> dict[str, Mask]:
    return {
        f"{kind}, {name}": chosen
        for name, cut in cuts.items()
        for kind, chosen in (("in situ", score <= cut), ("accreted", score > cut))
    }


def _compared(judged: Mapping[str, Judged]) -> dict[str, Judged]:
    """Accreted and in situ stars at the best cut, on the same stars."""
    accreted, in_situ = (judged[f"{kind}, best cut"] for kind in ("accreted", "in situ"))
    return {
        "[Fe/H]: median of in situ less accreted": {"value": in_situ["feh_median"] - accreted["feh_median"]},
        "[Fe/H]: 99 % of accreted less median of in situ": {"value": accreted["feh_99pct"] - in_situ["feh_median"]},
        "accreted share: accreted less in situ": {"value": accreted["accreted_share"] - in_situ["accreted_share"]},
    }


def _measure(bench: Bench) -> Measured:
    stars = bench.surveys.stars(SPECTRA)
    cuts = {"best cut": chosen_cut(bench, _RECIPE), f"S > {PAPER_CUT}": PAPER_CUT}
    kinds = [_kinds(score, cuts) for score in _scores(bench, stars)]
    kinds = [{**found, "ZM": stars["label_zm"].to_numpy(np.bool_)} for found in kinds]
    blocks = particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)
    judged = {name: estimates([told(found[name], stars) for found in kinds], blocks) for name in kinds[0]}
    tables = {
        "samples": table_of(judged, _TOLD),
        "compared": table_of(_compared(judged), ("value",)),
        "sizes": bench.sizes(),
    }
    zm = int(kinds[0]["ZM"].sum())
    note = (
        f"{len(stars):,} stars with spectra, {zm:,} of them labelled ZM ({100 * zm / len(stars):.2f} %; the paper: "
        f"{_PAPER_STARS:,}, {_PAPER_ZM} or {100 * _PAPER_ZM / _PAPER_STARS:.2f} %); figures at the best cut of E6, "
        f"S > {cuts['best cut']:.2f}, of the first seed"
    )
    return Measured(tables, _drawn(stars, kinds[0]), (note,))


def _drawn(stars: pd.DataFrame, kinds: Mapping[str, Mask]) -> dict[str, NDArray[Any]]:
    """Columns of all stars, and which are of what kind."""
    columns = {name: stars[name].to_numpy(np.float64) for name in ("l", "b", *_VELOCITIES, "feh")}
    colour = stars["phot_bp_mean_mag"] - stars["phot_rp_mean_mag"]
    columns |= {"colour": colour.to_numpy(np.float64), "magnitude": absolute_magnitude(stars)}
    return columns | {kind: kinds[f"{kind}, best cut"] for kind in ("in situ", "accreted")} | {"ZM": kinds["ZM"]}


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.grids import points_figure, ratio_corner_figure

    drawn, columns = measured.stars, (*_VELOCITIES, "feh")
    kinds = {kind: {name: drawn[name][drawn[kind]] for name in columns} for kind in ("in situ", "accreted", "ZM")}
    edges = {name: np.linspace(AXES[name].low, AXES[name].high, 31) for name in columns}
    labels = {name: AXES[name].label for name in columns}
    return {
        "taught": points_figure(_planes(drawn), ("other stars", "labelled accreted (ZM)")),
        "thirds": ratio_corner_figure(kinds, labels, edges),
    }


def _planes(drawn: Mapping[str, NDArray[Any]]) -> "dict[str, Plane]":
    """As in Fig. 11."""
    from exsitu.evaluation.grids import Plane

    shown = {**{name: (AXES[name].label, AXES[name].edges) for name in ("l", "b", *_VELOCITIES)}, **_HERTZSPRUNG}
    zm = drawn["ZM"]
    return {
        title: Plane(
            labels=(shown[x][0], shown[y][0]),
            many=(drawn[x][~zm], drawn[y][~zm]),
            few=(drawn[x][zm], drawn[y][zm]),
            edges=(shown[x][1], shown[y][1]),
        )
        for title, (x, y) in _PLANES.items()
    }


_PLANES: Mapping[str, tuple[str, str]] = {
    "sky": ("l", "b"),
    "in the plane": ("v_r", "v_phi"),
    "vertical": ("v_r", "v_z"),
    "colour and magnitude": ("colour", "magnitude"),
}
_HERTZSPRUNG: Mapping[str, tuple[str, NDArray[np.float64]]] = {
    "colour": (r"$G_{\rm BP} - G_{\rm RP}$  [mag]", np.linspace(-0.2, 2.6, 57)),
    "magnitude": (r"$M_G$  [mag]", np.linspace(10.0, -4.0, 57)),
}
"""Label and edges; magnitudes grow downwards."""


def _claims(tables: Tables) -> list[Claim]:
    samples, compared = tables["samples"], tables["compared"]
    rotation, error = cell(samples, "in situ, best cut", "v_phi_median")
    says = {"v_r": "v_R", "v_phi": "v_φ", "v_z": "v_z"}
    return [
        near("in situ stars peak at the disc's rotation", rotation - _ROTATION_KMS, error, paper="they do",
             within=_NEAR_ROTATION_KMS, unit=f"km/s from {_ROTATION_KMS:g} km/s, median v_φ"),
        *(
            near(f"accreted stars are roughly symmetric around 0 in {says[name]}",
                 *cell(samples, "accreted, best cut", f"{name}_mean"), paper="roughly symmetric",
                 within=_SYMMETRIC_KMS, unit="km/s, mean")
            for name in _VELOCITIES
        ),
        above("in situ stars have larger [Fe/H]", *cell(compared, "[Fe/H]: median of in situ less accreted", "value"),
              paper="they tend to", unit="dex, difference of medians"),
        above("[Fe/H] of accreted stars extends over the whole range, though the network never saw one",
              *cell(compared, "[Fe/H]: 99 % of accreted less median of in situ", "value"),
              paper="across the full observed range", unit="dex, 99 % of accreted less median of in situ"),
        above("by the stand-in's truth, accreted stars are found",
              *hundredfold(cell(compared, "accreted share: accreted less in situ", "value")),
              paper="nobody knows of the Milky Way", unit="points in accreted share, above the cut less below",
              why="the survey has no truth" if samples["accreted_share"].isna().all() else ""),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="E9",
    title="Milky Way, three-fold",
    source="Sec. 8.1, Figs. 11 and 12",
    finding=(
        "Of stars that a network has not learnt from, those it calls in situ peak at the disc's rotation; those it "
        "calls accreted are roughly symmetric about zero in all three velocities, and reach all metallicities although "
        "the network never saw one."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=lambda settings: (SPECTRA, settings.data.target.surveys[0]),
)
