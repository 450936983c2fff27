"""What a network selects of Gaia's stars: shares of the sky's stars, purity where the truth is known, and figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.evaluation.estimates import Metric
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, Mask
from exsitu.experiments.milky_way import EVERY_STAR, GAIA, SPECTRA, absolute_magnitude, sky_weights
from exsitu.experiments.recipe import AXES, distributions
from exsitu.experiments.trial import Sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

MOCK_SHARES = (0.89, 1.6)
"""Per cent of the stars within the parallax cut that simulations say are accreted (paper, Sec. 8)."""

PURITY_AT = 0.47
"""Accreted efficiency at which purities are compared, that of the paper's cut (Table 7)."""

SHOWN = ("l", "b", "parallax", "pmra", "pmdec", "phot_g_mean_mag")
"""Columns of Figs. 13 and SC.3: inputs of the networks."""


def whole_crossmatch(filters: tuple[str, ...] = ()) -> Sample:
    """
    All stars of the Milky Way with spectra, to transfer on (paper, Sec. 8.2).

    Parameters
    ----------
    filters : tuple of str
        Keys of `FILTERS`.

    Returns
    -------
    Sample
    """
    return Sample(surveys=(SPECTRA,), filters=filters, stars=EVERY_STAR)


def gaia_weights(bench: Bench, stars: pd.DataFrame) -> Floats:
    """
    Weigh Gaia's stars by how many of the sky each stands for.

    Parameters
    ----------
    bench : Bench
        Surveys.
    stars : DataFrame
        Stars of the survey `GAIA`.

    Returns
    -------
    ndarray, shape (n_stars,)
    """
    return sky_weights(bench.surveys.path(GAIA), stars)


def purity_at(accreted: Mask, weight: Floats, wanted: float) -> float:
    """
    Purity of the tightest cut that keeps so many accreted stars, all counted by weight.

    Parameters
    ----------
    accreted : ndarray of bool, shape (n_stars,)
        The truth, the star of the highest score first.
    weight : ndarray, shape (n_stars,)
        Stars that each stands for.
    wanted : float
        Weight of accreted stars to keep.

    Returns
    -------
    float
        NaN where there are not so many.
    """
    found, selected = np.cumsum(weight * accreted), np.cumsum(weight)
    point = int(np.searchsorted(found, wanted * (1.0 - 1e-12)))
    return float(found[point] / selected[point]) if point < len(found) else float("nan")


def selecting(score: NDArray[Any], cut: float, weight: Floats, accreted: Mask | None) -> Metric:
    """
    Make the metric of a catalog.

    Parameters
    ----------
    score : ndarray, shape (n_stars,)
        Network output; NaN is never selected.
    cut : float
        Score cut.
    weight : ndarray, shape (n_stars,)
        Stars of the sky that each stands for.
    accreted : ndarray of bool, shape (n_stars,), or None
        The truth, where it is known.

    Returns
    -------
    callable
        Takes which stars count; gives ``cut``, ``selected`` (a number of stars) and, in per cent of the sky's stars,
        ``share``, ``purity``, ``completeness``, ``purity_at_47pct`` and the ``accreted_share`` of all; NaN where nobody
        knows.
    """
    selected = score > cut
    ranked = np.argsort(-score, kind="stable")[: int(np.isfinite(score).sum())]  # NaN comes last

    def metric(counted: Mask) -> dict[str, float]:
        chosen, whole = counted & selected, float(weight[counted].sum())
        found = {"cut": cut, "selected": float(chosen.sum()), "share": 100.0 * float(weight[chosen].sum()) / whole}
        if accreted is None:
            names = ("purity", "completeness", "purity_at_47pct", "accreted_share")
            return found | dict.fromkeys(names, float("nan"))
        right, there = float(weight[chosen & accreted].sum()), float(weight[counted & accreted].sum())
        kept = ranked[counted[ranked]]
        at = purity_at(accreted[kept], weight[kept], PURITY_AT * there)
        return found | {
            "purity": 100.0 * right / float(weight[chosen].sum()) if chosen.any() else float("nan"),
            "completeness": 100.0 * right / there,
            "purity_at_47pct": 100.0 * at,
            "accreted_share": 100.0 * there / whole,
        }

    return metric


def catalog_table(judged: Mapping[str, Judged], paper: Mapping[str, float]) -> pd.DataFrame:
    """
    Lay catalogs out as a table.

    Parameters
    ----------
    judged : mapping of str to mapping of str to Estimate
        What was measured with `selecting`, by row.
    paper : mapping of str to float
        The paper's share, per cent, of some rows.

    Returns
    -------
    DataFrame
        ``name``, ``cut``, ``selected``, then shares with their errors, and ``paper_share``.
    """
    shares = ("share", "purity", "completeness", "purity_at_47pct")
    rows = [
        {"name": name, "cut": found["cut"].value, "selected": found["selected"].value}
        | {k: v for share in shares for k, v in found[share].row(share).items()}
        | {"paper_share": paper.get(name, float("nan"))}
        for name, found in judged.items()
    ]
    return pd.DataFrame(rows)


def fair_rows(bench: Bench, stars: pd.DataFrame) -> Mask:
    """
    Thin stars so that all parts of the sky are sampled alike, for figures.

    Parameters
    ----------
    bench : Bench
        Surveys, and the seed of the draw.
    stars : DataFrame
        Stars of the survey `GAIA`.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
        All stars of a real survey.
    """
    weight = gaia_weights(bench, stars)
    drawn: Mask = np.random.default_rng(bench.settings.seed).random(len(stars)) < weight / weight.max()
    return drawn


def catalog_distributions(stars: pd.DataFrame, selected: Mask) -> pd.DataFrame:
    """
    Histograms of the network's inputs, of stars called accreted and in situ (paper, Figs. 13 and SA.1).

    Parameters
    ----------
    stars : DataFrame
        Stars sampled alike.
    selected : ndarray of bool, shape (n_stars,)
        Those above the cut.

    Returns
    -------
    DataFrame
        As of `exsitu.experiments.recipe.distributions`.
    """
    return distributions({"in situ": stars[~selected], "accreted": stars[selected]}, SHOWN)


def drawn_columns(stars: pd.DataFrame, selected: Mask) -> dict[str, NDArray[Any]]:
    """
    Take what `catalog_figures` draws.

    Parameters
    ----------
    stars : DataFrame
        Stars sampled alike.
    selected : ndarray of bool, shape (n_stars,)
        Those above the cut.

    Returns
    -------
    dict of str to ndarray
    """
    colour = (stars["phot_bp_mean_mag"] - stars["phot_rp_mean_mag"]).to_numpy(np.float64)
    columns = {name: stars[name].to_numpy(np.float64) for name in ("l", "b", "v_r", "v_phi", "v_z")}
    return columns | {"colour": colour, "magnitude": absolute_magnitude(stars), "selected": selected}


def catalog_figures(drawn: Mapping[str, NDArray[Any]]) -> "dict[str, Figure]":
    """
    Draw a catalog: the sky, colours and magnitudes of stars called accreted and in situ (paper, Figs. 13 and SA.1).

    Parameters
    ----------
    drawn : mapping of str to ndarray
        What `drawn_columns` gave.

    Returns
    -------
    dict of str to Figure
        ``sky_accreted`` and ``sky_in_situ``, where there are such stars, and ``colours``.
    """
    from exsitu.evaluation.figures import cmd_figure, sky_figure

    kinds = {"accreted": drawn["selected"], "in situ": ~drawn["selected"]}
    figures = {
        f"sky_{kind.replace(' ', '_')}": sky_figure(drawn["l"][chosen], drawn["b"][chosen], f"called {kind}")
        for kind, chosen in kinds.items()
        if chosen.any()
    }
    shown = {f"called {kind}": (drawn["colour"][chosen], drawn["magnitude"][chosen]) for kind, chosen in kinds.items()}
    return figures | {"colours": cmd_figure(shown)}


def planes(drawn: Mapping[str, NDArray[Any]], columns: Sequence[str]) -> "Figure":
    """
    Draw the velocities of stars called accreted and in situ, of those that have three (paper, Fig. SC.2).

    Parameters
    ----------
    drawn : mapping of str to ndarray
        What `drawn_columns` gave.
    columns : sequence of str
        Keys of `AXES`.

    Returns
    -------
    Figure
    """
    from exsitu.evaluation.grids import planes_figure

    known = np.isfinite(np.stack([drawn[name] for name in columns])).all(axis=0)
    kinds = {"in situ": known & ~drawn["selected"], "accreted": known & drawn["selected"]}
    values = {kind: {name: drawn[name][chosen] for name in columns} for kind, chosen in kinds.items()}
    return planes_figure(values, {n: AXES[n].label for n in columns}, {n: AXES[n].edges for n in columns})
