"""Everything kinematic about observed stars in one pass: sky, Galactocentric phase space, and how errors carry over.

`exsitu.phase_space` has the conventions, the frames and the same transformation step by step; here one compiled loop
does what a table of stars needs. Astropy's ``Galactic`` and ``Galactocentric`` frames are what the tests hold it
against.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import cast

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from exsitu.draws import Keys, pair, stream, triangle
from exsitu.elementary import compiled_arctan2, compiled_sine_and_cosine
from exsitu.errors import InputError
from exsitu.phase_space import ICRS_TO_GALACTIC, KMS_PER_KPC_MASYR, SolarFrame

Floats = NDArray[np.float64]

_RADIANS = math.pi / 180.0
_DEGREES = 180.0 / math.pi
_K = KMS_PER_KPC_MASYR

_CHUNK = 1 << 14
"""Stars of one loop: what is copied for it stays in the cache."""


@dataclass(frozen=True, slots=True)
class Kinematics:
    """
    Where stars are and how they move, seen from the Sun and from the galaxy's centre.

    Parameters
    ----------
    x, y, z : ndarray, shape (n_stars,)
        Galactocentric position, kpc.
    v_r, v_phi, v_z : ndarray, shape (n_stars,)
        Galactocentric cylindrical velocity, km/s: outwards, along the disc's rotation, towards the north pole.
    l, b : ndarray, shape (n_stars,)
        Galactic coordinates, degrees, l in (-180, 180].
    pm_l, pm_b : ndarray, shape (n_stars,)
        Proper motion along l (times cos b) and b, mas/yr.
    """

    x: Floats
    y: Floats
    z: Floats
    v_r: Floats
    v_phi: Floats
    v_z: Floats
    l: Floats  # noqa: E741 - the field's name
    b: Floats
    pm_l: Floats
    pm_b: Floats


@dataclass(frozen=True, slots=True)
class Astrometry:
    """
    Measured stars with their errors.

    Parameters
    ----------
    ra, dec : array_like, shape (n_stars,)
        ICRS position, degrees; counts as exact.
    parallax, parallax_error : array_like, shape (n_stars,)
        In mas.
    pmra, pmra_error, pmdec, pmdec_error : array_like, shape (n_stars,)
        Proper motion, mas/yr, pmra times cos(dec).
    radial_velocity, radial_velocity_error : array_like, shape (n_stars,)
        Heliocentric, km/s; independent of the astrometry.
    pmra_pmdec_corr, parallax_pmra_corr, parallax_pmdec_corr : array_like, shape (n_stars,)
        Correlations of the errors; 0 by default.
    """

    ra: ArrayLike
    dec: ArrayLike
    parallax: ArrayLike
    parallax_error: ArrayLike
    pmra: ArrayLike
    pmra_error: ArrayLike
    pmdec: ArrayLike
    pmdec_error: ArrayLike
    radial_velocity: ArrayLike
    radial_velocity_error: ArrayLike
    pmra_pmdec_corr: ArrayLike = 0.0
    parallax_pmra_corr: ArrayLike = 0.0
    parallax_pmdec_corr: ArrayLike = 0.0


@dataclass(frozen=True, slots=True)
class Spread:
    """
    Cylindrical velocities over draws of the measurement errors.

    Parameters
    ----------
    mean, std, p16, p50, p84 : ndarray, shape (n_stars, 3)
        Of v_R, v_phi and v_z, km/s, over the draws with a positive parallax; NaN where there is none, or a measurement
        or error is not finite or an error is negative. Percentiles are interpolated linearly.
    used : ndarray, shape (n_stars,)
        Share of the draws with a positive parallax. Below 1 the others describe a truncated distribution.
    """

    mean: Floats
    std: Floats
    p16: Floats
    p50: Floats
    p84: Floats
    used: Floats


def _apply(matrix: Floats, a: float, b: float, c: float) -> tuple[float, float, float]:
    return (
        matrix[0, 0] * a + matrix[0, 1] * b + matrix[0, 2] * c,
        matrix[1, 0] * a + matrix[1, 1] * b + matrix[1, 2] * c,
        matrix[2, 0] * a + matrix[2, 1] * b + matrix[2, 2] * c,
    )


def _velocity(
    directions: Floats, matrix: Floats, sun: Floats, d: float, pmra: float, pmdec: float, rv: float
) -> tuple[float, float, float, float, float, float]:
    """Place and cylindrical velocity; `directions` are rows towards the star, east and north, ICRS axes."""
    u, e, n = directions[0], directions[1], directions[2]
    x, y, z = apply(matrix, d * u[0], d * u[1], d * u[2])
    along_ra, along_dec = _K * d * pmra, _K * d * pmdec
    v_x, v_y, v_z = apply(
        matrix,
        rv * u[0] + along_ra * e[0] + along_dec * n[0],
        rv * u[1] + along_ra * e[1] + along_dec * n[1],
        rv * u[2] + along_ra * e[2] + along_dec * n[2],
    )
    x, y, z, v_x, v_y = x + sun[0], y + sun[1], z + sun[2], v_x + sun[3], v_y + sun[4]
    r = math.sqrt(x * x + y * y)
    if r == 0.0:
        return x, y, z, math.nan, math.nan, v_z + sun[5]
    return x, y, z, (x * v_x + y * v_y) / r, (y * v_x - x * v_y) / r, v_z + sun[5]


def _directions(ra: float, dec: float, found: Floats) -> None:
    """Unit vectors towards a star, and there towards east and north."""
    sa, ca = compiled_sine_and_cosine(ra * _RADIANS)
    sd, cd = compiled_sine_and_cosine(dec * _RADIANS)
    found[0, 0], found[0, 1], found[0, 2] = cd * ca, cd * sa, sd
    found[1, 0], found[1, 1], found[1, 2] = -sa, ca, 0.0
    found[2, 0], found[2, 1], found[2, 2] = -sd * ca, -sd * sa, cd


def _sky(directions: Floats, galactic: Floats, pmra: float, pmdec: float) -> tuple[float, float, float, float]:
    """Galactic longitude, latitude and proper motion."""
    u, e, n = directions[0], directions[1], directions[2]
    x, y, z = apply(galactic, u[0], u[1], u[2])
    m_x, m_y, m_z = apply(galactic, pmra * e[0] + pmdec * n[0], pmra * e[1] + pmdec * n[1], pmra * e[2] + pmdec * n[2])
    cos_b = math.sqrt(x * x + y * y)
    cos_l, sin_l = (x / cos_b, y / cos_b) if cos_b > 0.0 else (1.0, 0.0)
    return (
        compiled_arctan2(y, x) * _DEGREES,
        compiled_arctan2(z, cos_b) * _DEGREES,
        cos_l * m_y - sin_l * m_x,
        cos_b * m_z - z * (cos_l * m_x + sin_l * m_y),
    )


apply = cast("Callable[..., tuple[float, float, float]]", njit(cache=True)(_apply))
velocity = cast("Callable[..., tuple[float, float, float, float, float, float]]", njit(cache=True)(_velocity))
directions_of = cast("Callable[..., None]", njit(cache=True)(_directions))
sky = cast("Callable[..., tuple[float, float, float, float]]", njit(cache=True)(_sky))


def _kinematics(stars: Floats, galactic: Floats, matrix: Floats, sun: Floats, found: Floats) -> None:
    directions = np.empty((3, 3))
    for i in range(stars.shape[1]):
        pmra, pmdec = stars[3, i], stars[4, i]
        directions_of(stars[0, i], stars[1, i], directions)
        found[0, i], found[1, i], found[2, i], found[3, i], found[4, i], found[5, i] = velocity(
            directions, matrix, sun, stars[2, i], pmra, pmdec, stars[5, i]
        )
        found[6, i], found[7, i], found[8, i], found[9, i] = sky(directions, galactic, pmra, pmdec)


def _percentile(ordered: Floats, share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))


percentile = cast("Callable[[Floats, float], float]", njit(cache=True)(_percentile))


def _spread(
    stars: Floats, lower: Floats, keys: Keys, draws: int, seed: np.uint64, matrix: Floats, sun: Floats, found: Floats
) -> None:
    """Fill rows of mean, std and three percentiles of the three velocities, and the share of draws used."""
    directions, drawn = np.empty((3, 3)), np.empty((3, draws))
    for i in range(stars.shape[1]):
        directions_of(stars[0, i], stars[1, i], directions)
        state, used = stream(seed, keys[i]), 0
        for draw in range(draws):
            first, second = pair(state, 2 * draw)
            third, fourth = pair(state, 2 * draw + 1)
            parallax = stars[2, i] + stars[6, i] * (lower[2, i] * first + lower[3, i] * second + lower[4, i] * third)
            if parallax > 0.0:
                place = velocity(
                    directions,
                    matrix,
                    sun,
                    1.0 / parallax,
                    stars[3, i] + stars[7, i] * first,
                    stars[4, i] + stars[8, i] * (lower[0, i] * first + lower[1, i] * second),
                    stars[5, i] + stars[9, i] * fourth,
                )
                drawn[0, used], drawn[1, used], drawn[2, used] = place[3], place[4], place[5]
                used += 1
        found[15, i] = used / draws
        for part in range(3):
            values = drawn[part, :used]
            if used == 0 or math.isnan(values.sum()):
                found[part:15:3, i] = math.nan
            else:
                values.sort()
                found[part, i], found[3 + part, i] = values.mean(), values.std()
                for j, share in enumerate((0.16, 0.5, 0.84)):
                    found[6 + 3 * j + part, i] = percentile(values, share)


_LOOP = "float64[:, ::1]"
_kinematics_loop = cast(
    "Callable[..., None]",
    njit(f"void({_LOOP}, {_LOOP}, {_LOOP}, float64[::1], {_LOOP})", cache=True)(_kinematics),
)
_spread_loop = cast(
    "Callable[..., None]",
    njit(f"void({_LOOP}, {_LOOP}, int64[::1], int64, uint64, {_LOOP}, float64[::1], {_LOOP})", cache=True)(_spread),
)


def kinematics(
    ra: ArrayLike,
    dec: ArrayLike,
    distance_kpc: ArrayLike,
    pmra: ArrayLike,
    pmdec: ArrayLike,
    radial_velocity: ArrayLike,
    solar: SolarFrame,
) -> Kinematics:
    """
    Galactic and Galactocentric coordinates and motions of observed stars.

    Parameters
    ----------
    ra, dec : array_like, shape (n_stars,)
        ICRS position, degrees.
    distance_kpc : array_like, shape (n_stars,)
        Heliocentric distance, kpc; the paper takes 1 / parallax.
    pmra, pmdec : array_like, shape (n_stars,)
        Proper motion, mas/yr, pmra times cos(dec).
    radial_velocity : array_like, shape (n_stars,)
        Heliocentric, km/s; NaN makes the velocity NaN.
    solar : SolarFrame
        The Sun in the galaxy.

    Returns
    -------
    Kinematics

    Notes
    -----
    Transformations of astropy's ``Galactic`` and ``Galactocentric`` frames (Astropy Collaboration 2018). At a Galactic
    pole l is what rounding makes it, and pm_l, pm_b are along that l.
    """
    given = (ra, dec, distance_kpc, pmra, pmdec, radial_velocity)
    columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(c, np.float64)) for c in given))
    found, frame = np.empty((len(fields(Kinematics)), len(columns[0]))), _frame(solar)
    for start in range(0, len(columns[0]), _CHUNK):
        part = np.stack([c[start : start + _CHUNK] for c in columns])
        filled = np.empty((len(found), part.shape[1]))
        _kinematics_loop(part, ICRS_TO_GALACTIC, *frame, filled)
        found[:, start : start + _CHUNK] = filled
    return Kinematics(*found)


def propagate(
    stars: Astrometry, solar: SolarFrame, *, draws: int, seed: int, keys: NDArray[np.int64] | None = None
) -> Spread:
    """
    Carry measurement errors over to cylindrical velocities by drawing from them.

    Parameters
    ----------
    stars : Astrometry
        Measurements and errors.
    solar : SolarFrame
        The Sun in the galaxy.
    draws : int
        Draws of each star.
    seed : int
        Seed, from 0 to 2^63.
    keys : ndarray of int64, shape (n_stars,), optional
        What names a star, such as its source_id: its draws depend on it and on `seed` alone. Places by default.

    Returns
    -------
    Spread

    Raises
    ------
    InputError
        If `draws` is below 1.
    """
    if draws < 1:
        raise InputError(f"{draws} draws make no spread; at least 1 is needed")
    s = stars
    errors = (s.parallax_error, s.pmra_error, s.pmdec_error, s.radial_velocity_error)
    values = _stacked(
        s.ra, s.dec, s.parallax, s.pmra, s.pmdec, s.radial_velocity, *errors,
        s.pmra_pmdec_corr, s.parallax_pmra_corr, s.parallax_pmdec_corr,
    )  # fmt: skip
    values[6:10] = np.where(values[6:10] >= 0.0, values[6:10], np.nan)
    values[2, ~np.isfinite(values[:10]).all(axis=0)] = np.nan
    lower = np.stack(triangle(values[10], values[11], values[12]))
    names = np.arange(values.shape[1]) if keys is None else keys
    found = np.empty((16, values.shape[1]))
    _spread_loop(values, lower, np.ascontiguousarray(names, np.int64), draws, np.uint64(seed), *_frame(solar), found)
    mean, std, p16, p50, p84 = (np.ascontiguousarray(part.T) for part in found[:15].reshape(5, 3, -1))
    return Spread(mean, std, p16, p50, p84, found[15])


def _stacked(*columns: ArrayLike) -> Floats:
    """Columns as rows of one array, numbers repeated where the others are arrays."""
    return np.stack(np.broadcast_arrays(*(np.atleast_1d(np.asarray(c, np.float64)) for c in columns)))


def _frame(solar: SolarFrame) -> tuple[Floats, Floats]:
    """Rotation to Galactocentric axes; place and velocity of the Sun in them."""
    return np.ascontiguousarray(solar.matrix), np.concatenate([solar.position, np.asarray(solar.v_sun_kms)])
