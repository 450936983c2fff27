"""One independent stream of random numbers for every piece of a mock, whatever else is made."""

from enum import IntEnum

import numpy as np

from exsitu.mocks.galaxies import GalaxyModel


class Purpose(IntEnum):
    """What a stream is for; the numbers stand in the seeds and are never reused."""

    IN_SITU = 1
    DWARFS = 2
    SATELLITE = 3
    INFLOW = 4
    HISTORIES = 5
    PREPARE = 10
    PILOT = 11
    COUNTS = 12
    STARS = 13
    SPECTRA = 14
    SHUFFLE = 15


def stream(seed: int, model: GalaxyModel, purpose: Purpose, *index: int) -> np.random.Generator:
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
    numpy.random.Generator
        PCG64; its draws do not depend on the processor.
    """
    return np.random.default_rng([seed, model.code, int(purpose), *index])
