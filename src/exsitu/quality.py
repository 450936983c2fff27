"""The quality cut: which parallaxes are measured well enough to be used (paper, Sec. 2)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def fractional_parallax_error(parallax: ArrayLike, parallax_error: ArrayLike) -> NDArray[np.float64]:
    """
    Ratio of a parallax's error to the parallax.

    Parameters
    ----------
    parallax : array_like, shape (n_stars,)
        Parallax, mas; noise may make it negative.
    parallax_error : array_like, shape (n_stars,)
        Its standard error, mas.

    Returns
    -------
    ndarray, shape (n_stars,)
        NaN where the parallax is not positive, or either is NaN.
    """
    value, error = np.asarray(parallax, np.float64), np.asarray(parallax_error, np.float64)
    ratio = np.full(value.shape, np.nan)
    np.divide(error, value, out=ratio, where=value > 0.0)
    return ratio


def passes_parallax_cut(parallax: ArrayLike, parallax_error: ArrayLike, limit: float) -> NDArray[np.bool_]:
    """
    Apply the cut 0 < parallax_error / parallax < limit.

    Parameters
    ----------
    parallax : array_like, shape (n_stars,)
        Parallax, mas.
    parallax_error : array_like, shape (n_stars,)
        Its standard error, mas.
    limit : float
        0.1 in the paper.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
        False where either is NaN.
    """
    ratio = fractional_parallax_error(parallax, parallax_error)
    return (ratio > 0.0) & (ratio < limit)
