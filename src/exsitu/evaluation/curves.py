"""Curves of networks that can be set side by side: the mean over seeds with its range, purity."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from exsitu.evaluation.checks import Floats
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
