"""Arrays that metrics may trust: finite scores, boolean truth of both kinds, finite velocities, all of one length."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exsitu.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

VELOCITIES = ("v_r", "v_phi", "v_z")
"""Columns of every array of velocities, in this order, km/s."""


def truth_of(accreted: ArrayLike, n_stars: int) -> Booleans:
    """
    Check the truth.

    Parameters
    ----------
    accreted : array_like of bool, shape (n_stars,)
        True where the star is accreted.
    n_stars : int
        How many stars there are scores of.

    Returns
    -------
    ndarray of bool, shape (n_stars,)

    Raises
    ------
    InputError
        If it is not boolean, of another length, or all stars are of one kind.
    """
    truth = np.asarray(accreted)
    if truth.dtype != np.bool_:
        raise InputError(f"accreted has dtype {truth.dtype}, not bool; give True where the star is accreted")
    if truth.shape != (n_stars,):
        raise InputError(f"accreted has shape {truth.shape}, scores have {n_stars} stars; give one truth a star")
    count = int(truth.sum())
    if count in {0, n_stars}:
        raise InputError(f"{count} of {n_stars} stars are accreted; metrics need stars of both kinds")
    return truth


def scores_of(score: ArrayLike) -> Floats:
    """
    Check scores.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output.

    Returns
    -------
    ndarray, shape (n_stars,)

    Raises
    ------
    InputError
        If there is none, or one is not finite.
    """
    values = np.asarray(score, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise InputError(f"scores have shape {values.shape}; give one score a star, at least one star")
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise InputError(f"{bad} of {values.size} scores are not finite; leave out stars that carry a flag instead")
    return values


def velocities_of(velocities: ArrayLike, n_stars: int | None = None) -> Floats:
    """
    Check velocities.

    Parameters
    ----------
    velocities : array_like, shape (n_stars, 3)
        v_R, v_phi, v_z, km/s.
    n_stars : int, optional
        How many stars there must be; by default any number.

    Returns
    -------
    ndarray, shape (n_stars, 3)

    Raises
    ------
    InputError
        If the shape is another, or a velocity is not finite.
    """
    values = np.asarray(velocities, dtype=np.float64)
    if values.ndim != 2 or values.shape != (len(values) if n_stars is None else n_stars, 3):
        wanted = "n_stars" if n_stars is None else n_stars
        raise InputError(f"velocities have shape {values.shape}; need ({wanted}, 3): {', '.join(VELOCITIES)} a star")
    bad = int((~np.isfinite(values)).any(axis=1).sum())
    if bad:
        raise InputError(f"{bad} of {len(values)} stars have velocities that are not finite; leave them out")
    return values
