"""Star particles of a mock galaxy: discs with ages and spiral arms, a heated disc, and the debris of its mergers.

Everything is Galactocentric, kpc and km/s, in the frame of ``exsitu.phase_space``: the disc rotates towards decreasing
azimuth, and v_phi is positive along the rotation. Only the ring that a survey can see is kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.mocks.galaxies import GalaxyModel, Satellite
from exsitu.mocks.orbits import INTERVAL_MYR, circular_velocity, integrate_to_today, satellite_track
from exsitu.mocks.randomness import Purpose, stream

Floats = NDArray[np.float64]

R_SUN = 8.2
RING = (3.2, 13.2)
"""Cylindrical radii kept, kpc."""

MAX_HEIGHT = 5.5
"""Largest height kept, kpc."""

HEATED = 100
"""`origin` of the heated disc; below it stand the age bins of the disc."""

FIRST_SATELLITE = 200
"""`origin` of the first satellite."""

_PITCH = np.radians(18.0)
_OLDEST_GYR = 13.2


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
        Age bin of the disc, ``HEATED``, or ``FIRST_SATELLITE`` plus the number of the satellite.
    """

    position: Floats
    velocity: Floats
    mass: Floats
    age: Floats
    feh: Floats
    length: Floats
    speed: Floats
    origin: NDArray[np.int16]

    @property
    def accreted(self) -> NDArray[np.bool_]:
        """Whether each particle was born in another galaxy."""
        return self.origin >= FIRST_SATELLITE

    @property
    def accreted_ids(self) -> NDArray[np.int64]:
        """Ids of the particles born in another galaxy."""
        return np.flatnonzero(self.accreted).astype(np.int64)


def _join(parts: list[Particles]) -> Particles:
    return Particles(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Particles.__dataclass_fields__)
    )


def make_particles(
    model: GalaxyModel,
    *,
    particle_mass_msun: float,
    accreted_particle_mass_msun: float,
    seed: int,
    progress: bool = False,
) -> Particles:
    """
    Make the star particles of a galaxy.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    particle_mass_msun, accreted_particle_mass_msun : float
        Mass of a particle born in the galaxy, and of one born in a satellite, Msun.
    seed : int
        The same seed gives the same particles.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Particles
        In-situ particles first.
    """
    rng = stream(seed, model, Purpose.IN_SITU)
    disc = [_disc_population(model, i, particle_mass_msun, rng) for i in range(len(_age_edges(model)) - 1)]
    heated = _heated_disc(model, particle_mass_msun, rng)
    debris = _accreted(model, accreted_particle_mass_msun, seed, progress=progress)
    return _join([*disc, heated, debris])


def _age_edges(model: GalaxyModel) -> Floats:
    return np.array([0.02, 0.5, 1.0, 2.0, 3.5, 5.0, 6.5, model.disc.thick_age, 9.3, 10.5, 12.5])


def _shares(model: GalaxyModel) -> Floats:
    """Share of each age bin in the disc's surface density: a slowly declining rate of star formation."""
    edges = _age_edges(model)
    weight = np.diff(edges) * (0.75 + 0.035 * (edges[1:] + edges[:-1]))
    shares: Floats = weight / np.cumsum(weight)[-1]
    return shares


def _radii(surface_density: float, scale: float, mass: float, rng: np.random.Generator) -> Floats:
    """Cylindrical radii of a Poisson number of particles of an exponential disc within the ring."""
    grid = np.linspace(*RING, 401)
    profile = 2.0 * np.pi * surface_density * grid * el.exp(-(grid - R_SUN) / scale)
    total = np.concatenate([[0.0], np.cumsum(0.5 * (profile[1:] + profile[:-1]) * np.diff(grid))])
    count = int(rng.poisson(total[-1] / mass))
    radii: Floats = np.interp(rng.random(count) * total[-1], total, grid)
    return radii


def _skew_normal(size: int, rng: np.random.Generator, shape: float = -2.5) -> Floats:
    """Skew-normal deviates of zero mean and unit variance (Azzalini 1985)."""
    delta = shape / np.sqrt(1.0 + shape * shape)
    common = np.abs(rng.standard_normal(size))
    deviate = delta * common + np.sqrt(1.0 - delta * delta) * rng.standard_normal(size)
    mean = delta * np.sqrt(2.0 / np.pi)
    result: Floats = (deviate - mean) / np.sqrt(1.0 - mean * mean)
    return result


def _arm_phase(model: GalaxyModel, radius: Floats, along: Floats) -> Floats:
    """Phase of the spiral, 0 on a crest; `along` is the azimuth along the rotation, radians; the arms trail."""
    phase: Floats = 2.0 * (along - model.spiral.phase + el.log(radius / R_SUN) / float(el.tan(_PITCH)))
    return phase


def _azimuths(model: GalaxyModel, radius: Floats, amplitude: float, rng: np.random.Generator) -> Floats:
    """Azimuths along the rotation, drawn from the arms' density by rejection."""
    along, pending = np.empty(len(radius)), np.arange(len(radius))
    while pending.size:
        tried = rng.random(len(pending)) * 2.0 * np.pi
        density = (1.0 + amplitude * el.cos(_arm_phase(model, radius[pending], tried))) / (1.0 + amplitude)
        accepted = rng.random(len(pending)) < density
        along[pending[accepted]] = tried[accepted]
        pending = pending[~accepted]
    return along


def _cartesian(radius: Floats, along: Floats, z: Floats, v: tuple[Floats, Floats, Floats]) -> tuple[Floats, Floats]:
    """Positions and velocities from cylindrical ones; `along` and v_phi count along the rotation."""
    c, s = el.cos(-along), el.sin(-along)
    v_r, v_phi, v_z = v
    position = np.stack([radius * c, radius * s, z], axis=1)
    return position, np.stack([v_r * c + v_phi * s, v_r * s - v_phi * c, v_z], axis=1)


def _disc_population(model: GalaxyModel, index: int, mass: float, rng: np.random.Generator) -> Particles:
    """
    One age bin of the disc.

    Velocity dispersions grow with age, fall outwards over 9 kpc, and stand 1 : 0.62 : 0.71 (R, z, phi); the asymmetric
    drift is the Jeans equation's (Binney & Tremaine 2008, eq. 4.228) with a skewed v_phi; [Fe/H] falls with age, radius
    and height.
    """
    disc, youngest, oldest = model.disc, *_age_edges(model)[index : index + 2]
    middle, thick = 0.5 * (youngest + oldest), bool(youngest >= disc.thick_age)
    scale = disc.scale_thick if thick else disc.scale_thin
    density = disc.surface_density * (1.0 - model.heated.fraction) * float(_shares(model)[index])
    radius = _radii(density, scale, mass, rng)
    n = len(radius)
    age = youngest + (oldest - youngest) * rng.random(n)
    hot = disc.thick_factor * (1.45 * disc.sigma + 9.0 * (age - disc.thick_age))
    sigma_0 = hot if thick else disc.sigma * (0.62 + 0.10 * age)
    sigma_r = sigma_0 * el.exp(-(radius - R_SUN) / 9.0)
    height = 0.18 + 0.62 * el.power(0.62 * sigma_0 / 40.0, 1.5)
    z = height * el.arctanh(np.clip(2.0 * rng.random(n) - 1.0, -1.0 + 1e-12, 1.0 - 1e-12))
    fading = float(el.exp(-middle / 6.0))
    along = _azimuths(model, radius, model.spiral.amplitude * fading, rng)
    v = _disc_velocities(model, (radius, along, z), sigma_r, (scale, fading), rng)
    trend, scatter = (-0.22 - 0.09 * (age - 8.0), 0.27) if thick else (0.08 - 0.035 * age, 0.17)
    feh = trend - 0.045 * (radius - R_SUN) - 0.10 * np.abs(z) + scatter * rng.standard_normal(n)
    cosh = el.cosh(np.minimum(np.abs(z) / height, 8.0))
    local = density * el.exp(-(radius - R_SUN) / scale) / (2.0 * height * cosh * cosh)
    length = np.clip(0.6 * el.power(mass / np.maximum(local, 100.0), 1.0 / 3.0), 0.02, 0.6)
    position, velocity = _cartesian(radius, along, z, v)
    keep = np.abs(z) < MAX_HEIGHT
    return _select(
        Particles(
            position, velocity, np.full(n, mass), age, np.minimum(feh, 0.6), length,
            np.clip(0.12 * sigma_r, 3.0, 15.0), np.full(n, index, np.int16),
        ),
        keep,
    )  # fmt: skip


def _disc_velocities(
    model: GalaxyModel,
    place: tuple[Floats, Floats, Floats],
    sigma_r: Floats,
    scale_and_fading: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    radius, along, z = place
    scale, fading = scale_and_fading
    v_c = circular_velocity(model.potential, radius)
    drift = sigma_r * sigma_r / (2.0 * v_c) * (radius * (1.0 / scale + 2.0 / 9.0) - 0.5)
    arm = _arm_phase(model, radius, along)
    streaming = model.spiral.speed * fading
    v_phi = v_c - np.minimum(drift, 0.75 * v_c) - 8.0 * np.abs(z) + 0.6 * streaming * el.sin(arm)
    v_phi += sigma_r / np.sqrt(2.0) * _skew_normal(len(radius), rng)
    v_r = sigma_r * rng.standard_normal(len(radius)) + streaming * el.cos(arm)
    return v_r, v_phi, 0.62 * sigma_r * rng.standard_normal(len(radius))


def _heated_disc(model: GalaxyModel, mass: float, rng: np.random.Generator) -> Particles:
    """The in-situ halo: the more metal-poor, the hotter and slower; one star in 25 is of a metal-poor tail."""
    heated = model.heated
    radius = _radii(model.disc.surface_density * heated.fraction, heated.scale, mass, rng)
    n = len(radius)
    z = rng.laplace(0.0, heated.height, n)
    age = 9.5 + (_OLDEST_GYR - 9.5) * rng.random(n)
    poor = rng.random(n) < 0.04
    feh = heated.feh + heated.feh_scatter * rng.standard_normal(n)
    feh = np.where(poor, -1.45 + 0.35 * rng.standard_normal(n), feh)
    lack = heated.feh - feh
    heat = np.clip(1.0 + 0.22 * lack, 0.7, 1.5)
    v_r, v_phi, v_z = (sigma * heat * rng.standard_normal(n) for sigma in heated.sigma)
    along = rng.random(n) * 2.0 * np.pi
    position, velocity = _cartesian(radius, along, z, (v_r, heated.v_phi - 81.0 * lack + v_phi, v_z))
    return _select(
        Particles(
            position, velocity, np.full(n, mass), age, np.minimum(feh, 0.3), np.full(n, 0.12), np.full(n, 14.0),
            np.full(n, HEATED, np.int16),
        ),
        np.abs(z) < MAX_HEIGHT,
    )  # fmt: skip


def _select(particles: Particles, keep: NDArray[np.bool_]) -> Particles:
    return Particles(*(getattr(particles, name)[keep] for name in Particles.__dataclass_fields__))


def _dwarfs(model: GalaxyModel, seed: int) -> list[Satellite]:
    """Small satellites on orbits drawn at random, isotropic."""
    rng, dwarfs, found = stream(seed, model, Purpose.DWARFS), model.dwarfs, []
    for i in range(dwarfs.count):
        infall, disrupted = float(rng.uniform(6.0, 11.0)), float(rng.uniform(4.0, 6.0))
        found.append(
            Satellite(
                name=f"dwarf {i}",
                mass=dwarfs.mass * float(el.exp10(rng.normal(0.0, 0.25))),
                infall=infall,
                disrupted=min(disrupted, infall - 0.5),
                radius=float(rng.uniform(15.0, 40.0)),
                circularity=float(rng.uniform(0.15, 0.7)),
                inclination=float(90.0 - np.degrees(el.arcsin(rng.uniform(-1.0, 1.0)))),
                node=float(rng.uniform(0.0, 360.0)),
                friction_time=float(rng.uniform(2.5, 6.0)),
                scale=0.5,
                sigma=15.0,
                feh=float(rng.normal(dwarfs.feh, dwarfs.feh_scatter)),
            )
        )
    return found


def _stripped(
    model: GalaxyModel, satellite: Satellite, mass: float, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.int64]]:
    """
    Stars of a satellite when they leave it.

    Stripping goes with exp(-r / 8 kpc) along the track, grows with time, and takes the rest in the last tenth.

    Returns
    -------
    state : ndarray, shape (n, 6)
        kpc, km/s.
    lookback : ndarray of int, shape (n,)
        Intervals ago.
    """
    track = satellite_track(model.potential, satellite)
    first = int(np.ceil(1000.0 * satellite.disrupted / INTERVAL_MYR))
    last = int(np.floor(1000.0 * satellite.infall / INTERVAL_MYR))
    times = np.arange(last, first - 1, -1)
    places = track[np.clip(np.round(1000.0 * satellite.infall).astype(int) - times * INTERVAL_MYR, 0, len(track) - 1)]
    r = np.sqrt(places[:, 0] * places[:, 0] + places[:, 1] * places[:, 1] + places[:, 2] * places[:, 2])
    weight = el.exp(-r / 8.0) * np.linspace(0.3, 1.0, len(r))
    weight[-max(len(r) // 10, 1) :] += 2.0 * np.cumsum(weight)[-1] / len(r)
    share = np.cumsum(weight)
    n = int(satellite.mass / mass)
    event = np.searchsorted(share, rng.random(n) * share[-1])
    # Plummer sphere, cut at 6 scale radii; the dispersion falls as its potential's square root.
    shell = satellite.scale / np.sqrt(el.power(0.95 * rng.random(n) + 1e-9, -2.0 / 3.0) - 1.0)
    direction = rng.standard_normal((n, 3))
    norm = np.sqrt(
        direction[:, 0] * direction[:, 0] + direction[:, 1] * direction[:, 1] + direction[:, 2] * direction[:, 2]
    )
    offset = direction * (np.minimum(shell, 6.0 * satellite.scale) / norm)[:, None]
    sigma = satellite.sigma / np.sqrt(np.sqrt(1.0 + (shell / satellite.scale) * (shell / satellite.scale)))
    kick = rng.standard_normal((n, 3)) * sigma[:, None]
    return places[event] + np.concatenate([offset, kick], axis=1), times[event].astype(np.int64)


def _accreted(model: GalaxyModel, mass: float, seed: int, *, progress: bool) -> Particles:
    """Debris of all satellites today, within the ring."""
    satellites = [*model.satellites, *_dwarfs(model, seed)]
    states, lookbacks, ages, fehs, origins = [], [], [], [], []
    for i, satellite in enumerate(satellites):
        rng = stream(seed, model, Purpose.SATELLITE, i)
        state, lookback = _stripped(model, satellite, mass, rng)
        n = len(lookback)
        states.append(state)
        lookbacks.append(lookback)
        # Its stars formed before it fell in.
        ages.append(satellite.infall + (_OLDEST_GYR - satellite.infall) * rng.random(n))
        feh = satellite.feh + satellite.feh_scatter * rng.standard_normal(n)
        fehs.append(np.minimum(feh, satellite.feh + 0.75))
        origins.append(np.full(n, FIRST_SATELLITE + i, np.int16))
    today = integrate_to_today(model.potential, np.concatenate(states), np.concatenate(lookbacks), progress=progress)
    radius = np.sqrt(today[:, 0] * today[:, 0] + today[:, 1] * today[:, 1])
    keep = (radius > RING[0]) & (radius < RING[1]) & (np.abs(today[:, 2]) < MAX_HEIGHT)
    today = today[keep]
    length, speed = _debris_kernel(today)
    return Particles(
        today[:, :3], today[:, 3:], np.full(len(today), mass), np.concatenate(ages)[keep], np.concatenate(fehs)[keep],
        length, speed, np.concatenate(origins)[keep],
    )  # fmt: skip


def _debris_kernel(state: Floats) -> tuple[Floats, Floats]:
    """Kernel widths from the distance of the eighth neighbour in phase space, where 1 kpc counts as 45 km/s."""
    from scipy.spatial import cKDTree

    scaled = state / np.array([1.0, 1.0, 1.0, 45.0, 45.0, 45.0])
    neighbours = min(9, len(state))
    distance = cKDTree(scaled).query(scaled, k=neighbours)[0].reshape(len(state), -1)[:, -1]
    return np.clip(0.22 * distance, 0.02, 0.35), np.clip(0.22 * 45.0 * distance, 2.0, 16.0)
