"""Star particles: one table for everything a mock galaxy is made of.

Everything is Galactocentric, kpc and km/s, in the frame of ``exsitu.phase_space``. The index of a particle is its id.
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


@dataclass(frozen=True, slots=True)
class Particles:
    """
    Star particles; the index of a particle is its id.

    Parameters
    ----------
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
        return cls(position, velocity, np.full(n, mass), age, feh, length, speed, *where)

    @property
    def accreted(self) -> NDArray[np.bool_]:
        """Whether each particle was born in another galaxy."""
        return self.origin >= FIRST_SATELLITE

    @property
    def accreted_ids(self) -> NDArray[np.int64]:
        """Ids of the particles born in another galaxy."""
        return np.flatnonzero(self.accreted).astype(np.int64)

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
