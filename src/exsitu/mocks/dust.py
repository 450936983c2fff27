"""Interstellar extinction of a smooth dust disc, in Gaia's bands."""

import numpy as np
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.mocks.galaxies import Dust

Floats = NDArray[np.float64]

# Gaia Collaboration, Babusiaux et al. 2018, A&A 616, A10, Table 1: k = A / A0 as a polynomial in the intrinsic colour
# BP - RP and A0, terms 1, C, C^2, C^3, A0, A0^2, C A0.
_COEFFICIENTS = {
    "g": (0.9761, -0.1704, 0.0086, 0.0011, -0.0438, 0.0013, 0.0099),
    "bp": (1.1517, -0.0871, -0.0333, 0.0173, -0.0230, 0.0006, 0.0043),
    "rp": (0.6104, -0.0170, -0.0026, -0.0017, -0.0078, 0.00005, 0.0006),
}
_COLOUR_RANGE = (-0.1, 2.5)
_MAX_A0 = 10.0
_R_REFERENCE = 8.2


def extinction(distance: Floats, height: Floats, radius_midway: Floats, dust: Dust) -> Floats:
    """
    Extinction A0 (at 550 nm) of stars.

    Parameters
    ----------
    distance : ndarray, shape (n_stars,)
        From an observer in the plane, kpc.
    height : ndarray, shape (n_stars,)
        Height of the star above the plane, kpc.
    radius_midway : ndarray, shape (n_stars,)
        Cylindrical radius halfway along the line of sight, kpc.
    dust : Dust
        The galaxy's.

    Returns
    -------
    ndarray, shape (n_stars,)
        mag.

    Notes
    -----
    The integral of exp(-|z| / h) along the line of sight in closed form, times the radial density halfway.
    """
    z = np.maximum(np.abs(height), 1e-6)
    path = distance * dust.height / z * (1.0 - el.exp(-z / dust.height))
    return dust.density * path * el.exp(-(radius_midway - _R_REFERENCE) / dust.scale)


def band_extinction(band: str, bp_rp: Floats, a0: Floats) -> Floats:
    """
    Extinction in a Gaia band.

    Parameters
    ----------
    band : {"g", "bp", "rp"}
        The band.
    bp_rp : ndarray, shape (n_stars,)
        Intrinsic colour, mag.
    a0 : ndarray, shape (n_stars,)
        Extinction at 550 nm, mag.

    Returns
    -------
    ndarray, shape (n_stars,)
        mag.
    """
    c, a = np.clip(bp_rp, *_COLOUR_RANGE), np.minimum(a0, _MAX_A0)
    k = _COEFFICIENTS[band]
    ratio = k[0] + c * (k[1] + c * (k[2] + c * k[3])) + a * (k[4] + a * k[5]) + k[6] * c * a
    return ratio * a0
