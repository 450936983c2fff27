"""What came from outside: stars stripped from satellites, and stars born in gas that streamed in.

Both are set on their way where they left their satellite or were born, and integrated to today.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.draws import Draws
from exsitu.mocks.galaxies import GalaxyModel, Inflow, Orbit, Satellite
from exsitu.mocks.orbits import INTERVAL_MYR, infall_track, integrate_to_today, rounded
from exsitu.mocks.particles import FIRST_INFLOW, FIRST_SATELLITE, MAX_HEIGHT, OLDEST_GYR, RING, Particles, first_id
from exsitu.mocks.randomness import Purpose, draws_for

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_CUT_RADII = 6.0
_INTERVALS_PER_GYR = 1000 // INTERVAL_MYR


@dataclass(frozen=True, slots=True)
class Debris:
    """
    Stars that came from outside, at the moment from which they move on their own.

    Parameters
    ----------
    offset : ndarray, shape (n, 6)
        Position (kpc) and velocity (km/s) relative to the satellite's centre or the inflow's path.
    state : ndarray, shape (n, 6)
        Galactocentric position (kpc) and velocity (km/s).
    lookback : ndarray of int, shape (n,)
        When that was, in intervals of ``orbits.INTERVAL_MYR`` before today.
    age, feh : ndarray, shape (n,)
        Gyr, dex.
    origin : ndarray of int, shape (n,)
        As in `Particles`.
    """

    offset: Floats
    state: Floats
    lookback: Integers
    age: Floats
    feh: Floats
    origin: NDArray[np.int16]


def satellites_of(model: GalaxyModel, seed: int) -> tuple[Satellite, ...]:
    """
    All satellites of a galaxy: those of its model, and the dwarfs drawn for it.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    seed : int
        The same seed gives the same dwarfs.

    Returns
    -------
    tuple of Satellite
        In the order of `Particles.origin`.
    """
    draws = draws_for(seed, model, Purpose.DWARFS)
    return (*model.satellites, *(_dwarf(model, i, draws) for i in range(model.dwarfs.count)))


def _dwarf(model: GalaxyModel, number: int, draws: Draws) -> Satellite:
    """A small satellite on an orbit drawn at random, isotropic."""

    def between(name: str, low: float, high: float) -> float:
        return low + (high - low) * float(draws.uniform(name, [number])[0])

    dwarfs, infall, disrupted = model.dwarfs, between("infall", 6.0, 11.0), between("disrupted", 4.0, 6.0)
    scatter = float(draws.normal("mass", [number])[0]), float(draws.normal("[Fe/H]", [number])[0])
    return Satellite(
        name=f"dwarf {number}",
        mass=dwarfs.mass * float(el.exp10(0.25 * scatter[0])),
        infall=infall,
        disrupted=min(disrupted, infall - 0.5),
        orbit=Orbit(
            radius=between("radius", 15.0, 40.0),
            circularity=between("circularity", 0.15, 0.7),
            inclination=float(90.0 - np.degrees(el.arcsin(between("inclination", -1.0, 1.0)))),
            node=between("node", 0.0, 360.0),
            friction_time=between("friction time", 2.5, 6.0),
        ),
        scale=0.5,
        sigma=15.0,
        feh=dwarfs.feh + dwarfs.feh_scatter * scatter[1],
    )


def make_debris(model: GalaxyModel, mass: float, seed: int) -> Debris:
    """
    Set the stars from outside on their way.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    mass : float
        Of a particle, Msun.
    seed : int
        The same seed gives the same stars.

    Returns
    -------
    Debris
        Satellite by satellite, then inflow by inflow.
    """
    parts = [
        _stripped(model, satellite, mass, FIRST_SATELLITE + i, draws_for(seed, model, Purpose.SATELLITE, i))
        for i, satellite in enumerate(satellites_of(model, seed))
    ]
    parts += [
        _born_on_the_way(model, inflow, mass, FIRST_INFLOW + i, draws_for(seed, model, Purpose.INFLOW, i))
        for i, inflow in enumerate(model.inflows)
    ]
    return Debris(*(np.concatenate([getattr(part, name) for part in parts]) for name in Debris.__slots__))


def _stripped(model: GalaxyModel, satellite: Satellite, mass: float, origin: int, draws: Draws) -> Debris:
    """
    Stars of a satellite when they leave it.

    Stripping goes with exp(-r / 8 kpc) along the track, grows with time, and takes the rest in the last tenth.
    """
    times, places, share = stripping(model, satellite)
    star = np.arange(int(satellite.mass / mass))
    event = np.searchsorted(share, draws.uniform("stripped", star) * share[-1])
    # Plummer sphere, cut; the dispersion falls as its potential's square root.
    shell = satellite.scale / np.sqrt(el.power(0.95 * draws.uniform("radius", star) + 1e-9, -2.0 / 3.0) - 1.0)
    offset = _isotropic(draws.normal("direction", star, 3)) * np.minimum(shell, _CUT_RADII * satellite.scale)[:, None]
    sigma = satellite.sigma / np.sqrt(np.sqrt(1.0 + (shell / satellite.scale) * (shell / satellite.scale)))
    inner = np.concatenate([offset, draws.normal("velocity", star, 3) * sigma[:, None]], axis=1)
    lookback = times[event].astype(np.int64)
    # Most of its stars formed before it fell in, the late ones from then until they were stripped.
    late = draws.uniform("late", star) < satellite.late
    youngest = np.where(late, lookback / _INTERVALS_PER_GYR, satellite.infall)
    age = youngest + (np.where(late, satellite.infall, OLDEST_GYR) - youngest) * draws.uniform("age", star)
    feh = satellite.feh + satellite.feh_scatter * draws.normal("[Fe/H]", star)
    feh = np.minimum(feh, satellite.feh + 0.75)
    return Debris(inner, rounded(places[event] + inner), lookback, age, feh, np.full(len(star), origin, np.int16))


def stripping(model: GalaxyModel, satellite: Satellite) -> tuple[Integers, Floats, Floats]:
    """
    When and where a satellite loses its stars.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    satellite : Satellite
        The satellite.

    Returns
    -------
    times : ndarray of int, shape (n,)
        Intervals before today, descending.
    places : ndarray, shape (n, 6)
        Its centre then: kpc, km/s.
    share : ndarray, shape (n,)
        Stars lost until then, in any unit.
    """
    track = infall_track(model.potential, satellite.orbit, satellite.infall - satellite.disrupted)
    first = int(np.ceil(1000.0 * satellite.disrupted / INTERVAL_MYR))
    last = int(np.floor(1000.0 * satellite.infall / INTERVAL_MYR))
    times = np.arange(last, first - 1, -1)
    places = track[np.clip(round(1000.0 * satellite.infall) - times * INTERVAL_MYR, 0, len(track) - 1)]
    weight = el.exp(-_radius(places) / 8.0) * np.linspace(0.3, 1.0, len(places))
    weight[-max(len(weight) // 10, 1) :] += 2.0 * np.cumsum(weight)[-1] / len(weight)
    return times, places, np.cumsum(weight)


def _born_on_the_way(model: GalaxyModel, inflow: Inflow, mass: float, origin: int, draws: Draws) -> Debris:
    """Stars of an inflow where they were born: along its path down to where it first turns outwards."""
    track = infall_track(model.potential, inflow.orbit, inflow.began - inflow.ended)
    radius = _radius(track)
    inwards = track[: int(np.argmax(np.append(np.diff(radius) > 0.0, [True]))) + 1]
    star = np.arange(int(inflow.mass / mass))
    place = inwards[(draws.uniform("place", star) * len(inwards)).astype(np.int64)]
    inner = np.repeat([inflow.width, inflow.sigma], 3) * draws.normal("offset", star, 6)
    since = inflow.ended + (inflow.began - inflow.ended) * draws.uniform("time", star)
    lookback = np.ceil(since * _INTERVALS_PER_GYR)
    feh = inflow.feh + inflow.feh_scatter * draws.normal("[Fe/H]", star)
    born, where = lookback / _INTERVALS_PER_GYR, np.full(len(star), origin, np.int16)
    return Debris(inner, rounded(place + inner), lookback.astype(np.int64), born, feh, where)


def _radius(states: Floats) -> Floats:
    x, y, z = states[:, 0], states[:, 1], states[:, 2]
    radius: Floats = np.sqrt(x * x + y * y + z * z)
    return radius


def _isotropic(direction: Floats) -> Floats:
    """Unit vectors along normal deviates, shape (n, 3)."""
    return direction / _radius(direction)[:, None]


def accreted(model: GalaxyModel, mass: float, seed: int, *, progress: bool) -> Particles:
    """
    Make the particles that came from outside, as they are today within the ring.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    mass : float
        Of a particle, Msun.
    seed : int
        The same seed gives the same particles.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Particles
        Of the satellites and of the inflows.
    """
    debris = make_debris(model, mass, seed)
    today = integrate_to_today(model.potential, debris.state, debris.lookback, progress=progress)
    radius = np.sqrt(today[:, 0] * today[:, 0] + today[:, 1] * today[:, 1])
    row = np.flatnonzero((radius > RING[0]) & (radius < RING[1]) & (np.abs(today[:, 2]) < MAX_HEIGHT))
    today = today[row]
    length, speed = _kernel(today)
    return Particles(
        first_id(FIRST_INFLOW) + row.astype(np.int64), today[:, :3], today[:, 3:], np.full(len(row), mass),
        debris.age[row], debris.feh[row], length, speed, debris.origin[row], row.astype(np.int32),
    )  # fmt: skip


def _kernel(state: Floats) -> tuple[Floats, Floats]:
    """Kernel widths from the distance of the eighth neighbour in phase space, where 1 kpc counts as 45 km/s."""
    from scipy.spatial import cKDTree

    scaled = state / np.array([1.0, 1.0, 1.0, 45.0, 45.0, 45.0])
    neighbours = min(9, len(state))
    distance = cKDTree(scaled).query(scaled, k=neighbours)[0].reshape(len(state), -1)[:, -1]
    return np.clip(0.22 * distance, 0.02, 0.35), np.clip(0.22 * 45.0 * distance, 2.0, 16.0)
