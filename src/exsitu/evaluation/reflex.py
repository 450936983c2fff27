"""Whether proper motions, parallaxes and positions belong together: the reflex of the Sun's own motion.

Seen from the Sun, every population of stars streams the other way, and differential rotation stretches that stream. A
solar motion and two Oort constants, fitted by least squares to the tangential velocities, leave the smallest residuals
where each column is what its name says. If another reading of the columns (two of them swapped, a sign turned) leaves
clearly smaller ones, all over the sky, then that reading is the true one: of discs, haloes and clusters alike, because
only residuals are compared, never the motion itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exsitu.phase_space import (
    ICRS_TO_GALACTIC,
    KMS_PER_KPC_MASYR,
    galactic_motion_to_icrs,
    galactic_to_icrs,
    icrs_to_galactic,
    unit_vector,
)

Floats = NDArray[np.float64]
_Sky = tuple[Floats, Floats, Floats, Floats]
"""ra, dec (deg), pmra, pmdec (mas/yr)."""

FEWEST_STARS, FEWEST_CELLS = 50, 20
"""With fewer stars, or with stars in fewer cells of the sky, nothing can be told."""

SIGNIFICANT = 3.5
"""Standard errors, from cell to cell, by which another reading must be better. Met in right data, all of the sky or a
part of it, from the disc to the halo: at most 2.5; in swapped proper motions of 92 stars of Gaia DR2: 4.7."""

SIGNIFICANT_FACTOR = 4.0
"""The same for the factor cos(dec), which few stars show; met in right data: at most 3.2."""

_BELTS = 12
_FARTHEST_KPC = 3.0
"""Oort's constants describe the neighbourhood; the stream is not stretched further beyond."""


@dataclass(frozen=True, slots=True)
class Reflex:
    """
    What the proper motions of a sample say of its columns.

    Parameters
    ----------
    stars : int
        Stars that were used.
    cells : int
        Cells of the sky, of 288 equal ones, in which they lie.
    solar_motion_kms : tuple of 3 floats
        The Sun's motion with respect to the stars, km/s: towards the Galactic centre, along the rotation, to the north
        pole. Its size comes out too small, because fast stars count less. NaN where nothing could be told.
    better : tuple of str
        What is wrong with the columns, the best explanation first; empty where they are right or nothing can be told.
    """

    stars: int
    cells: int
    solar_motion_kms: tuple[float, float, float]
    better: tuple[str, ...]

    @property
    def told(self) -> bool:
        """Whether there were enough stars, widely enough spread."""
        return self.stars >= FEWEST_STARS and self.cells >= FEWEST_CELLS


def _swapped_positions(ra: Floats, dec: Floats, pmra: Floats, pmdec: Floats) -> _Sky:
    signed = np.where(ra > 180.0, ra - 360.0, ra)
    return np.mod(dec, 360.0), np.clip(signed, -90.0, 90.0), pmra, pmdec


def _mirrored(ra: Floats, dec: Floats, *, longitude: float, latitude: float) -> tuple[Floats, Floats]:
    l, b = icrs_to_galactic(ra, dec)  # noqa: E741 - the field's name
    return galactic_to_icrs(longitude * l, latitude * b)


READINGS: Mapping[str, Callable[[Floats, Floats, Floats, Floats], _Sky]] = MappingProxyType(
    {
        "pmra and pmdec are swapped": lambda ra, dec, pmra, pmdec: (ra, dec, pmdec, pmra),
        "one of ra, dec, pmra and pmdec has the wrong sign": lambda ra, dec, pmra, pmdec: (ra, dec, -pmra, pmdec),
        "pmra and pmdec are along Galactic longitude and latitude": lambda ra, dec, pmra, pmdec: (
            ra,
            dec,
            *galactic_motion_to_icrs(ra, dec, pmra, pmdec),
        ),
        "b has the wrong sign": lambda ra, dec, pmra, pmdec: (
            *_mirrored(ra, dec, longitude=1.0, latitude=-1.0),
            pmra,
            pmdec,
        ),
        "l has the wrong sign": lambda ra, dec, pmra, pmdec: (
            *_mirrored(ra, dec, longitude=-1.0, latitude=1.0),
            pmra,
            pmdec,
        ),
        "ra and dec are swapped": _swapped_positions,
    }
)
"""What can be wrong with the columns, and how they are to be read if it is."""

NO_COSINE = "pmra lacks the factor cos(dec)"
AGAINST_ROTATION = "the Sun would lag behind the stars: pmra, pmdec or both have the wrong sign"


def reflex(ra: ArrayLike, dec: ArrayLike, pmra: ArrayLike, pmdec: ArrayLike, parallax: ArrayLike) -> Reflex:
    """
    Compare the readings of the columns of a sample of stars.

    Parameters
    ----------
    ra, dec : array_like, shape (n_stars,)
        Positions, degrees.
    pmra, pmdec : array_like, shape (n_stars,)
        Proper motions, mas/yr, the first with the factor cos(dec).
    parallax : array_like, shape (n_stars,)
        Parallaxes measured to a fifth or better, mas; all values are finite and parallaxes positive.

    Returns
    -------
    Reflex

    Notes
    -----
    Each cell of the sky has one vote: the difference of its weighted sums of squared residuals. A reading is better if
    the sum of the differences exceeds `SIGNIFICANT` times its standard error, from the scatter of the cells. Stars of
    one cluster move together, and the scatter of single stars would count them as many witnesses.
    """
    sky = tuple(np.asarray(values, np.float64) for values in (ra, dec, pmra, pmdec))
    kpc = 1.0 / np.asarray(parallax, np.float64)
    cell, members = _cells(sky[0], sky[1])
    cells = len(members)
    nothing = Reflex(len(kpc), cells, (np.nan, np.nan, np.nan), ())
    if not nothing.told:
        return nothing
    speed = KMS_PER_KPC_MASYR * kpc * np.hypot(sky[2], sky[3])
    # Fast stars and crowded cells count less; both are the same in every reading.
    weight = 1.0 / (np.median(speed) ** 2 + speed**2) / np.sqrt(members[cell])
    plain = _Fit((sky[0], sky[1], sky[2], sky[3]), kpc, weight)
    lost = _votes(cell, plain.squares)
    gains = {}
    for name, read in READINGS.items():
        other = _Fit(read(*plain.sky), kpc, weight, like=plain)
        gains[name] = _significance(lost - _votes(cell, other.squares))
    found = [name for name in sorted(gains, key=lambda name: -gains[name]) if gains[name] > SIGNIFICANT]
    if not found and _significance(_votes(cell, _lead(plain, kpc, weight))) < -SIGNIFICANT:
        found.append(AGAINST_ROTATION)
    if not found and _lacks_cosine(plain, kpc, weight, cell, members) > SIGNIFICANT_FACTOR:
        found.append(NO_COSINE)
    u, v, w = (float(component) for component in plain.motion)
    return Reflex(len(kpc), cells, (u, v, w), tuple(found))


class _Fit:
    """Solar motion and Oort constants fitted to one reading of the columns, and the squares of what is left."""

    def __init__(
        self, sky: _Sky, kpc: Floats, weight: Floats, *, like: "_Fit | None" = None, constants: int = 5
    ) -> None:
        self.sky = sky
        ra, dec, pmra, pmdec = sky
        seen = KMS_PER_KPC_MASYR * np.concatenate([kpc * pmra, kpc * pmdec])
        known = like is not None and like.sky[0] is ra and like.sky[1] is dec  # most readings leave positions alone
        self.whole: Floats = like.whole if like is not None and known else _design(ra, dec, kpc)
        self.design = design = self.whole[:, :constants]
        root = np.sqrt(np.concatenate([weight, weight]))
        # Directions that the sample does not constrain (a small part of the sky) stay out of the fit.
        fitted = np.linalg.lstsq(design * root[:, None], seen * root, rcond=1e-3)[0]
        self.residual = (seen - design @ fitted).reshape(2, -1)
        self.squares: Floats = weight * (self.residual**2).sum(axis=0)
        self.motion: Floats = ICRS_TO_GALACTIC @ fitted[:3]


def _design(ra: Floats, dec: Floats, kpc: Floats) -> Floats:
    """What each constant adds to the velocities to the east, then to the north: shape (2 n_stars, 5)."""
    alpha, delta = np.radians(ra), np.radians(dec)
    zero = np.zeros_like(alpha)
    east = np.stack([-np.sin(alpha), np.cos(alpha), zero])
    north = np.stack([-np.sin(delta) * np.cos(alpha), -np.sin(delta) * np.sin(alpha), np.cos(delta)])
    lon, lat = (np.radians(angle) for angle in icrs_to_galactic(ra, dec))
    along = np.stack([-np.sin(lon), np.cos(lon), zero])
    up = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    near = np.minimum(kpc, _FARTHEST_KPC)
    shear = near * np.cos(2.0 * lon) * np.cos(lat) * along - near * np.sin(2.0 * lon) * np.sin(lat) * np.cos(lat) * up
    turning = near * np.cos(lat) * along
    oort = [ICRS_TO_GALACTIC.T @ shear, ICRS_TO_GALACTIC.T @ turning]
    halves = [np.stack([*(-axis), *((term * axis).sum(axis=0) for term in oort)], axis=1) for axis in (east, north)]
    return np.concatenate(halves)


def _cells(ra: Floats, dec: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number of the cell of each star, and how many stars each cell that has any holds."""
    height = np.minimum((0.5 * (unit_vector(ra, dec)[2] + 1.0) * _BELTS).astype(int), _BELTS - 1)
    around = np.minimum((np.mod(ra, 360.0) / 360.0 * 2 * _BELTS).astype(int), 2 * _BELTS - 1)
    _, cell, members = np.unique(height * 2 * _BELTS + around, return_inverse=True, return_counts=True)
    return cell, members


def _votes(cell: NDArray[np.intp], values: Floats) -> Floats:
    """Sum of the values of the stars of each cell."""
    return np.bincount(cell, values).astype(np.float64)


def _significance(votes: Floats) -> float:
    """Sum of what the cells say, in standard errors of it."""
    error = float(np.sqrt(((votes - votes.mean()) ** 2).sum()))
    return float(votes.sum()) / error if error > 0.0 else 0.0


def _lead(plain: _Fit, kpc: Floats, weight: Floats) -> Floats:
    """
    What each star says of the Sun's lead over it along the rotation; negative where the star is ahead.

    Without Oort's constants, which in a part of the sky can take the place of that lead.
    """
    fit = _Fit(plain.sky, kpc, weight, like=plain, constants=3)
    ahead = (fit.design @ ICRS_TO_GALACTIC[1]).reshape(2, -1)
    lead: Floats = weight * (ahead * (fit.residual + fit.motion[1] * ahead)).sum(axis=0)
    return lead


def _lacks_cosine(plain: _Fit, kpc: Floats, weight: Floats, cell: NDArray[np.intp], members: NDArray[np.intp]) -> float:
    """
    Significance with which the scatter of pmra over that of pmdec grows to the poles as 1 / cos(dec) does.

    Residuals cannot be compared here, because the factor makes all of pmra smaller. What a cell says depends on its
    declination first of all, so that the standard error is of cells of one belt of declination.
    """
    ra, dec, pmra, pmdec = plain.sky
    times = _Fit((ra, dec, pmra * np.cos(np.radians(dec)), pmdec), kpc, weight, like=plain)
    vote = 1.0 / np.sqrt(members[cell])

    def scatter(fit: _Fit) -> Floats:
        ratio = np.log(np.abs(fit.residual[0]) + 1e-9) - np.log(np.abs(fit.residual[1]) + 1e-9)
        return _votes(cell, vote * (ratio - np.average(ratio, weights=vote)) ** 2)

    votes = scatter(plain) - scatter(times)
    height = np.bincount(cell, unit_vector(ra, dec)[2]) / members
    belt = np.minimum((0.5 * (height + 1.0) * _BELTS).astype(int), _BELTS - 1)
    shared = np.bincount(belt)[belt]
    mean = np.bincount(belt, votes)[belt] / shared
    # A cell that is alone in its belt has nothing to be compared with but zero.
    squares = np.where(shared > 1, (votes - mean) ** 2 * shared / np.maximum(shared - 1, 1), votes**2)
    return float(votes.sum()) / float(np.sqrt(squares.sum()))
