"""How many of a galaxy's stars a survey shows, and a random sample of them in random order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from exsitu.errors import InputError
from exsitu.mocks.randomness import Purpose
from exsitu.mocks.stars import Floats, Integers, Prepared, Stratum, View, measure

CHUNK = 250_000
"""Stars made at a time."""

_PILOT, _PILOT_PASSED, _PILOT_DRAWN = 40_000, 8_000, 1_200_000
"""Trial stars that measure which share belongs to a stratum: so many at a time, until enough belong or were tried."""

_ORDER_BITS = 40


def stars_shown(prepared: Prepared, view: View, stratum: Stratum, seed: int) -> float:
    """
    How many stars of a galaxy belong to a stratum, from a trial.

    Parameters
    ----------
    prepared : Prepared
        From `prepare`.
    view, stratum : View, Stratum
        As in `prepare`.
    seed : int
        The stage's.

    Returns
    -------
    float
        Expected number.
    """
    passed, drawn, trials = 0, 0, 0
    while prepared.total and passed < _PILOT_PASSED and drawn < _PILOT_DRAWN:
        draws = view.draws(seed, Purpose.PILOT, stratum, trials)
        chosen = prepared.choose(_PILOT / prepared.total, draws)
        passed += len(measure(prepared, chosen, view, stratum, draws))
        drawn, trials = drawn + len(chosen), trials + 1
    return prepared.total * passed / max(drawn, 1)


def sampling_fraction(prepared: Prepared, view: View, stratum: Stratum, stars: int, seed: int) -> float:
    """
    Fraction of a galaxy's stars to draw so that about a given number belongs to the stratum.

    Parameters
    ----------
    prepared : Prepared
        From `prepare`.
    view, stratum : View, Stratum
        As in `prepare`.
    stars : int
        Expected number of stars.
    seed : int
        The stage's.

    Returns
    -------
    float
        As of `share_of`.

    Raises
    ------
    InputError
        If no star belongs to the stratum, or the galaxy has fewer stars than asked for.
    """
    available = stars_shown(prepared, view, stratum, seed)
    if not 0 < stars <= available:
        raise InputError(
            f"{view.model.name}, viewpoint {view.viewpoint}: {stars} stars asked for, the galaxy shows about "
            f"{available:.0f}; ask for fewer"
        )
    return share_of(stars, available)


def share_of(stars: float, available: float) -> float:
    """
    Fraction to draw.

    Parameters
    ----------
    stars : float
        Expected number of stars.
    available : float
        How many there are, from a trial.

    Returns
    -------
    float
        At most 1. It has three digits, a tenth of what a trial is good for, so that one trial star more or less does
        not draw other stars.
    """
    return min(float(f"{stars / available:.3g}"), 1.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """
    A stratum, ready to be drawn.

    Parameters
    ----------
    stratum : Stratum
        Which stars.
    prepared : Prepared
        From `prepare`.
    fraction : float
        From `sampling_fraction`.
    """

    stratum: Stratum
    prepared: Prepared
    fraction: float


def observe(samples: Sequence[Sample], view: View, seed: int) -> Iterator[pd.DataFrame]:
    """
    Draw the stars of strata, all in one random order.

    Parameters
    ----------
    samples : sequence of Sample
        The strata.
    view : View
        As in `prepare`.
    seed : int
        The stage's.

    Yields
    ------
    DataFrame
        A chunk, as `measure` gives it, with ``order``: a random number below 2^40, ascending. One chunk of stars is
        held at a time, and 32 bytes a star to be made.

    Notes
    -----
    Every particle shows a Poisson number of stars. All that is random of a star belongs to its particle and to which
    of the particle's stars it is: what becomes of other particles and stars changes nothing of it.
    """
    draws = [view.draws(seed, Purpose.STARS, s.stratum) for s in samples]
    chosen = [s.prepared.choose(s.fraction, of) for s, of in zip(samples, draws, strict=True)]
    orders = [_order(of.uniform("order", stars.keys)) for of, stars in zip(draws, chosen, strict=True)]
    edges = np.cumsum([0, *map(len, chosen)])
    in_order = np.argsort(np.concatenate(orders), kind="stable")
    for start in range(0, len(in_order), CHUNK):
        wanted = np.sort(in_order[start : start + CHUNK])
        parts = []
        for i, sample in enumerate(samples):
            mine = wanted[(wanted >= edges[i]) & (wanted < edges[i + 1])] - edges[i]
            table = measure(sample.prepared, chosen[i].take(mine), view, sample.stratum, draws[i])
            parts.append(table.assign(order=orders[i][mine[table.index]]))
        yield pd.concat(parts).sort_values("order", kind="stable", ignore_index=True)


def _order(uniform: Floats) -> Integers:
    return (uniform * (1 << _ORDER_BITS)).astype(np.int64)
