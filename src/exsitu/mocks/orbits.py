"""Orbits in a mock galaxy's potential: of stars, and of the centres of satellites, which sink.

Positions are Galactocentric kpc, velocities km/s, times Myr.

Stars that plunge through the centre are on chaotic orbits: a difference in the last bit grows to kiloparsecs in a few
Gyr. So the loops here are made of arithmetic that every machine rounds alike (see ``exsitu.elementary``), and what they
start from is rounded first (`rounded`): whoever makes a galaxy, wherever, gets the same stars.
"""

import math
from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.mocks.galaxies import Orbit, Potential

Floats = NDArray[np.float64]

G = 4.300917270e-6
"""Gravitational constant, kpc (km/s)2 / Msun (CODATA 2018, IAU 2015 solar mass)."""

KPC_PER_MYR = 1.0227121650537077e-3
"""Distance in kpc covered at 1 km/s in 1 Myr."""

INTERVAL_MYR = 20
"""Stars are stripped at multiples of this lookback time, so that all of one time are integrated together."""

# Step (Myr) for stars whose closest approach to the centre within the next interval stays outside a radius (kpc). On
# the orbits of a plunging merger the energy's relative error over 8 Gyr is then 1e-3 in the median, 9e-3 at the 99th
# percentile.
_STEPS = ((25.0, 10.0), (12.0, 4.0), (7.0, 2.0), (4.0, 1.0), (2.0, 0.4), (0.7, 0.2), (0.0, 0.1))

_BLOCK = 256
"""Stars integrated at a time: their states stay in the processor's cache."""


def circular_velocity(potential: Potential, radius: Floats | float) -> Floats:
    """
    Circular velocity in the disc's plane.

    Parameters
    ----------
    potential : Potential
        The galaxy's.
    radius : ndarray or float
        Cylindrical radius, kpc.

    Returns
    -------
    ndarray, same shape
        km/s.
    """
    r, p = np.asarray(radius, float), potential
    bulge = G * p.bulge_mass * r / ((r + p.bulge_scale) * (r + p.bulge_scale))
    d2 = r * r + (p.disc_a + p.disc_b) * (p.disc_a + p.disc_b)
    disc = G * p.disc_mass * r * r / (d2 * np.sqrt(d2))
    halo = G * p.halo_mass * (el.log(1.0 + r / p.halo_scale) / r - 1.0 / (r + p.halo_scale))
    velocity: Floats = np.sqrt(bulge + disc + halo)
    return velocity


def potential_energy(potential: Potential, radius: Floats, z: Floats) -> Floats:
    """
    The potential.

    Parameters
    ----------
    potential : Potential
        The galaxy's.
    radius, z : ndarray, shape (n,)
        Cylindrical radius and height, kpc.

    Returns
    -------
    ndarray, shape (n,)
        (km/s)2, zero at infinity.

    Notes
    -----
    Hernquist (1990), eq. 5; Miyamoto & Nagai (1975), eq. 4; Navarro, Frenk & White (1997).
    """
    p, r2 = potential, radius * radius + z * z
    r = np.maximum(np.sqrt(r2), 1e-9)
    height = p.disc_a + np.sqrt(z * z + p.disc_b * p.disc_b)
    disc = p.disc_mass / np.sqrt(radius * radius + height * height)
    return -G * (p.bulge_mass / (r + p.bulge_scale) + disc + p.halo_mass * el.log(1.0 + r / p.halo_scale) / r)


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator] # numba has no type information
def _acceleration(x: float, y: float, z: float, p: Floats) -> tuple[float, float, float]:
    """(km/s)2/kpc at a point; `p` holds the potential's numbers in the order of its fields."""
    plane2 = x * x + y * y
    r = math.sqrt(plane2 + z * z) + 1e-9
    s = math.sqrt(z * z + p[4] * p[4])
    d2 = plane2 + (p[3] + s) * (p[3] + s)
    per_r = 1.0 / r
    bulge = G * p[0] * per_r / ((r + p[1]) * (r + p[1]))
    disc = G * p[2] / (d2 * math.sqrt(d2))
    halo = G * p[5] * (el.compiled_log(1.0 + r / p[6]) * per_r - 1.0 / (r + p[6])) * (per_r * per_r)
    plane = -(bulge + disc + halo)
    return x * plane, y * plane, -z * (bulge + halo + disc * (p[3] + s) / s)


@njit(cache=True)  # type: ignore[untyped-decorator] # numba has no type information
def _sink(start: Floats, steps: int, friction_myr: float, p: Floats) -> Floats:
    """Positions and velocities, shape (steps + 1, 6), of a body in the potential with drag, every Myr."""
    track = np.empty((steps + 1, 6))
    x, y, z, vx, vy, vz = start[0], start[1], start[2], start[3], start[4], start[5]
    k = KPC_PER_MYR
    for i in range(steps + 1):
        track[i] = np.array([x, y, z, vx, vy, vz])
        r2 = x * x + y * y + z * z
        drag = 1.0 - 1.0 / (friction_myr * (1.0 + r2 / 225.0))
        ax, ay, az = _acceleration(x, y, z, p)
        vx, vy, vz = (vx + 0.5 * k * ax) * drag, (vy + 0.5 * k * ay) * drag, (vz + 0.5 * k * az) * drag
        x, y, z = x + k * vx, y + k * vy, z + k * vz
        ax, ay, az = _acceleration(x, y, z, p)
        vx, vy, vz = vx + 0.5 * k * ax, vy + 0.5 * k * ay, vz + 0.5 * k * az
    return track


def _numbers(potential: Potential) -> Floats:
    p = potential
    return np.array(
        [p.bulge_mass, p.bulge_scale, p.disc_mass, p.disc_a, p.disc_b, p.halo_mass, p.halo_scale], dtype=np.float64
    )


def rounded(state: Floats) -> Floats:
    """
    Round what an integration starts from, far above the last bit, so that a last bit is not made to grow.

    Parameters
    ----------
    state : ndarray
        Positions (kpc) and velocities (km/s).

    Returns
    -------
    ndarray, same shape
        Multiples of 2^-20: 0.001 pc, 1 mm/s.
    """
    return np.round(state * 2.0**20) * 2.0**-20


def infall_track(potential: Potential, orbit: Orbit, duration_gyr: float) -> Floats:
    """
    Path of something that falls in and sinks.

    Parameters
    ----------
    potential : Potential
        The galaxy's.
    orbit : Orbit
        Where it begins, how it moves, how fast it sinks.
    duration_gyr : float
        For how long, Gyr.

    Returns
    -------
    ndarray, shape (n_steps + 1, 6)
        Position (kpc) and velocity (km/s) every Myr from the beginning on.

    Notes
    -----
    Drag is dv/dt = -v / (t_f (1 + (r / 15 kpc)^2)). The disc's angular momentum points to -z in this frame (it rotates
    towards decreasing azimuth), so the orbital plane is mirrored for an inclination below 90 degrees to be prograde.
    """
    inclination, node = np.radians(orbit.inclination), np.radians(orbit.node)
    ci, si, cn, sn = (float(f(a)) for a in (inclination, node) for f in (el.cos, el.sin))
    v_c = float(circular_velocity(potential, orbit.radius))
    radial, tangential = np.array([cn, -sn, 0.0]), np.array([-sn * ci, -cn * ci, si])
    start = rounded(np.concatenate([orbit.radius * radial, v_c * (orbit.circularity * tangential - 0.35 * radial)]))
    track: Floats = _sink(start, round(1000.0 * duration_gyr), 1000.0 * orbit.friction_time, _numbers(potential))
    return track


@njit(cache=True)  # type: ignore[untyped-decorator] # numba has no type information
def _paces(state: Floats, limits: Floats) -> NDArray[np.int8]:
    """Number of the step that suits each star, by its closest approach within the next interval on a straight line."""
    paces = np.empty(state.shape[1], np.int8)
    for i in range(state.shape[1]):
        x, y, z, u, v, w = state[0, i], state[1, i], state[2, i], state[3, i], state[4, i], state[5, i]
        inwards, speed2 = -(x * u + y * v + z * w), u * u + v * v + w * w
        time = min(max(inwards / speed2, 0.0), float(INTERVAL_MYR))
        approach2 = x * x + y * y + z * z - 2.0 * time * inwards + time * time * speed2
        pace = 0
        while pace < len(limits) - 1 and approach2 < limits[pace] * limits[pace]:
            pace += 1
        paces[i] = pace
    return paces


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator] # numba has no type information
def _leapfrog(state: Floats, chosen: NDArray[np.int64], steps: int, step: float, p: Floats) -> None:
    """Kick, drift and kick the chosen columns of `state` (kpc, kpc/Myr); `p` holds masses times ``KPC_PER_MYR``^2."""
    half = 0.5 * step
    for first in range(0, len(chosen), _BLOCK):
        some = chosen[first : first + _BLOCK]
        x, y, z, u, v, w = (
            state[0][some],
            state[1][some],
            state[2][some],
            state[3][some],
            state[4][some],
            state[5][some],
        )
        ax, ay, az = np.empty_like(x), np.empty_like(x), np.empty_like(x)
        for i in range(len(some)):
            ax[i], ay[i], az[i] = _acceleration(x[i], y[i], z[i], p)
        for _ in range(steps):
            for i in range(len(some)):
                u[i], v[i], w[i] = u[i] + half * ax[i], v[i] + half * ay[i], w[i] + half * az[i]
                x[i], y[i], z[i] = x[i] + step * u[i], y[i] + step * v[i], z[i] + step * w[i]
                ax[i], ay[i], az[i] = _acceleration(x[i], y[i], z[i], p)
                u[i], v[i], w[i] = u[i] + half * ax[i], v[i] + half * ay[i], w[i] + half * az[i]
        for i, star in enumerate(some):
            state[:3, star] = x[i], y[i], z[i]
            state[3:, star] = u[i], v[i], w[i]


def advance(potential: Potential, state: Floats) -> None:
    """
    Move stars in place through one interval, each with a step that suits how near the centre it comes.

    Parameters
    ----------
    potential : Potential
        The galaxy's.
    state : ndarray, shape (6, n_stars)
        Position (kpc) and velocity (kpc/Myr).
    """
    numbers = _numbers(potential)
    numbers[[0, 2, 5]] *= KPC_PER_MYR * KPC_PER_MYR
    paces = _paces(state, np.array([limit for limit, _ in _STEPS]))
    for pace, (_, step) in enumerate(_STEPS):
        _leapfrog(state, np.flatnonzero(paces == pace), round(INTERVAL_MYR / step), step, numbers)


def march(potential: Potential, state: Floats, lookback: NDArray[np.int64]) -> Iterator[tuple[int, int, Floats]]:
    """
    Integrate stars from where and when each begins to move on its own, interval by interval, until today.

    Parameters
    ----------
    potential : Potential
        The galaxy's.
    state : ndarray, shape (n_stars, 6)
        Position (kpc) and velocity (km/s) at the beginning; sorted by `lookback`, descending.
    lookback : ndarray of int, shape (n_stars,)
        When each begins, in intervals of ``INTERVAL_MYR`` before today.

    Yields
    ------
    lookback : int
        Intervals before today, from the earliest beginning down to 0.
    moving : int
        How many stars, from the first on, have begun by then.
    moved : ndarray, shape (6, n_stars)
        Position (kpc) and velocity (kpc/Myr) of all stars then; of those that have not begun as given. See `in_kms`.

    Notes
    -----
    One pass over time: at every interval the stars that begin then join those already moving, and all go on together.
    """
    moved = state.T.copy()
    moved[3:] *= KPC_PER_MYR
    latest = int(lookback.max(initial=0))
    counts = np.searchsorted(-lookback, -np.arange(latest, -1, -1), side="right")
    for now, n in zip(range(latest, -1, -1), counts.tolist(), strict=True):
        yield now, n, moved
        if now:
            advance(potential, moved[:, :n])


def in_kms(moved: Floats) -> Floats:
    """
    States as `march` gives them, in the units of everything else.

    Parameters
    ----------
    moved : ndarray, shape (6, n_stars)
        kpc, kpc/Myr.

    Returns
    -------
    ndarray, shape (n_stars, 6)
        kpc, km/s.
    """
    state: Floats = (moved * np.repeat([1.0, 1.0 / KPC_PER_MYR], 3)[:, None]).T
    return state


def integrate_to_today(potential: Potential, state: Floats, lookback: NDArray[np.int64], *, progress: bool) -> Floats:
    """
    Integrate stars from where and when each begins to move on its own until today.

    Parameters
    ----------
    potential : Potential
        The galaxy's.
    state : ndarray, shape (n_stars, 6)
        Position (kpc) and velocity (km/s) at the beginning.
    lookback : ndarray of int, shape (n_stars,)
        When each begins, in intervals of ``INTERVAL_MYR`` before today.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    ndarray, shape (n_stars, 6)
        Position (kpc) and velocity (km/s) today, in the order of the input.
    """
    from tqdm import tqdm

    order = np.argsort(-lookback, kind="stable")
    steps = march(potential, state[order], lookback[order])
    total = int(lookback.max(initial=0)) + 1
    for _, _, moved in tqdm(steps, "orbits", total, unit="interval", disable=not progress, leave=False):
        today = moved
    result = np.empty_like(state)
    result[order] = in_kms(today)
    return result
