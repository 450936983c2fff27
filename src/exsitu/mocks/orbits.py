"""Orbits in a mock galaxy's potential: gala integrates the stars, a short loop sinks the satellites' centres.

Positions are Galactocentric kpc, velocities km/s, times Myr.
"""

from collections.abc import Iterator
from typing import Any

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

_BLOCK = 2048
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


@njit(cache=True)  # type: ignore[untyped-decorator] # numba has no type information
def _acceleration(x: float, y: float, z: float, p: Floats) -> tuple[float, float, float]:
    """(km/s)2/kpc at a point; `p` holds the potential's numbers in the order of its fields."""
    r2 = x * x + y * y + z * z
    r = np.sqrt(r2) + 1e-9
    s = np.sqrt(z * z + p[4] * p[4])
    d2 = x * x + y * y + (p[3] + s) * (p[3] + s)
    bulge = -G * p[0] / (r * (r + p[1]) * (r + p[1]))
    disc = -G * p[2] / (d2 * np.sqrt(d2))
    halo = -G * p[5] * (np.log(1.0 + r / p[6]) / (r * r) - 1.0 / (r * (r + p[6]))) / r
    plane = bulge + disc + halo
    return x * plane, y * plane, z * (bulge + halo + disc * (p[3] + s) / s)


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
    start = np.concatenate([orbit.radius * radial, v_c * (orbit.circularity * tangential - 0.35 * radial)])
    track: Floats = _sink(start, round(1000.0 * duration_gyr), 1000.0 * orbit.friction_time, _numbers(potential))
    return track


def hamiltonian(potential: Potential) -> Any:
    """
    The potential as gala's Hamiltonian.

    Parameters
    ----------
    potential : Potential
        The galaxy's.

    Returns
    -------
    gala.potential.Hamiltonian
        In kpc, Myr, Msun.
    """
    import gala.potential as gp
    from gala.units import galactic

    p, total = potential, gp.CCompositePotential()
    total["bulge"] = gp.HernquistPotential(m=p.bulge_mass, c=p.bulge_scale, units=galactic)
    total["disc"] = gp.MiyamotoNagaiPotential(m=p.disc_mass, a=p.disc_a, b=p.disc_b, units=galactic)
    total["halo"] = gp.NFWPotential(m=p.halo_mass, r_s=p.halo_scale, units=galactic)
    return gp.Hamiltonian(total)


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


def advance(system: Any, state: Floats) -> None:
    """
    Move stars in place through one interval, each with a step that suits how near the centre it comes.

    Parameters
    ----------
    system : gala.potential.Hamiltonian
        From `hamiltonian`.
    state : ndarray, shape (6, n_stars)
        Position (kpc) and velocity (kpc/Myr).
    """
    # gala's C loop by itself: its Python front converts units for a millisecond a call, 3000 times a galaxy.
    from gala.integrate.cyintegrators import leapfrog_integrate_hamiltonian

    paces = _paces(state, np.array([limit for limit, _ in _STEPS]))
    for pace, (_, step) in enumerate(_STEPS):
        times = np.arange(round(INTERVAL_MYR / step) + 1) * step
        chosen = np.flatnonzero(paces == pace)
        for first in range(0, chosen.size, _BLOCK):
            some = chosen[first : first + _BLOCK]
            start = np.ascontiguousarray(state[:, some])
            state[:, some] = leapfrog_integrate_hamiltonian(system, start, times, save_all=0)[1]


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
    system = hamiltonian(potential)
    for now, n in zip(range(latest, -1, -1), counts.tolist(), strict=True):
        yield now, n, moved
        if now:
            advance(system, moved[:, :n])


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
