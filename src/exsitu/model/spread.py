"""How far a star's score spreads over draws of its measurement errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exsitu.draws import Keys, normals, triangle
from exsitu.model.compiled import Blocks
from exsitu.model.inputs import Float32s, error_column

SPREAD = ("score_mean", "score_p16", "score_p84")
"""Columns of a spread: mean, 16th and 84th percentile over the draws."""

_TOGETHER = ("pmra", "pmdec", "parallax")
CORRELATIONS = ("pmra_pmdec_corr", "parallax_pmra_corr", "parallax_pmdec_corr")
"""Columns that say how the errors of proper motion and parallax go together."""


def errors_of(columns: Mapping[str, NDArray[Any]], inputs: Sequence[str], chosen: NDArray[np.intp]) -> Float32s:
    """
    Standard errors of the inputs of some stars.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n_stars,)
        Error columns that exist; what is missing counts as exact.
    inputs : sequence of str
        Inputs of the network.
    chosen : ndarray of int, shape (n_chosen,)
        Row numbers.

    Returns
    -------
    ndarray of float32, shape (n_chosen, n_inputs)
    """
    errors = np.zeros((len(chosen), len(inputs)), np.float32)
    for i, name in enumerate(inputs):
        source = error_column(name)
        if source is not None and source in columns:
            errors[:, i] = columns[source][chosen]
    return errors


def correlations_of(
    columns: Mapping[str, NDArray[Any]], inputs: Sequence[str], chosen: NDArray[np.intp]
) -> NDArray[np.float64] | None:
    """
    Correlations of the astrometric errors of some stars.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n_stars,)
        The columns `CORRELATIONS`, perhaps.
    inputs : sequence of str
        Inputs of the network.
    chosen : ndarray of int, shape (n_chosen,)
        Row numbers.

    Returns
    -------
    ndarray, shape (3, n_chosen), or None
        None where a column is missing or the network does not take all three quantities.
    """
    if not (set(_TOGETHER) <= set(inputs) and set(CORRELATIONS) <= set(columns)):
        return None
    return np.stack([columns[name][chosen].astype(np.float64) for name in CORRELATIONS])


def drawn_inputs(
    values: Float32s,
    errors: Float32s,
    inputs: Sequence[str],
    keys: Keys,
    *,
    draws: int,
    seed: int,
    correlations: NDArray[np.float64] | None = None,
) -> Float32s:
    """
    Inputs as they would be measured again.

    Parameters
    ----------
    values, errors : ndarray of float32, shape (n_stars, n_inputs)
        Measured inputs and their standard errors.
    inputs : sequence of str
        Their names.
    keys : ndarray of int64, shape (n_stars,)
        Names of the stars; the draws are a function of key and seed.
    draws : int
        Draws of each star.
    seed : int
        Seed.
    correlations : ndarray, shape (3, n_stars), optional
        As `correlations_of` gives them; none by default.

    Returns
    -------
    ndarray of float32, shape (n_stars, draws, n_inputs)
    """
    noise = normals(keys, draws, len(inputs), seed=seed)
    if correlations is not None:
        place = [list(inputs).index(name) for name in _TOGETHER]
        ba, bb, ca, cb, cc = (x.astype(np.float32)[:, None] for x in triangle(*correlations))
        first, second, third = (noise[:, :, i].copy() for i in place)
        noise[:, :, place[1]] = ba * first + bb * second
        noise[:, :, place[2]] = ca * first + cb * second + cc * third
    noise *= errors[:, None, :]
    noise += values[:, None, :]
    return noise


def summary(blocks: Blocks, drawn: Float32s) -> Float32s:
    """
    Mean and percentiles of the scores of draws.

    Parameters
    ----------
    blocks : Blocks
        The network.
    drawn : ndarray of float32, shape (n_stars, draws, n_inputs)
        As `drawn_inputs` gives them.

    Returns
    -------
    ndarray of float32, shape (3, n_stars)
        In the order of `SPREAD`; NaN where a draw is not finite. Percentiles are interpolated linearly.
    """
    stars, draws, width = drawn.shape
    scores = blocks(drawn.reshape(stars * draws, width)).reshape(stars, draws)
    scores[~np.isfinite(drawn).all(axis=(1, 2))] = np.nan
    ordered = np.sort(scores, axis=1)
    found = np.empty((len(SPREAD), stars), np.float32)
    found[0] = scores.mean(axis=1)
    for i, share in enumerate((0.16, 0.84), start=1):
        below = int(share * (draws - 1))
        above = min(below + 1, draws - 1)
        weight = np.float32(share * (draws - 1) - below)
        found[i] = ordered[:, below] + weight * (ordered[:, above] - ordered[:, below])
    return found
