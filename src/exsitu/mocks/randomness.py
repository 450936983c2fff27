"""Random numbers for every piece of a mock, whatever else is made, by galaxy, purpose and what they belong to."""

from enum import IntEnum

from exsitu.draws import Draws
from exsitu.mocks.galaxies import GalaxyModel


class Purpose(IntEnum):
    """What draws are for; the numbers stand in the seeds and are never reused."""

    IN_SITU = 1
    DWARFS = 2
    SATELLITE = 3
    INFLOW = 4
    HISTORIES = 5
    PREPARE = 10
    PILOT = 11
    STARS = 13
    SPECTRA = 14


def draws_for(seed: int, model: GalaxyModel, purpose: Purpose, *index: int) -> Draws:
    """
    Random numbers of one piece of a mock.

    Parameters
    ----------
    seed : int
        The stage's seed.
    model : GalaxyModel
        The galaxy.
    purpose : Purpose
        What the numbers are for.
    *index : int
        Which of several: a satellite, a viewpoint, a stratum.

    Returns
    -------
    Draws
        By what they belong to: a particle, a star. Nothing that is left out shifts them.
    """
    return Draws((seed, model.code, int(purpose), *index))
