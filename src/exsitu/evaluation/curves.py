"""Curves of networks that can be set side by side: the mean over seeds with its range, purity, reliability."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from exsitu.evaluation.checks import Floats, scores_of, truth_of
from exsitu.evaluation.metrics import roc

REJECTION: Floats = np.geomspace(1e-4, 1.0, 161)
"""In situ efficiencies at which curves of several seeds are averaged."""

EFFICIENCY: Floats = np.linspace(0.01, 1.0, 100)
"""Accreted efficiencies at which purities of several seeds are averaged."""


def over_seeds(curves: Sequence[pd.DataFrame], along: str, of: str, at: Floats) -> pd.DataFrame:
    """
    Average curves of several seeds.

    Parameters
    ----------
    curves : sequence of DataFrame
        One a seed, with columns `along`, ascending, and `of`.
    along, of : str
        What is on the horizontal and on the vertical axis.
    at : ndarray, shape (n_points,)
        Values of `along` at which to average.

    Returns
    -------
    DataFrame
        `along`, `of` (the mean), ``low`` and ``high`` (least and greatest of the seeds).
    """
    values = np.stack([np.interp(at, curve[along], curve[of]) for curve in curves])
    return pd.DataFrame({along: at, of: values.mean(axis=0), "low": values.min(axis=0), "high": values.max(axis=0)})


def roc_over_seeds(scores: Sequence[ArrayLike], accreted: ArrayLike) -> pd.DataFrame:
    """
    ROC curve with the range over seeds.

    Parameters
    ----------
    scores : sequence of array_like, shape (n_stars,)
        Network output, one a seed.
    accreted : array_like of bool, shape (n_stars,)
        The truth.

    Returns
    -------
    DataFrame
        ``efficiency_in_situ``, from that of a single star on; ``efficiency_accreted``, ``low``, ``high``.
    """
    curves = [roc(score, accreted) for score in scores]
    mean = over_seeds(curves, "efficiency_in_situ", "efficiency_accreted", REJECTION)
    least = 1.0 / max(1, int((~np.asarray(accreted)).sum()))
    return mean[mean["efficiency_in_situ"] >= least].reset_index(drop=True)


def purity_over_seeds(scores: Sequence[ArrayLike], accreted: ArrayLike) -> pd.DataFrame:
    """
    Purity against accreted efficiency, with the range over seeds.

    Parameters
    ----------
    scores : sequence of array_like, shape (n_stars,)
        Network output, one a seed.
    accreted : array_like of bool, shape (n_stars,)
        The truth.

    Returns
    -------
    DataFrame
        ``efficiency_accreted``, ``purity``, ``low``, ``high``.
    """
    curves = [_purity(score, accreted) for score in scores]
    return over_seeds(curves, "efficiency_accreted", "purity", EFFICIENCY)


def _purity(score: ArrayLike, accreted: ArrayLike) -> pd.DataFrame:
    truth = np.asarray(accreted)
    curve = roc(score, truth).iloc[1:]  # the first point selects nothing
    curve = curve.drop_duplicates("efficiency_accreted")  # the tightest cut that reaches it
    found = curve["efficiency_accreted"] * truth.sum()
    return curve.assign(purity=found / (found + curve["efficiency_in_situ"] * (~truth).sum()))


def reliability(score: ArrayLike, accreted: ArrayLike, bins: int = 20) -> pd.DataFrame:
    """
    Accreted fraction of the stars of a score (Murphy & Winkler 1977).

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.
    bins : int
        Equal bins of the score.

    Returns
    -------
    DataFrame
        A row a bin that holds a star: ``low``, ``high`` (its edges), ``score`` (mean), ``accreted_fraction``,
        ``stars``.

    Raises
    ------
    InputError
        If a score is not finite, shapes differ, or all stars are of one kind.
    """
    values = scores_of(score)
    truth = truth_of(accreted, values.size)
    number = np.minimum((values * bins).astype(np.int64), bins - 1)
    stars = np.bincount(number, minlength=bins)
    held = stars > 0
    edges = np.linspace(0.0, 1.0, bins + 1)
    return pd.DataFrame(
        {
            "low": edges[:-1][held],
            "high": edges[1:][held],
            "score": np.bincount(number, values, bins)[held] / stars[held],
            "accreted_fraction": np.bincount(number, truth, bins)[held] / stars[held],
            "stars": stars[held],
        }
    )


def weighted_reliability(score: ArrayLike, weight: float) -> Floats:
    """
    Accreted fraction that an exact network's score stands for, where accreted stars weighed more in its training.

    Parameters
    ----------
    score : array_like
        Network output.
    weight : float
        Weight of an accreted star in the loss; an in situ star has 1.

    Returns
    -------
    ndarray
        ``score / (score + weight (1 - score))``: a loss with weights is least where the score is the weighted
        fraction (Elkan 2001, Theorem 2).
    """
    values = np.asarray(score, dtype=np.float64)
    return np.asarray(values / (values + weight * (1.0 - values)))
