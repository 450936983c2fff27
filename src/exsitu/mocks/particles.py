"""Star particles: one table for everything a mock galaxy is made of.

Everything is Galactocentric, kpc and km/s, in the frame of ``exsitu.phase_space``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RING = (3.2, 13.2)
"""Cylindrical radii kept, kpc."""

MAX_HEIGHT = 5.5
"""Largest height kept, kpc."""

OLDEST_GYR = 13.2
"""Age of the first stars, Gyr."""

HEATED, PROTO, FIRST_INFLOW, FIRST_SATELLITE = 100, 110, 150, 200
"""`origin` of the heated disc, the proto-galaxy, the first inflow, the first satellite; below: the disc by age."""


def first_id(origin: int) -> int:
    """
    Id of the first particle of a population.

    Parameters
    ----------
    origin : int
        As in `Particles`; all that came from outside counts as one population, of the first inflow's origin.

    Returns
    -------
    int
        Ids of 2^32 particles of one population lie between this and the next.
    """
    return origin << 32


@dataclass(frozen=True, slots=True)
class Particles:
    """
    Star particles.

    Parameters
    ----------
    id : ndarray of int, shape (n_particles,)
        Ascending. Which of its population a particle was, before any were left out (`first_id`): what becomes of
        others changes no id.
    position, velocity : ndarray, shape (n_particles, 3)
        Galactocentric, kpc and km/s.
    mass : ndarray, shape (n_particles,)
        Mass of the stars formed, Msun.
    age : ndarray, shape (n_particles,)
        Gyr.
    feh : ndarray, shape (n_particles,)
        dex.
    length, speed : ndarray, shape (n_particles,)
        Widths of the smoothing kernel in each coordinate, kpc and km/s.
    origin : ndarray of int, shape (n_particles,)
        Age bin of the disc, ``HEATED``, ``PROTO``, ``FIRST_INFLOW`` plus the number of the inflow, or
        ``FIRST_SATELLITE`` plus the number of the satellite.
    debris : ndarray of int, shape (n_particles,)
        Row in the galaxy's debris (``exsitu.mocks.debris``); -1 for what was born in the disc or before it.
    """

    id: NDArray[np.int64]
    position: Floats
    velocity: Floats
    mass: Floats
    age: Floats
    feh: Floats
    length: Floats
    speed: Floats
    origin: NDArray[np.int16]
    debris: NDArray[np.int32]

    @classmethod
    def born_here(
        cls,
        position: Floats,
        velocity: Floats,
        mass: float,
        age: Floats,
        feh: Floats,
        length: Floats,
        speed: Floats,
        origin: int,
    ) -> "Particles":
        """Particles of one population of the galaxy itself, all of one mass and origin."""
        n = len(age)
        where = np.full(n, origin, np.int16), np.full(n, -1, np.int32)
        ids = first_id(origin) + np.arange(n, dtype=np.int64)
        return cls(ids, position, velocity, np.full(n, mass), age, feh, length, speed, *where)

    @property
    def accreted(self) -> NDArray[np.bool_]:
        """Whether each particle was born in another galaxy."""
        return self.origin >= FIRST_SATELLITE

    @property
    def accreted_ids(self) -> NDArray[np.int64]:
        """Ids of the particles born in another galaxy."""
        return self.id[self.accreted]

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the particles with these ids, which must be there."""
        return np.searchsorted(self.id, ids).astype(np.int64)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Particles":
        """The chosen particles."""
        return Particles(*(getattr(self, field.name)[chosen] for field in fields(self)))


def joined(parts: Sequence[Particles]) -> Particles:
    """
    One table of several.

    Parameters
    ----------
    parts : sequence of Particles
        In the order of the result.

    Returns
    -------
    Particles
    """
    return Particles(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Particles)))
