"""The dark haloes of a mock galaxy's satellites: where each is, how large, how hot, as a halo finder would say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.labels.histories import Halos
from exsitu.mocks.debris import satellites_of, stripping
from exsitu.mocks.galaxies import GalaxyModel, Satellite
from exsitu.mocks.orbits import INTERVAL_MYR, KPC_PER_MYR, G, circular_velocity, infall_track

Floats = NDArray[np.float64]

# The cosmology of the Latte simulations (Wetzel et al. 2016, ApJL 827, L23).
_OMEGA_M, _H0 = 0.272, 70.2
_CRITICAL = 3.0 * (_H0 * 1e-3) * (_H0 * 1e-3) / (8.0 * np.pi * G)
"""Critical density today, Msun/kpc3."""
_HUBBLE_GYR = 977.792 / _H0

_INWARDS = 0.35
"""Radial velocity at infall over the circular one, as in `orbits.infall_track`."""


def mean_matter_density(lookback_gyr: float) -> float:
    """
    Mean density of matter in the Universe, which defines R200m.

    Parameters
    ----------
    lookback_gyr : float
        Gyr before today.

    Returns
    -------
    float
        Msun / (physical kpc)3.

    Notes
    -----
    Flat universe of matter and a cosmological constant: a^3 = Omega_m / Omega_L sinh^2(1.5 sqrt(Omega_L) H0 t)
    (Peebles 1993, eq. 13.20).
    """
    omega_l = 1.0 - _OMEGA_M
    root = np.sqrt(omega_l)
    today = float(el.log((root + 1.0) / np.sqrt(_OMEGA_M))) / (1.5 * root) * _HUBBLE_GYR
    growing = float(el.exp(1.5 * root * max(today - lookback_gyr, 0.05) / _HUBBLE_GYR))
    rise = 0.5 * (growing - 1.0 / growing)
    return float(_OMEGA_M * _CRITICAL / (_OMEGA_M / omega_l * rise * rise))


def halo_mass(stellar_mass: float) -> float:
    """
    Mass of the dark halo of a dwarf galaxy before it fell in.

    Parameters
    ----------
    stellar_mass : float
        Msun.

    Returns
    -------
    float
        Msun: 1e11 at a stellar mass of 1e9, growing as its power 0.45, the slope of the relation of Behroozi, Wechsler
        & Conroy (2013) for dwarfs.
    """
    return 1e11 * float(el.power(stellar_mass / 1e9, 0.45))


@dataclass(frozen=True, slots=True)
class Path:
    """
    A satellite over time.

    Parameters
    ----------
    satellite : Satellite
        The satellite.
    track : ndarray, shape (n, 6)
        Its centre every Myr from infall on, kpc and km/s.
    times : ndarray of int, shape (m,)
        Intervals before today at which it loses stars, descending.
    bound : ndarray, shape (m,)
        Share of its stars still bound then.
    """

    satellite: Satellite
    track: Floats
    times: NDArray[np.int64]
    bound: Floats

    def centre(self, lookback_gyr: Floats) -> Floats:
        """
        Its centre; before infall it came straight in, at the radial velocity it has then.

        Parameters
        ----------
        lookback_gyr : ndarray, shape (n,)
            Gyr before today.

        Returns
        -------
        ndarray, shape (n, 6)
            kpc, km/s.
        """
        since = 1000.0 * (self.satellite.infall - lookback_gyr)
        step = np.clip(np.round(since), 0, len(self.track) - 1).astype(np.int64)
        places = self.track[step].copy()
        before = since < 0.0
        start = self.track[0, :3] / self.satellite.orbit.radius
        radial = -float(start[0] * self.track[0, 3] + start[1] * self.track[0, 4] + start[2] * self.track[0, 5])
        places[before, :3] -= (since[before] * KPC_PER_MYR * radial)[:, None] * start
        places[before, 3:] = -radial * start
        return places

    def bound_share(self, lookback_gyr: float) -> float:
        """Share of its stars that it has not lost yet; none once it is disrupted."""
        lost = np.searchsorted(-self.times, -lookback_gyr * 1000.0 / INTERVAL_MYR, side="right")
        return float(self.bound[lost - 1]) if lost else 1.0


def paths_of(model: GalaxyModel, seed: int) -> tuple[Path, ...]:
    """
    The paths of all satellites of a galaxy.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    seed : int
        The same seed gives the same dwarfs.

    Returns
    -------
    tuple of Path
        In the order of `Particles.origin`.
    """
    return tuple(_path(model, satellite) for satellite in satellites_of(model, seed))


def _path(model: GalaxyModel, satellite: Satellite) -> Path:
    times, _, lost = stripping(model, satellite)
    track = infall_track(model.potential, satellite.orbit, satellite.infall - satellite.disrupted)
    return Path(satellite, track, times, 1.0 - lost / lost[-1])


def halos_at(model: GalaxyModel, paths: tuple[Path, ...], lookback_gyr: float) -> Halos:
    """
    The subhaloes that exist at a time.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy they fall into.
    paths : tuple of Path
        From `paths_of`; the number of each is its id.
    lookback_gyr : float
        Gyr before today.

    Returns
    -------
    Halos

    Notes
    -----
    R200m of the mass still bound, but no more than the tidal radius r (m / 3 M(<r))^(1/3) (King 1962; Binney & Tremaine
    2008, eq. 8.91); the dispersion is V_200m / sqrt 2, an isothermal sphere's.
    """
    bound = {i: share for i, path in enumerate(paths) if (share := path.bound_share(lookback_gyr)) > 0.0}
    centres = np.array([paths[i].centre(np.array([lookback_gyr]))[0] for i in bound]).reshape(-1, 6)
    mass = np.array([halo_mass(paths[i].satellite.mass) * share for i, share in bound.items()])
    virial = el.power(mass / (800.0 / 3.0 * np.pi * mean_matter_density(lookback_gyr)), 1.0 / 3.0)
    r = np.sqrt(centres[:, 0] ** 2 + centres[:, 1] ** 2 + centres[:, 2] ** 2)
    host = circular_velocity(model.potential, np.maximum(r, 0.1)) ** 2 * r / G
    tidal = r * el.power(mass / (3.0 * host), 1.0 / 3.0)
    sigma = np.sqrt(0.5 * G * mass / virial)
    return Halos(np.array(list(bound), np.int64), centres[:, :3], centres[:, 3:], np.minimum(virial, tidal), sigma)
