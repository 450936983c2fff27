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
from exsitu.draws import Draws
from exsitu.errors import InputError
from exsitu.mocks import uncertainties as un
from exsitu.mocks.dust import band_extinction, extinction
from exsitu.mocks.galaxies import GalaxyModel
from exsitu.mocks.isochrones import Stars, load_isochrones
from exsitu.mocks.particles import Particles
from exsitu.mocks.randomness import Purpose, draws_for
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

    def draws(self, seed: int, purpose: Purpose, stratum: "Stratum", *index: int) -> Draws:
        """Random numbers for a stratum of this survey."""
        return draws_for(seed, self.model, purpose, self.viewpoint, stratum.number, *index)

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
    rows, cells : ndarray of int, shape (n,)
        Rows of the particles that can, and their isochrone cells.
    count : ndarray, shape (n,)
        Stars per Msun bright enough.
    """

    particles: Particles
    rows: Integers
    cells: Integers
    count: Floats

    @property
    def expected(self) -> Floats:
        """Expected number of stars bright enough in each particle, shape (n,)."""
        return self.particles.mass[self.rows] * self.count

    @property
    def total(self) -> float:
        """Expected number of stars bright enough, in all particles."""
        return float(np.cumsum(self.expected)[-1]) if self.rows.size else 0.0

    def choose(self, fraction: float, draws: Draws) -> "Chosen":
        """
        Draw a fraction of the stars bright enough.

        Parameters
        ----------
        fraction : float
            Of the stars; every particle shows a Poisson number of them.
        draws : Draws
            Of the particles.

        Returns
        -------
        Chosen
        """
        numbers = draws.poisson("stars", self.particles.id[self.rows], fraction * self.expected)
        parent = np.repeat(np.arange(len(numbers)), numbers)
        nth = np.arange(len(parent)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
        return Chosen(parent, (self.particles.id[self.rows[parent]] << _STAR_BITS) + nth)


_STAR_BITS = 22
"""Of a star's key: which star of its particle. The particle's id stands above."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """
    Stars to be measured.

    Parameters
    ----------
    parents : ndarray of int, shape (n_stars,)
        The particle of each, as a row of `Prepared`.
    keys : ndarray of int64, shape (n_stars,)
        What its random numbers belong to: its particle's id, and which of the particle's stars it is.
    """

    parents: Integers
    keys: Integers

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, places: NDArray[np.intp]) -> "Chosen":
        """The stars of these places."""
        return Chosen(self.parents[places], self.keys[places])


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
    rows = np.flatnonzero(distance < EDGE_KPC + 3.0 * particles.length)
    position, distance, length = position[rows], distance[rows], particles.length[rows]
    nearest = np.maximum(distance - 2.5 * length, 0.02)
    faintest = np.full(len(rows), stratum.faintest)
    if stratum.max_fractional_error is not None:
        error = stratum.max_fractional_error * _NOISE_MARGIN / nearest
        faintest = un.faintest_g(error, view.profile, stratum.faintest)
    # The least extinction a star of the smoothed particle can have, and the reddest star's share of it.
    height = np.abs(position[:, 2]) + 2.5 * length
    midway = _midway_radius(position, view.solar) + length
    absolute = faintest - 5.0 * el.log10(100.0 * nearest) - 0.6 * extinction(nearest, height, midway, view.model.dust)
    draws, ids = view.draws(seed, Purpose.PREPARE, stratum), particles.id[rows]
    dither = draws.uniform("age", ids), draws.uniform("[Fe/H]", ids)
    cells = isochrones.cells(particles.age[rows], particles.feh[rows], dither)
    count = isochrones.count(cells, absolute)
    keep = np.flatnonzero(count > 0.0)
    return Prepared(particles, rows[keep], cells[keep], count[keep])


def _midway_radius(position: Floats, solar: SolarFrame) -> Floats:
    x, y = 0.5 * (position[:, 0] + solar.position[0]), 0.5 * (position[:, 1] + solar.position[1])
    radius: Floats = np.sqrt(x * x + y * y)
    return radius


def measure(prepared: Prepared, chosen: Chosen, view: View, stratum: Stratum, draws: Draws) -> pd.DataFrame:
    """
    Make the chosen stars and measure them.

    Parameters
    ----------
    prepared : Prepared
        From `prepare`.
    chosen : Chosen
        Which stars.
    view, stratum : View, Stratum
        As in `prepare`.
    draws : Draws
        Of the stars.

    Returns
    -------
    DataFrame
        The stars that belong to the stratum, under their places in `chosen`: registry names and dtypes; all that a
        survey has but ids of stars.
    """
    particles, parents, keys = prepared.particles, prepared.rows[chosen.parents], chosen.keys
    place = draws.uniform("piece", keys), draws.uniform("place on it", keys)
    stars = load_isochrones().draw(prepared.cells[chosen.parents], prepared.count[chosen.parents], place)
    offset = particles.length[parents, None] * draws.normal("offset", keys, 3)
    position = view.turn(particles.position[parents]) + offset
    distance = _length(position - view.solar.position)
    a0 = extinction(distance, position[:, 2], _midway_radius(position, view.solar), view.model.dust)
    modulus = 5.0 * el.log10(100.0 * distance)
    g = stars.g_abs + modulus + band_extinction("g", stars.bp_rp, a0)
    sigma, luck = un.parallax_error(g, view.profile), draws.normal("parallax", keys)
    possible = (distance < EDGE_KPC) & (g > BRIGHTEST_G) & (g < stratum.faintest)
    kept = np.flatnonzero(possible & stratum.by_parallax(1.0 / distance + sigma * luck, sigma))
    parents, keys = parents[kept], keys[kept]
    motion = particles.speed[parents, None] * draws.normal("motion", keys, 3)
    velocity = view.turn(particles.velocity[parents]) + motion
    true = observables(PhaseSpace(*position[kept].T, *velocity.T), view.solar)
    columns: dict[str, NDArray[Any]] = {
        "parentid": particles.id[parents],
        "feh": particles.feh[parents],
        "age": 9.0 + el.log10(particles.age[parents]),
        "logg": stars.logg[kept],
        "logteff": stars.log_teff[kept],
        **_astrometry(true, (sigma[kept], luck[kept]), view.profile, draws, keys),
        **_photometry(
            stars.rows(kept),
            g[kept],
            5.0 * el.log10(100.0 * distance[kept]),
            a0[kept],
            draws.normal("photometry", keys, 3).T,
        ),
        **_truth(true, velocity, view.solar),
    }
    columns |= _radial_velocity(columns, true.radial_velocity, view.profile, draws.normal("radial velocity", keys))
    typed = {name: values.astype(column(name).dtype) for name, values in columns.items()}
    table = pd.DataFrame(typed, index=kept)
    return table if stratum.by_row is None else table[stratum.by_row(table)]


def _length(vectors: Floats) -> Floats:
    x, y, z = vectors.T
    length: Floats = np.sqrt(x * x + y * y + z * z)
    return length


def _astrometry(
    true: Observables, of_parallax: tuple[Floats, Floats], profile: un.ErrorProfile, draws: Draws, keys: Integers
) -> dict[str, Floats]:
    """Measured positions, parallaxes, proper motions; of the parallax, its sigma and its error in sigmas are given."""
    sigma, luck = of_parallax
    loading = un.loadings(true.ra, true.dec, draws.normal("loadings", keys, 5).T)
    of_all = draws.normal("common error", keys), draws.normal("errors", keys, 5).T
    errors, noise = un.astrometric_errors(sigma, profile), un.correlated_noise(loading, luck, of_all)
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


def _photometry(stars: Stars, g: Floats, modulus: Floats, a0: Floats, noise: Floats) -> dict[str, Floats]:
    """Measured magnitudes and their errors; `g` is the true apparent one, `noise` of shape (3, n_stars)."""
    rp = stars.g_abs - stars.g_rp + modulus + band_extinction("rp", stars.bp_rp, a0)
    bp = stars.g_abs - stars.g_rp + stars.bp_rp + modulus + band_extinction("bp", stars.bp_rp, a0)
    true, errors = {"g": g, "bp": bp, "rp": rp}, un.photometric_errors(g, bp, rp)
    off = zip(true, noise, strict=True)
    magnitudes = {f"phot_{band}_mean_mag": true[band] + errors[band] * luck for band, luck in off}
    return magnitudes | {f"phot_{band}_mean_mag_error": error for band, error in errors.items()}


def _radial_velocity(
    columns: dict[str, NDArray[Any]], true: Floats, profile: un.ErrorProfile, noise: Floats
) -> dict[str, Floats]:
    g, rp = columns["phot_g_mean_mag"], columns["phot_rp_mean_mag"]
    error = un.radial_velocity_error(un.g_rvs(rp, g - rp), el.exp10(columns["logteff"]), columns["logg"], profile)
    return {"radial_velocity": true + error * noise, "radial_velocity_error": error}


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
