"""How far the stars that are scored have moved from the stars that were learnt on, input by input.

Two numbers an input: the population stability index, which asks for the shape, and the Kolmogorov-Smirnov distance,
which asks for the greatest gap between the two cumulative distributions. Neither is a test of significance: of a
million stars every difference is significant, and what matters is whether it is large.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from exsitu.errors import InputError
from exsitu.evaluation.checks import Floats

_BINS = 10
_QUANTILES = 65
_CUSHION = 0.5
"""Stars added to each bin, so that an empty one gives a large number and no infinite one."""


@dataclass(frozen=True, slots=True)
class Drift:
    """
    How far an input has moved.

    Parameters
    ----------
    name : str
        The input.
    psi : float
        Population stability index; about 0.1 is a small shift, above 0.25 a large one.
    ks : float
        Kolmogorov-Smirnov distance, from 0 to 1.
    outside : float
        Fraction of the new stars outside the range of the reference.
    """

    name: str
    psi: float
    ks: float
    outside: float


def quantiles(values: ArrayLike) -> list[float]:
    """
    Sixty-five evenly spaced quantiles, least and greatest value among them: a reference that fits on a model's card.

    Parameters
    ----------
    values : array_like, shape (n_stars,)
        An input; values that are not finite are left out.

    Returns
    -------
    list of float
        A reference for `drifts` that resolves a Kolmogorov-Smirnov distance to 1/64.

    Raises
    ------
    InputError
        If no value is finite.
    """
    given = np.asarray(values, np.float64)
    finite = _values(given[np.isfinite(given)], "values to keep quantiles of")
    return [float(f"{value:.6g}") for value in np.quantile(finite, np.linspace(0.0, 1.0, _QUANTILES))]


def population_stability(reference: ArrayLike, new: ArrayLike, bins: int = _BINS) -> float:
    """
    Population stability index, ``sum (p - q) ln(p / q)``, over bins that hold equal parts of the reference.

    Parameters
    ----------
    reference : array_like, shape (n_reference,)
        Values that were learnt on.
    new : array_like, shape (n_new,)
        Values that are scored.
    bins : int
        How many bins; fewer where the reference repeats values.

    Returns
    -------
    float
        0 where the distributions agree; symmetric in what it weighs, as Jeffreys' divergence is.

    Raises
    ------
    InputError
        If either is empty or holds a value that is not finite.
    """
    old, now = _values(reference, "reference"), _values(new, "new")
    edges = np.unique(np.quantile(old, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    counts = np.stack(
        [np.bincount(np.searchsorted(edges, v, side="right"), minlength=edges.size + 1) for v in (old, now)]
    )
    cushioned = counts[:, counts.any(axis=0)] + _CUSHION
    p, q = cushioned / cushioned.sum(axis=1, keepdims=True)
    return float(np.sum((p - q) * np.log(p / q)))


def ks_distance(reference: ArrayLike, new: ArrayLike) -> float:
    """
    Greatest gap between two cumulative distributions.

    Parameters
    ----------
    reference : array_like, shape (n_reference,)
        Values that were learnt on.
    new : array_like, shape (n_new,)
        Values that are scored.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    InputError
        If either is empty or holds a value that is not finite.
    """
    old, now = np.sort(_values(reference, "reference")), np.sort(_values(new, "new"))
    everywhere = np.concatenate([old, now])
    gap = np.searchsorted(old, everywhere, "right") / old.size - np.searchsorted(now, everywhere, "right") / now.size
    return float(np.abs(gap).max())


def drifts(reference: Mapping[str, ArrayLike], new: Mapping[str, ArrayLike]) -> list[Drift]:
    """
    Measure every input of the reference.

    Parameters
    ----------
    reference : mapping of str to array_like, shape (n_reference,)
        Inputs by name, as they were learnt on.
    new : mapping of str to array_like, shape (n_new,)
        The same as they are scored.

    Returns
    -------
    list of Drift
        In the order of the reference.

    Raises
    ------
    InputError
        If there are no stars, or a value is not finite.
    """
    found = []
    for name, values in reference.items():
        old, now = _values(values, f"reference {name}"), _values(new[name], f"new {name}")
        beyond = float(np.mean((now < old.min()) | (now > old.max())))
        found.append(Drift(name, population_stability(old, now), ks_distance(old, now), beyond))
    return found


def _values(given: ArrayLike, what: str) -> Floats:
    values = np.asarray(given, dtype=np.float64)
    bad = int((~np.isfinite(values)).sum())
    if values.ndim != 1 or values.size == 0 or bad:
        raise InputError(
            f"{what}: shape {values.shape}, {bad} values not finite; give one finite value a star, at least one star"
        )
    return values
