"""What a rotating bar does to the disc: the forced response of nearly circular orbits.

Seen from 120 degrees apart, a bar shows the same disc at different angles, which is what makes viewpoints differ.
"""

import numpy as np
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.mocks.galaxies import Bar, Potential
from exsitu.mocks.orbits import circular_velocity

Floats = NDArray[np.float64]

R_REFERENCE = 8.2
"""Radius at which a bar's strength is stated, kpc."""

_SOFTENING = 0.15
"""Width of the resonances over the local frequency: stars of a warm disc do not all sit on them."""

_SIGMA_UNMOVED = 50.0
"""Radial dispersion (km/s) at which the response is halved: stars on larger epicycles average the bar out."""


def quadrupole(bar: Bar, v_0: float, radius: Floats) -> tuple[Floats, Floats]:
    """
    The bar's potential in the plane is Phi_b(R) cos 2 (phi - phi_bar).

    Parameters
    ----------
    bar : Bar
        The bar.
    v_0 : float
        Circular velocity at R = 8.2 kpc, km/s.
    radius : ndarray, shape (n,)
        R, kpc.

    Returns
    -------
    phi, slope : ndarray, shape (n,)
        Phi_b, (km/s)2, and its derivative with R, (km/s)2/kpc.

    Notes
    -----
    Dehnen (2000, AJ 119, 800), eqs. 3 and 4: a quadrupole that falls as R^-3 beyond the bar's end and joins smoothly to
    (R / R_b)^3 - 2 within.
    """
    reach = R_REFERENCE / bar.length
    amplitude = bar.strength * v_0 * v_0 / 3.0 * reach * reach * reach
    x = radius / bar.length
    cube = x * x * x
    phi = amplitude * np.where(x >= 1.0, -1.0 / cube, cube - 2.0)
    slope = 3.0 * amplitude / radius * np.where(x >= 1.0, 1.0 / cube, cube)
    return phi, slope


def forced_response(
    bar: Bar, potential: Potential, radius: Floats, along: Floats, sigma_r: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """
    Displacements and velocities that the bar forces on disc stars.

    Parameters
    ----------
    bar : Bar
        The bar.
    potential : Potential
        The galaxy's, axisymmetric.
    radius, along : ndarray, shape (n_stars,)
        Guiding radius (kpc) and azimuth along the rotation (radians).
    sigma_r : ndarray, shape (n_stars,)
        Radial velocity dispersion of the population, km/s.

    Returns
    -------
    d_radius, d_along : ndarray, shape (n_stars,)
        To add to radius (kpc) and azimuth (radians).
    d_v_r, d_v_phi : ndarray, shape (n_stars,)
        To add to the velocities outwards and along the rotation, km/s.

    Notes
    -----
    Linear theory of Binney & Tremaine (2008), sect. 3.3.3, eqs. 3.147 and 3.148, for a flat rotation curve (kappa =
    sqrt 2 Omega). The denominators are softened at corotation and at the Lindblad resonances, and the response falls
    with the dispersion, where linear theory of circular orbits ends.
    """
    v_c = circular_velocity(potential, radius)
    phi_b, slope = quadrupole(bar, float(circular_velocity(potential, R_REFERENCE)), radius)
    omega = v_c / radius
    drift = omega - bar.pattern_speed
    per_drift = _softened(drift, _SOFTENING * omega)
    # kappa^2 - 4 drift^2, with kappa^2 = 2 Omega^2, is zero on the Lindblad resonances.
    per_lindblad = _softened(2.0 * omega * omega - 4.0 * drift * drift, _SOFTENING * 2.0 * omega * omega)
    faded = 1.0 / (1.0 + (sigma_r / _SIGMA_UNMOVED) * (sigma_r / _SIGMA_UNMOVED))
    amplitude = -faded * (slope + 2.0 * omega * phi_b / radius * per_drift) * per_lindblad
    forced = -2.0 * omega * amplitude / radius - faded * phi_b / (radius * radius) * per_drift
    angle = 2.0 * (along - bar.phase)
    sine, cosine = el.sin(angle), el.cos(angle)
    d_v_phi = (radius * forced + amplitude * omega) * cosine
    return amplitude * cosine, 0.5 * forced * per_drift * sine, -2.0 * drift * amplitude * sine, d_v_phi


def _softened(value: Floats, width: Floats) -> Floats:
    """1 / value far from zero, and finite at it."""
    inverse: Floats = value / (value * value + width * width)
    return inverse
