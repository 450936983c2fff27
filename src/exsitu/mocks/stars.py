"""From star particles to what a survey measures of single stars.

A particle stands for the stars of one age and [Fe/H] that formed together. The number of them that can pass a survey's
selection follows from its isochrone and distance; that many, times the sampling fraction, are drawn, smoothed in phase
space, reddened, and measured with errors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.columns import column
from exsitu.errors import InputError
from exsitu.mocks import uncertainties as un
from exsitu.mocks.dust import band_extinction, extinction
from exsitu.mocks.galaxies import GalaxyModel
from exsitu.mocks.isochrones import Draws, load_isochrones
from exsitu.mocks.particles import Particles
from exsitu.mocks.randomness import Purpose, stream
from exsitu.phase_space import (
    ICRS_TO_GALACTIC,
    Observables,
    PhaseSpace,
    SolarFrame,
    icrs_to_galactic,
    observables,
    unit_vector,
)
from exsitu.quality import fractional_parallax_error

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

EDGE_KPC = 4.5
"""Stars are made out to this distance, the edge of the ananke slices that the paper reads."""

BRIGHTEST_G, FAINTEST_G = 3.0, 21.0
_NOISE_MARGIN = 1.4
"""A star may pass a parallax cut by luck with errors larger than the limit by this factor."""


@dataclass(frozen=True, slots=True)
class View:
    """
    A galaxy seen from one place.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    viewpoint : int
        Number of the viewpoint, from 0.
    profile : ErrorProfile
        How well is measured.
    """

    model: GalaxyModel
    viewpoint: int
    profile: un.ErrorProfile

    @property
    def survey(self) -> str:
        """Name of the survey made from here, ``<galaxy>/lsr<N>``."""
        return f"{self.model.name}/lsr{self.viewpoint}"

    @property
    def solar(self) -> SolarFrame:
        """Solar frame of the viewpoint."""
        if not 0 <= self.viewpoint < len(self.model.suns):
            known = len(self.model.suns)
            raise InputError(f"{self.model.name} has no viewpoint {self.viewpoint}; it has {known}, numbered from 0")
        return self.model.suns[self.viewpoint]

    def stream(self, seed: int, purpose: Purpose, *strata: "Stratum") -> np.random.Generator:
        """Random numbers for strata of this survey."""
        return stream(seed, self.model, purpose, self.viewpoint, *(stratum.number for stratum in strata))

    def turn(self, vectors: Floats) -> Floats:
        """Vectors, shape (n, 3), with the galaxy turned about its axis so that this Sun is at (-R0, 0)."""
        angle = np.radians(-120.0 * self.viewpoint)
        c, s = float(el.cos(angle)), float(el.sin(angle))
        x, y = vectors[:, 0], vectors[:, 1]
        return np.stack([c * x - s * y, s * x + c * y, vectors[:, 2]], axis=1)


@dataclass(frozen=True, slots=True)
class Stratum:
    """
    A part of a survey that is sampled at one fraction.

    Parameters
    ----------
    number : int
        Goes into the seeds; strata of one survey have different ones.
    by_parallax : callable
        ``(parallax, parallax_error) -> bool array``: which measured parallaxes (mas) belong to it.
    max_fractional_error : float or None
        No star whose expected parallax_error / parallax is well above this can belong to it; None where it can.
    faintest : float
        No star fainter than this in G can belong to it.
    by_row : callable or None
        ``frame -> bool array``: which measured stars belong to it; None where all do.
    """

    number: int
    by_parallax: Callable[[Floats, Floats], Mask]
    max_fractional_error: float | None = None
    faintest: float = FAINTEST_G
    by_row: Callable[[pd.DataFrame], Mask] | None = None


def within(low: float, high: float) -> "_Window":
    """
    Parallaxes measured to a fractional error in a range.

    Parameters
    ----------
    low, high : float
        low <= parallax_error / parallax < high, with a positive parallax.

    Returns
    -------
    callable
        ``(parallax, parallax_error) -> bool array``.
    """
    return _Window(low, high)


class _Window:
    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, parallax: Floats, error: Floats) -> Mask:
        fraction = fractional_parallax_error(parallax, error)
        return (fraction >= self.low) & (fraction < self.high)


def any_parallax(parallax: Floats, parallax_error: Floats) -> Mask:
    """
    All parallaxes, whatever their error.

    Parameters
    ----------
    parallax, parallax_error : ndarray, shape (n_stars,)
        mas.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
    """
    return np.isfinite(parallax) & np.isfinite(parallax_error)


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    Particles that can show stars in a stratum.

    Parameters
    ----------
    particles : Particles
        Of the whole galaxy.
    ids, cells : ndarray of int, shape (n,)
        Particles that can, and their isochrone cells.
    count : ndarray, shape (n,)
        Stars per Msun bright enough.
    expected : ndarray, shape (n,)
        Number of such stars in this particle and all before it.
    """

    particles: Particles
    ids: Integers
    cells: Integers
    count: Floats
    expected: Floats

    @property
    def total(self) -> float:
        """Expected number of stars bright enough, in all particles."""
        return float(self.expected[-1]) if self.expected.size else 0.0

    def choose(self, size: int, rng: np.random.Generator) -> Integers:
        """Rows of random stars, in order: the parent of each is as likely as it has stars bright enough."""
        # In order they are found, and their parents read, several times faster.
        place = np.sort(rng.random(size)) * self.total
        return np.searchsorted(self.expected, place, side="right").astype(np.int64)


def prepare(particles: Particles, view: View, stratum: Stratum, seed: int) -> Prepared:
    """
    Find the particles that can show stars, and how many.

    Parameters
    ----------
    particles : Particles
        Of the whole galaxy.
    view : View
        From where.
    stratum : Stratum
        Which stars.
    seed : int
        The stage's.

    Returns
    -------
    Prepared
    """
    isochrones = load_isochrones()
    position = view.turn(particles.position)
    distance = _length(position - view.solar.position)
    ids = np.flatnonzero(distance < EDGE_KPC + 3.0 * particles.length)
    position, distance, length = position[ids], distance[ids], particles.length[ids]
    nearest = np.maximum(distance - 2.5 * length, 0.02)
    faintest = np.full(len(ids), stratum.faintest)
    if stratum.max_fractional_error is not None:
        error = stratum.max_fractional_error * _NOISE_MARGIN / nearest
        faintest = un.faintest_g(error, view.profile, stratum.faintest)
    # The least extinction a star of the smoothed particle can have, and the reddest star's share of it.
    height = np.abs(position[:, 2]) + 2.5 * length
    midway = _midway_radius(position, view.solar) + length
    absolute = faintest - 5.0 * el.log10(100.0 * nearest) - 0.6 * extinction(nearest, height, midway, view.model.dust)
    cells = isochrones.cells(particles.age[ids], particles.feh[ids], view.stream(seed, Purpose.PREPARE, stratum))
    count = isochrones.count(cells, absolute)
    keep = np.flatnonzero(count > 0.0)
    ids, count = ids[keep], count[keep]
    return Prepared(particles, ids, cells[keep], count, np.cumsum(particles.mass[ids] * count))


def _midway_radius(position: Floats, solar: SolarFrame) -> Floats:
    x, y = 0.5 * (position[:, 0] + solar.position[0]), 0.5 * (position[:, 1] + solar.position[1])
    radius: Floats = np.sqrt(x * x + y * y)
    return radius


def measure(
    prepared: Prepared, chosen: Integers, view: View, stratum: Stratum, rng: np.random.Generator
) -> pd.DataFrame:
    """
    Draw one star from each chosen particle and measure it.

    Parameters
    ----------
    prepared : Prepared
        From `prepare`.
    chosen : ndarray of int, shape (n_draws,)
        Rows of `prepared`, one a star.
    view, stratum : View, Stratum
        As in `prepare`.
    rng : numpy.random.Generator
        Source of all draws.

    Returns
    -------
    DataFrame
        The stars that belong to the stratum: registry names and dtypes; all that a survey has but ids of stars.
    """
    particles, parents = prepared.particles, prepared.ids[chosen]
    stars = load_isochrones().draw(prepared.cells[chosen], prepared.count[chosen], rng)
    offset = particles.length[parents, None] * rng.standard_normal((len(chosen), 3))
    position = view.turn(particles.position[parents]) + offset
    distance = _length(position - view.solar.position)
    a0 = extinction(distance, position[:, 2], _midway_radius(position, view.solar), view.model.dust)
    g = stars.g_abs + 5.0 * el.log10(100.0 * distance) + band_extinction("g", stars.bp_rp, a0)
    sigma, luck = un.parallax_error(g, view.profile), rng.standard_normal(len(chosen))
    possible = (distance < EDGE_KPC) & (g > BRIGHTEST_G) & (g < stratum.faintest)
    kept = np.flatnonzero(possible & stratum.by_parallax(1.0 / distance + sigma * luck, sigma))
    parents = parents[kept]
    motion = particles.speed[parents, None] * rng.standard_normal((len(parents), 3))
    velocity = view.turn(particles.velocity[parents]) + motion
    true = observables(PhaseSpace(*position[kept].T, *velocity.T), view.solar)
    columns: dict[str, NDArray[Any]] = {
        "parentid": parents,
        "feh": particles.feh[parents],
        "age": 9.0 + el.log10(particles.age[parents]),
        "logg": stars.logg[kept],
        "logteff": stars.log_teff[kept],
        **_astrometry(true, sigma[kept], luck[kept], view.profile, rng),
        **_photometry(stars.rows(kept), g[kept], 5.0 * el.log10(100.0 * distance[kept]), a0[kept], rng),
        **_truth(true, velocity, view.solar),
    }
    columns |= _radial_velocity(columns, true.radial_velocity, view.profile, rng)
    table = pd.DataFrame({name: values.astype(column(name).dtype) for name, values in columns.items()})
    return table if stratum.by_row is None else table[stratum.by_row(table)]


def _length(vectors: Floats) -> Floats:
    x, y, z = vectors.T
    length: Floats = np.sqrt(x * x + y * y + z * z)
    return length


def _astrometry(
    true: Observables, sigma: Floats, luck: Floats, profile: un.ErrorProfile, rng: np.random.Generator
) -> dict[str, Floats]:
    """Measured positions, parallaxes and proper motions; `luck` is the parallax's error in units of `sigma`."""
    loading = un.loadings(true.ra, true.dec, rng)
    errors, noise = un.astrometric_errors(sigma, profile), un.correlated_noise(loading, luck, rng)
    off = {name: errors[name] * noise[i] for i, name in enumerate(un.ASTROMETRY)}
    mas = 1.0 / 3.6e6
    dec = np.clip(true.dec + off["dec"] * mas, -90.0, 90.0)
    ra = true.ra + off["ra"] * mas / np.maximum(el.cos(np.radians(true.dec)), 1e-6)
    ra = np.where(ra < 0.0, ra + 360.0, np.where(ra >= 360.0, ra - 360.0, ra))
    longitude, latitude = icrs_to_galactic(ra, dec)
    parallax = 1.0 / true.distance_kpc + off["parallax"]
    measured = {"ra": ra, "dec": dec, "l": longitude, "b": latitude, "parallax": parallax}
    measured |= {"pmra": true.pmra + off["pmra"], "pmdec": true.pmdec + off["pmdec"]}
    measured |= {f"{name}_error": errors[name] for name in un.ASTROMETRY}
    return measured | {"parallax_over_error": parallax / errors["parallax"]} | un.correlations(loading)


def _photometry(stars: Draws, g: Floats, modulus: Floats, a0: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """Measured magnitudes and their errors; `g` is the true apparent one."""
    rp = stars.g_abs - stars.g_rp + modulus + band_extinction("rp", stars.bp_rp, a0)
    bp = stars.g_abs - stars.g_rp + stars.bp_rp + modulus + band_extinction("bp", stars.bp_rp, a0)
    true, errors = {"g": g, "bp": bp, "rp": rp}, un.photometric_errors(g, bp, rp)
    magnitudes = {f"phot_{band}_mean_mag": m + errors[band] * rng.standard_normal(len(m)) for band, m in true.items()}
    return magnitudes | {f"phot_{band}_mean_mag_error": error for band, error in errors.items()}


def _radial_velocity(
    columns: dict[str, NDArray[Any]], true: Floats, profile: un.ErrorProfile, rng: np.random.Generator
) -> dict[str, Floats]:
    g, rp = columns["phot_g_mean_mag"], columns["phot_rp_mean_mag"]
    error = un.radial_velocity_error(un.g_rvs(rp, g - rp), el.exp10(columns["logteff"]), columns["logg"], profile)
    return {"radial_velocity": true + error * rng.standard_normal(len(true)), "radial_velocity_error": error}


def _truth(true: Observables, velocity: Floats, solar: SolarFrame) -> dict[str, Floats]:
    """True position and velocity relative to the Sun, along Galactic axes; kpc, km/s."""
    direction = _rotate(ICRS_TO_GALACTIC, unit_vector(true.ra, true.dec))
    relative = _rotate(solar.matrix.T, tuple(velocity[:, i] - solar.v_sun_kms[i] for i in range(3)))
    motion = _rotate(ICRS_TO_GALACTIC, relative)
    places = {f"p{axis}_true": true.distance_kpc * d for axis, d in zip("xyz", direction, strict=True)}
    return places | {f"v{axis}_true": v for axis, v in zip("xyz", motion, strict=True)}


def _rotate(matrix: Floats, vector: tuple[Floats, ...]) -> tuple[Floats, ...]:
    """Matrix times vectors, without BLAS, whose kernels differ between processors."""
    return tuple(row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2] for row in matrix)
