"""What Gaia's measurements of a star are worth: standard errors, their correlations, who gets a radial velocity."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.columns import nearest
from exsitu.errors import InputError

Floats = NDArray[np.float64]

ASTROMETRY = ("ra", "dec", "parallax", "pmra", "pmdec")
"""The five astrometric parameters, in the archive's order."""

CORRELATIONS = tuple(f"{a}_{b}_corr" for i, a in enumerate(ASTROMETRY) for b in ASTROMETRY[i + 1 :])
"""Names of their ten correlations, in the archive's order."""


@dataclass(frozen=True, slots=True)
class VelocityModel:
    """
    Radial velocities of one kind of star: floor + factor exp(slope (G_RVS - zero)), km/s.

    Parameters
    ----------
    teff : tuple of 2 floats
        Effective temperatures, the first included, K.
    logg : tuple of 2 floats
        log10 of the surface gravity in cm/s2, the first included.
    faintest : float
        Stars fainter than this in G_RVS have no radial velocity.
    floor, factor : float
        km/s.
    slope, zero : float
        1/mag, mag.
    """

    teff: tuple[float, float]
    logg: tuple[float, float]
    faintest: float
    floor: float
    factor: float
    slope: float
    zero: float


@dataclass(frozen=True, slots=True)
class ErrorProfile:
    """
    Precision of a data release.

    Parameters
    ----------
    name : str
        A key of ``PROFILES``.
    factor : float
        Multiplies the photon noise of the parallax.
    floor : float
        Calibration floor of the parallax error, mas.
    ratios : tuple of 5 floats
        Errors over that of the parallax, in the order of ``ASTROMETRY``.
    velocities : tuple of VelocityModel
        Kinds of stars with radial velocities; no star is of two.
    """

    name: str
    factor: float
    floor: float
    ratios: tuple[float, float, float, float, float]
    velocities: tuple[VelocityModel, ...]


MAX_VELOCITY_ERROR = 20.0
"""Larger errors of radial velocities are not published in DR2 (Katz et al. 2019), nor known to PyGaia, km/s."""

_RATIOS = (0.80, 0.72, 1.0, 1.55, 1.33)
# DR2 has radial velocities of stars with these effective temperatures (Katz et al. 2019, A&A 622, A205).
_DR2_STARS = (3550.0, 6900.0), (-np.inf, np.inf)

# DR3's by spectral type and gravity. The coefficients are PyGaia's (3.2.2, release "dr3"; A. G. A. Brown), which are
# those of ESA's page cosmos.esa.int/web/gaia/science-performance. Velocities end at G_RVS = 14, or 12 above 6750 K, and
# begin at 3100 K (Katz et al. 2023, A&A 674, A5).
_DR3_VELOCITIES = (
    VelocityModel((3100.0, 4000.0), (4.0, 5.0), 14.0, 0.32, 5.0, 0.95, 13.5),
    VelocityModel((4000.0, 5000.0), (4.0, 5.0), 14.0, 0.13, 5.0, 0.90, 14.0),
    VelocityModel((5000.0, 6000.0), (3.5, 5.0), 14.0, 0.13, 7.0, 0.90, 14.0),
    VelocityModel((6000.0, 6750.0), (3.5, 5.0), 14.0, 0.13, 9.0, 0.85, 14.0),
    VelocityModel((6750.0, 7000.0), (3.5, 5.0), 12.0, 0.13, 9.0, 0.85, 14.0),
    VelocityModel((7000.0, 8000.0), (3.5, 5.0), 12.0, 0.45, 5.0, 0.80, 12.0),
    VelocityModel((8000.0, 10000.0), (3.5, 5.0), 12.0, 0.80, 11.0, 0.80, 12.0),
    VelocityModel((10000.0, 14500.0), (3.5, 5.0), 12.0, 1.00, 3.0, 1.00, 10.0),
    VelocityModel((3100.0, 4750.0), (-0.5, 1.0), 14.0, 0.16, 6.0, 1.00, 14.0),
    VelocityModel((3500.0, 5250.0), (1.0, 2.0), 14.0, 0.13, 5.5, 1.00, 14.0),
    VelocityModel((4000.0, 5500.0), (2.0, 3.0), 14.0, 0.12, 6.0, 1.00, 14.0),
    VelocityModel((4500.0, 5500.0), (3.0, 3.5), 14.0, 0.12, 7.0, 1.00, 14.0),
    VelocityModel((4500.0, 5000.0), (3.5, 4.0), 14.0, 0.12, 7.0, 1.00, 14.0),
)

PROFILES: Mapping[str, ErrorProfile] = MappingProxyType(
    {
        # Stars with velocities end near G = 15 in the paper (Sec. 5.2) and are 19 % of all: G_RVS < 14 does both.
        "ananke": ErrorProfile("ananke", 0.8, 0.01, _RATIOS, (VelocityModel(*_DR2_STARS, 14.0, 0.3, 0.9, 0.9, 12.5),)),
        # DR2's radial velocities end near G_RVS = 12.
        "dr2": ErrorProfile("dr2", 1.24, 0.02, _RATIOS, (VelocityModel(*_DR2_STARS, 12.0, 0.3, 0.9, 0.9, 12.5),)),
        # Astrometry: PyGaia and ESA's page as above, sky averages.
        "dr3": ErrorProfile("dr3", 1.0, 0.0, (0.80, 0.70, 1.0, 1.03, 0.89), _DR3_VELOCITIES),
    }
)
"""Error profiles: of the ananke mocks, of Gaia DR2 and of Gaia DR3."""

_MAX_LOADING = 0.75


def error_profile(name: str) -> ErrorProfile:
    """
    An error profile.

    Parameters
    ----------
    name : str
        A key of ``PROFILES``.

    Returns
    -------
    ErrorProfile

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in PROFILES:
        raise InputError(f"no error profile {name!r}{nearest(name, PROFILES)}; known: {', '.join(PROFILES)}")
    return PROFILES[name]


def parallax_error(g: Floats, profile: ErrorProfile) -> Floats:
    """
    Standard error of the parallax.

    Parameters
    ----------
    g : ndarray, shape (n_stars,)
        Apparent G, mag.
    profile : ErrorProfile
        The release.

    Returns
    -------
    ndarray, shape (n_stars,)
        mas.

    Notes
    -----
    The form of Gaia's end-of-mission prediction (Gaia Collaboration, Prusti et al. 2016, sect. 8.1), scaled to the
    release: factor x 1e-3 sqrt(40 + 800 z + 30 z^2), z = 10^(0.4 (max(G, 13) - 15)), and the floor in quadrature.
    """
    z = el.exp10(0.4 * (np.maximum(g, 13.0) - 15.0))
    noise = 1e-6 * profile.factor * profile.factor * (40.0 + z * (800.0 + 30.0 * z))
    return np.sqrt(noise + profile.floor * profile.floor)


def faintest_g(error: Floats, profile: ErrorProfile, limit: float) -> Floats:
    """
    The inverse of `parallax_error`.

    Parameters
    ----------
    error : ndarray, shape (n_stars,)
        Largest standard error allowed, mas.
    profile : ErrorProfile
        The release.
    limit : float
        Returned where fainter stars would do.

    Returns
    -------
    ndarray, shape (n_stars,)
        Apparent G, mag; -99 where even bright stars are not measured so well.
    """
    noise = (error * error - profile.floor * profile.floor) / (1e-6 * profile.factor * profile.factor)
    z = (-800.0 + np.sqrt(np.maximum(640000.0 - 120.0 * (40.0 - noise), 0.0))) / 60.0
    g = 15.0 + 2.5 * el.log10(np.maximum(z, 1e-9))
    return np.where(g < 13.0, -99.0, np.minimum(g, limit))


def astrometric_errors(sigma_parallax: Floats, profile: ErrorProfile) -> dict[str, Floats]:
    """
    Standard errors of the five astrometric parameters.

    Parameters
    ----------
    sigma_parallax : ndarray, shape (n_stars,)
        mas.
    profile : ErrorProfile
        The release.

    Returns
    -------
    dict of ndarray, shape (n_stars,)
        ra (times cos dec), dec, parallax in mas; pmra, pmdec in mas/yr.
    """
    return {name: ratio * sigma_parallax for name, ratio in zip(ASTROMETRY, profile.ratios, strict=True)}


def loadings(ra: Floats, dec: Floats, scatter: Floats) -> Floats:
    """
    How strongly each parameter's error follows what all five have in common.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_stars,)
        Degrees.
    scatter : ndarray, shape (5, n_stars)
        Normal deviates: the scatter from star to star.

    Returns
    -------
    ndarray, shape (5, n_stars)
        Between -0.75 and 0.75. The correlation of parameters i and j is the product of their loadings, so that every
        correlation matrix is positive definite. Patterns on the sky stand for those of Gaia's scanning law.
    """
    a, d = np.radians(ra), np.radians(dec)
    phase = np.arange(5)[:, None] * 1.3
    pattern = 0.5 * el.sin(2.0 * a + phase) * el.cos(d) + 0.3 * el.sin(2.0 * d + 2.0 * phase)
    return np.clip(pattern + 0.15 * scatter, -_MAX_LOADING, _MAX_LOADING)


def correlations(loading: Floats) -> dict[str, Floats]:
    """
    Correlations of the astrometric errors.

    Parameters
    ----------
    loading : ndarray, shape (5, n_stars)
        From `loadings`.

    Returns
    -------
    dict of ndarray, shape (n_stars,)
        The ten of ``CORRELATIONS``.
    """
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    return {name: loading[i] * loading[j] for name, (i, j) in zip(CORRELATIONS, pairs, strict=True)}


def correlated_noise(loading: Floats, parallax_noise: Floats, common_and_own: tuple[Floats, Floats]) -> Floats:
    """
    Errors of the five parameters in units of their standard errors, that of the parallax given.

    Parameters
    ----------
    loading : ndarray, shape (5, n_stars)
        From `loadings`.
    parallax_noise : ndarray, shape (n_stars,)
        Error of each parallax in units of its standard error.
    common_and_own : tuple of ndarrays, shapes (n_stars,) and (5, n_stars)
        Normal deviates.

    Returns
    -------
    ndarray, shape (5, n_stars)
        Unit normal where `parallax_noise` is, and correlated as `correlations` says.

    Notes
    -----
    Each error is w c + sqrt(1 - w^2) e with its loading w, a common deviate c and one of its own, e. Given the
    parallax's error n, c is normal with mean w n and variance 1 - w^2.
    """
    own, of_parallax = np.sqrt(1.0 - loading * loading), ASTROMETRY.index("parallax")
    common = loading[of_parallax] * parallax_noise + own[of_parallax] * common_and_own[0]
    noise: Floats = loading * common + own * common_and_own[1]
    noise[of_parallax] = parallax_noise
    return noise


def photometric_errors(g: Floats, bp: Floats, rp: Floats) -> dict[str, Floats]:
    """
    Standard errors of the mean magnitudes.

    Parameters
    ----------
    g, bp, rp : ndarray, shape (n_stars,)
        Apparent magnitudes.

    Returns
    -------
    dict of ndarray, shape (n_stars,)
        mag, by band; near the medians of Evans et al. (2018, A&A 616, A4), Fig. 9.
    """
    blue, red = (0.002 * el.exp10(0.2 * np.maximum(m - 14.0, 0.0)) for m in (bp, rp))
    return {"g": 0.0003 + 0.001 * el.exp10(0.25 * np.maximum(g - 17.0, 0.0)), "bp": blue, "rp": red}


def g_rvs(rp: Floats, g_rp: Floats) -> Floats:
    """
    Magnitude in the band of the radial velocity spectrometer.

    Parameters
    ----------
    rp, g_rp : ndarray, shape (n_stars,)
        Apparent RP and colour G - RP, mag.

    Returns
    -------
    ndarray, shape (n_stars,)
        mag (Sartoretti et al. 2018, A&A 616, A6, eq. 3).
    """
    c = np.clip(g_rp, 0.1, 1.4)
    return rp + 0.042319 + c * (-0.65124 + c * (1.0215 + c * (-1.3947 + c * 0.53768)))


def radial_velocity_error(rvs: Floats, teff: Floats, logg: Floats, profile: ErrorProfile) -> Floats:
    """
    Standard error of the radial velocity.

    Parameters
    ----------
    rvs : ndarray, shape (n_stars,)
        G_RVS, mag.
    teff : ndarray, shape (n_stars,)
        K.
    logg : ndarray, shape (n_stars,)
        log10 of the surface gravity in cm/s2.
    profile : ErrorProfile
        The release.

    Returns
    -------
    ndarray, shape (n_stars,)
        km/s; NaN for stars that have no radial velocity: too faint, too hot or cold, of no kind whose errors are known,
        or measured worse than ``MAX_VELOCITY_ERROR``.
    """
    error = np.full(len(rvs), np.nan)
    for kind in profile.velocities:
        has = (rvs < kind.faintest) & (teff >= kind.teff[0]) & (teff < kind.teff[1])
        rows = np.flatnonzero(has & (logg >= kind.logg[0]) & (logg < kind.logg[1]))
        error[rows] = kind.floor + kind.factor * el.exp(kind.slope * (rvs[rows] - kind.zero))
    return np.where(error < MAX_VELOCITY_ERROR, error, np.nan)
