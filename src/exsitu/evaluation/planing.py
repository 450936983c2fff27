"""Data planing: what a variable is worth, seen by taking its distribution away (paper, Sec. 6; Chang et al. 2018)."""

import numpy as np
from numpy.typing import ArrayLike

from exsitu.errors import InputError
from exsitu.evaluation.checks import Floats, Integers, truth_of

_EDGES = (0.005, 0.995)
"""Quantiles between which bins are laid; stars beyond count with the outermost bin, lest single stars weigh all."""


def planing_bins(values: ArrayLike, *, bins: int = 50) -> tuple[Floats, Integers]:
    """
    Lay bins over a variable, and say in which each star lies.

    Parameters
    ----------
    values : array_like, shape (n_stars,)
        The variable.
    bins : int
        Equal bins between the 0.5 and 99.5 % quantiles of all stars.

    Returns
    -------
    edges : ndarray, shape (bins + 1,)
        In the unit of the variable.
    number : ndarray of int, shape (n_stars,)
        Bin of each star, from 0; stars beyond the edges belong to the outermost bins.

    Raises
    ------
    InputError
        If a value is not finite.
    """
    numbers = np.asarray(values, np.float64)
    if bad := int((~np.isfinite(numbers)).sum()):
        raise InputError(f"{bad} of {numbers.size} values to plane are not finite; leave those stars out")
    low, high = np.quantile(numbers, _EDGES)
    edges = np.linspace(low, high, bins + 1)
    return edges, np.clip(np.digitize(numbers, edges) - 1, 0, bins - 1)


def planing_weights(values: ArrayLike, accreted: ArrayLike, *, bins: int = 50) -> Floats:
    """
    Weights under which a variable is distributed evenly in both classes.

    Parameters
    ----------
    values : array_like, shape (n_stars,)
        The variable.
    accreted : array_like of bool, shape (n_stars,)
        The classes.
    bins : int
        Equal bins between the 0.5 and 99.5 % quantiles of all stars.

    Returns
    -------
    ndarray, shape (n_stars,)
        1 / (stars of the class in the bin), with mean 1 in each class.

    Raises
    ------
    InputError
        If a value is not finite, or all stars are of one kind.
    """
    _, number = planing_bins(values, bins=bins)
    truth = truth_of(accreted, number.size)
    weights = np.empty(number.size)
    for members in (truth, ~truth):
        found = 1.0 / np.bincount(number[members], minlength=bins)[number[members]]
        weights[members] = found / found.mean()
    return weights


def weighted_auc(score: ArrayLike, accreted: ArrayLike, weights: ArrayLike) -> float:
    """
    Area under the ROC curve of weighted stars, ties counting half.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.
    weights : array_like, shape (n_stars,)
        Weight of each star.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If shapes differ, or all stars are of one kind.
    """
    values, heavy = np.asarray(score, np.float64), np.asarray(weights, np.float64)
    truth = truth_of(accreted, values.size)
    _, rank = np.unique(values, return_inverse=True)
    accreted_at, in_situ_at = (np.bincount(rank, np.where(t, heavy, 0.0)) for t in (truth, ~truth))
    below = np.cumsum(in_situ_at) - 0.5 * in_situ_at
    return float(np.sum(accreted_at * below) / (accreted_at.sum() * in_situ_at.sum()))
