"""How many of a galaxy's stars a survey shows, and a random sample of them in random order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from exsitu.errors import InputError
from exsitu.mocks.randomness import Purpose
from exsitu.mocks.stars import Prepared, Stratum, View, measure

CHUNK = 250_000
"""Stars drawn at a time; part of what fixes the random numbers."""

# Trial stars that measure which share belongs to a stratum: so many at a time, until enough belong or were tried.
_PILOT, _PILOT_PASSED, _PILOT_DRAWN = 40_000, 8_000, 1_200_000


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
    rng = view.stream(seed, Purpose.PILOT, stratum)
    passed = drawn = 0
    while prepared.total and passed < _PILOT_PASSED and drawn < _PILOT_DRAWN:
        passed += len(measure(prepared, prepared.choose(_PILOT, rng), view, stratum, rng))
        drawn += _PILOT
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
        At most 1.

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
    return float(stars / available)


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

    @property
    def rate(self) -> float:
        """Expected number of draws."""
        return self.prepared.total * self.fraction


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
        A chunk, as `measure` gives it. One chunk is held at a time, however many stars there are.

    Notes
    -----
    Every particle shows a Poisson number of stars. Their sum is Poisson too, and given the sum each star belongs to a
    particle, and to a stratum, in proportion to the expected numbers: so the total is drawn first and the parents as
    they are needed.
    """
    strata, rates = [s.stratum for s in samples], np.cumsum([s.rate for s in samples])
    shares = np.diff(rates, prepend=0.0) / rates[-1]
    remaining = int(view.stream(seed, Purpose.COUNTS, *strata).poisson(rates[-1]))
    streams = [view.stream(seed, Purpose.STARS, s.stratum) for s in samples]
    mixing = view.stream(seed, Purpose.SHUFFLE, *strata)
    while remaining > 0:
        draws = mixing.multinomial(min(CHUNK, remaining), shares).tolist()
        remaining -= sum(draws)
        parts = [
            measure(s.prepared, s.prepared.choose(n, rng), view, s.stratum, rng)
            for s, n, rng in zip(samples, draws, streams, strict=True)
        ]
        table = pd.concat(parts, ignore_index=True)
        yield table.take(mixing.permutation(len(table))).reset_index(drop=True)
