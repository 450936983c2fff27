"""Stars born in the galaxy: the disc by age, the part of it that a merger heated, and what was there before the disc.

Only the ring that a survey can see is made. The disc rotates towards decreasing azimuth in the frame of
``exsitu.phase_space``; azimuths "along" count with the rotation, and v_phi is positive along it.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.draws import Draws
from exsitu.mocks.bar import R_REFERENCE, forced_response
from exsitu.mocks.galaxies import GalaxyModel, HeatedDisc, ProtoGalaxy
from exsitu.mocks.orbits import circular_velocity
from exsitu.mocks.particles import HEATED, MAX_HEIGHT, OLDEST_GYR, PROTO, RING, Particles
from exsitu.mocks.randomness import Purpose, draws_for

Floats = NDArray[np.float64]

_PITCH = np.radians(18.0)


def in_situ(model: GalaxyModel, mass: float, seed: int) -> Iterator[Particles]:
    """
    Make the particles born in the galaxy's disc and before it.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    mass : float
        Of a particle, Msun.
    seed : int
        The same seed gives the same particles.

    Yields
    ------
    Particles
        A population: the age bins of the disc, the heated disc, the proto-galaxy.

    Notes
    -----
    Exponential discs with sech^2 heights. Velocity dispersions grow with age, fall outwards over 9 kpc, and stand
    1 : 0.62 : 0.71 (R, z, phi). The asymmetric drift is the Jeans equation's (Binney & Tremaine 2008, eq. 4.228) with a
    skewed v_phi (Azzalini 1985). The heated disc is the slower and hotter the more metal-poor (the Splash of Belokurov
    et al. 2020).
    """
    for index in range(len(_age_edges(model)) - 1):
        yield _disc_population(model, index, mass, draws_for(seed, model, Purpose.IN_SITU, index))
    yield _heated_disc(model, mass, draws_for(seed, model, Purpose.IN_SITU, HEATED))
    yield _proto_galaxy(model, mass, draws_for(seed, model, Purpose.IN_SITU, PROTO))


def _age_edges(model: GalaxyModel) -> Floats:
    return np.array([0.02, 0.5, 1.0, 2.0, 3.5, 5.0, 6.5, model.disc.thick_age, 9.3, 10.5, 12.5])


def _shares(model: GalaxyModel) -> Floats:
    """Share of each age bin in the disc's surface density."""
    edges = _age_edges(model)
    weight = np.diff(edges) * (1.0 + 0.5 * model.disc.early * (edges[1:] + edges[:-1]))
    shares: Floats = weight / np.cumsum(weight)[-1]
    return shares


def _radii(surface_density: float, scale: float, mass: float, draws: Draws) -> Floats:
    """Cylindrical radii of a Poisson number of particles of an exponential disc within the ring."""
    grid = np.linspace(*RING, 401)
    profile = 2.0 * np.pi * surface_density * grid * el.exp(-(grid - R_REFERENCE) / scale)
    total = np.concatenate([[0.0], np.cumsum(0.5 * (profile[1:] + profile[:-1]) * np.diff(grid))])
    star = np.arange(int(draws.poisson("number", [0], total[-1] / mass)[0]))
    radii: Floats = np.interp(draws.uniform("radius", star) * total[-1], total, grid)
    return radii


def _skewed(normal: Floats, shape: float = -2.5) -> Floats:
    """Skew-normal deviates of zero mean and unit variance (Azzalini 1985) from normal ones, shape (n, 2)."""
    delta = shape / np.sqrt(1.0 + shape * shape)
    deviate = delta * np.abs(normal[:, 0]) + np.sqrt(1.0 - delta * delta) * normal[:, 1]
    mean = delta * np.sqrt(2.0 / np.pi)
    result: Floats = (deviate - mean) / np.sqrt(1.0 - mean * mean)
    return result


def _arm_phase(model: GalaxyModel, radius: Floats, along: Floats) -> Floats:
    """Phase of the spiral, 0 on a crest; the arms trail."""
    phase: Floats = 2.0 * (along - model.spiral.phase + el.log(radius / R_REFERENCE) / float(el.tan(_PITCH)))
    return phase


def _azimuths(model: GalaxyModel, radius: Floats, amplitude: float, draws: Draws) -> Floats:
    """Azimuths along the rotation, drawn from the arms' density by rejection."""
    along, pending = np.empty(len(radius)), np.arange(len(radius))
    attempt = 0
    while pending.size:
        tried = draws.uniform(f"azimuth {attempt}", pending) * 2.0 * np.pi
        density = (1.0 + amplitude * el.cos(_arm_phase(model, radius[pending], tried))) / (1.0 + amplitude)
        accepted = draws.uniform(f"accepted {attempt}", pending) < density
        along[pending[accepted]] = tried[accepted]
        pending, attempt = pending[~accepted], attempt + 1
    return along


def _cartesian(radius: Floats, along: Floats, z: Floats, v: tuple[Floats, Floats, Floats]) -> tuple[Floats, Floats]:
    """Positions and velocities from cylindrical ones."""
    c, s = el.cos(-along), el.sin(-along)
    v_r, v_phi, v_z = v
    position = np.stack([radius * c, radius * s, z], axis=1)
    return position, np.stack([v_r * c + v_phi * s, v_r * s - v_phi * c, v_z], axis=1)


def _disc_population(model: GalaxyModel, index: int, mass: float, draws: Draws) -> Particles:
    """One age bin: [Fe/H] falls with age, radius and height, the spiral gathers the young, the bar moves the cool."""
    disc, youngest, oldest = model.disc, *_age_edges(model)[index : index + 2]
    middle, thick = 0.5 * (youngest + oldest), bool(youngest >= disc.thick_age)
    scale = disc.scale_thick if thick else disc.scale_thin
    density = disc.surface_density * (1.0 - model.heated.fraction - model.proto.fraction) * float(_shares(model)[index])
    radius = _radii(density, scale, mass, draws)
    star = np.arange(len(radius))
    age = youngest + (oldest - youngest) * draws.uniform("age", star)
    hot = disc.thick_factor * (1.45 * disc.sigma + 9.0 * (age - disc.thick_age))
    sigma_0 = hot if thick else disc.sigma * (0.62 + 0.10 * age)
    sigma_r = sigma_0 * el.exp(-(radius - R_REFERENCE) / 9.0)
    height = 0.18 + 0.62 * el.power(0.62 * sigma_0 / 40.0, 1.5)
    z = height * el.arctanh(np.clip(2.0 * draws.uniform("height", star) - 1.0, -1.0 + 1e-12, 1.0 - 1e-12))
    fading = float(el.exp(-middle / 6.0))
    along = _azimuths(model, radius, model.spiral.amplitude * fading, draws)
    v_r, v_phi, v_z = _disc_velocities(model, (radius, along, z), sigma_r, (scale, fading), draws)
    trend, scatter = (-0.30 - 0.09 * (age - 8.0), 0.27) if thick else (-0.035 * age, 0.17)
    gradient = disc.feh_gradient * (radius - R_REFERENCE) - 0.10 * np.abs(z)
    feh = disc.feh + trend + gradient + scatter * draws.normal("[Fe/H]", star)
    cosh = el.cosh(np.minimum(np.abs(z) / height, 8.0))
    local = density * el.exp(-(radius - R_REFERENCE) / scale) / (2.0 * height * cosh * cosh)
    length = np.clip(0.6 * el.power(mass / np.maximum(local, 100.0), 1.0 / 3.0), 0.02, 0.6)
    d_radius, d_along, d_v_r, d_v_phi = forced_response(model.bar, model.potential, radius, along, sigma_r)
    position, velocity = _cartesian(radius + d_radius, along + d_along, z, (v_r + d_v_r, v_phi + d_v_phi, v_z))
    born = Particles.born_here(
        position, velocity, mass, age, np.minimum(feh, 0.6), length, np.clip(0.12 * sigma_r, 3.0, 15.0), index
    )
    return born.rows(np.abs(z) < MAX_HEIGHT)


def _disc_velocities(
    model: GalaxyModel,
    place: tuple[Floats, Floats, Floats],
    sigma_r: Floats,
    scale_and_fading: tuple[float, float],
    draws: Draws,
) -> tuple[Floats, Floats, Floats]:
    radius, along, z = place
    star = np.arange(len(radius))
    scale, fading = scale_and_fading
    v_c = circular_velocity(model.potential, radius)
    drift = sigma_r * sigma_r / (2.0 * v_c) * (radius * (1.0 / scale + 2.0 / 9.0) - 0.5)
    arm = _arm_phase(model, radius, along)
    streaming = model.spiral.speed * fading
    v_phi = v_c - np.minimum(drift, 0.75 * v_c) - 8.0 * np.abs(z) + 0.6 * streaming * el.sin(arm)
    v_phi += sigma_r / np.sqrt(2.0) * _skewed(draws.normal("v_phi", star, 2))
    v_r = sigma_r * draws.normal("v_R", star) + streaming * el.cos(arm)
    return v_r, v_phi, 0.62 * sigma_r * draws.normal("v_z", star)


def _heated_disc(model: GalaxyModel, mass: float, draws: Draws) -> Particles:
    """The disc stars that the merger heated: the more metal-poor, the hotter and slower."""
    heated = model.heated
    age, radius = _old(heated, model, mass, heated.heated, draws)
    feh = heated.feh + heated.feh_scatter * draws.normal("[Fe/H]", np.arange(len(age)))
    lack = heated.feh - feh
    heat = np.clip(1.0 + 0.22 * lack, 0.7, 1.5)
    return _hot(heated, radius, (age, feh, mass, HEATED), (heat, heated.v_phi - 81.0 * lack), draws)


def _proto_galaxy(model: GalaxyModel, mass: float, draws: Draws) -> Particles:
    """The stars that were there before the disc."""
    proto = model.proto
    age, radius = _old(proto, model, mass, 12.0, draws)
    feh = proto.feh + proto.feh_scatter * draws.normal("[Fe/H]", np.arange(len(age)))
    unit = np.ones(len(age))
    return _hot(proto, radius, (age, feh, mass, PROTO), (unit, proto.v_phi * unit), draws)


def _old(
    part: HeatedDisc | ProtoGalaxy, model: GalaxyModel, mass: float, youngest: float, draws: Draws
) -> tuple[Floats, Floats]:
    """Ages (Gyr) and radii (kpc) of an old population."""
    radius = _radii(model.disc.surface_density * part.fraction, part.scale, mass, draws)
    return youngest + (OLDEST_GYR - youngest) * draws.uniform("age", np.arange(len(radius))), radius


def _hot(
    part: HeatedDisc | ProtoGalaxy,
    radius: Floats,
    stars: tuple[Floats, Floats, float, int],
    motion: tuple[Floats, Floats],
    draws: Draws,
) -> Particles:
    """A hot population; `stars` are age, [Fe/H], mass, origin, `motion` the dispersions' factor and v_phi."""
    (age, feh, mass, origin), (heat, v_phi), n = stars, motion, len(radius)
    star = np.arange(n)
    place = 2.0 * draws.uniform("height", star) - 1.0  # of a Laplace distribution, both halves of it
    z = -part.height * np.sign(place) * el.log(1.0 - np.abs(place))
    d_r, d_phi, d_z = np.array(part.sigma)[:, None] * heat * draws.normal("velocity", star, 3).T
    along = draws.uniform("azimuth", star) * 2.0 * np.pi
    position, velocity = _cartesian(radius, along, z, (d_r, v_phi + d_phi, d_z))
    length, speed = np.full(n, 0.12), np.full(n, 14.0)
    born = Particles.born_here(position, velocity, mass, age, np.minimum(feh, 0.3), length, speed, origin)
    return born.rows(np.abs(z) < MAX_HEIGHT)
