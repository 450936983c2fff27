"""The bar's forced response is that of an orbit integrated in its rotating potential."""

from dataclasses import replace

import numpy as np
import pytest

from exsitu.mocks.bar import forced_response, quadrupole
from exsitu.mocks.galaxies import GALAXIES, Bar
from exsitu.mocks.orbits import KPC_PER_MYR, circular_velocity

WEAK = Bar(strength=0.002, length=3.0, pattern_speed=60.0, phase=0.4)
"""Far from its resonances at the radii asked for, where linear theory must agree with an orbit."""

COLD = np.array([1e-9])


def _flat(radius, angle, bar, v_0):
    """Accelerations of a flat rotation curve and the bar, along R and phi, (km/s)2/kpc."""
    phi_b, slope = quadrupole(bar, v_0, np.array([radius]))
    return -v_0 * v_0 / radius - slope[0] * np.cos(angle), 2.0 * phi_b[0] * np.sin(angle) / radius


@pytest.fixture(scope="module")
def flat(monkeypatch_module):
    """A rotation curve that is flat at 220 km/s, which the closed form assumes."""
    monkeypatch_module.setattr("exsitu.mocks.bar.circular_velocity", lambda _, r: np.full(np.shape(r), 220.0))
    return 220.0


@pytest.fixture(scope="module")
def monkeypatch_module():
    """A monkeypatch for a module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def _forced_orbit(bar, v_0, radius, time_myr=6000.0, step=0.2):
    """A nearly circular orbit, the bar grown slowly from nothing: (phi - phi_bar, R - R_0, v_R, v_phi) at the end."""
    k, r, angle, v_r, v_t = KPC_PER_MYR, radius, 0.0, 0.0, v_0
    found = []
    for now in np.arange(0.0, time_myr, step):
        grown = replace(bar, strength=bar.strength * min(now / (0.7 * time_myr), 1.0))
        phase = bar.phase + bar.pattern_speed * k * now
        a_r, a_t = _flat(r, 2.0 * (angle - phase), grown, v_0)
        v_r += step * k * (v_t * v_t / r + a_r)
        v_t += step * k * (-v_r * v_t / r + a_t)
        r, angle = r + step * k * v_r, angle + step * k * v_t / r
        if now > 0.85 * time_myr:
            found.append((angle - phase, r, v_r, v_t))
    return np.array(found)


@pytest.mark.slow
def test_the_response_is_an_orbits_in_the_rotating_potential(flat):
    radius = 9.0
    orbit = _forced_orbit(WEAK, flat, radius)
    angle, r, v_r, v_t = orbit.T
    # The epicycle left over from the start averages out of the part that follows the bar.
    c, s = np.cos(2.0 * angle), np.sin(2.0 * angle)
    measured = [2.0 * np.mean((r - r.mean()) * c), 2.0 * np.mean(v_r * s), 2.0 * np.mean((v_t - v_t.mean()) * c)]
    quarter = np.array([WEAK.phase, WEAK.phase + np.pi / 4])
    two = np.full(2, r.mean())
    d_r, _, d_v_r, d_v_phi = forced_response(WEAK, GALAXIES["m12i"].potential, two, quarter, np.repeat(COLD, 2))
    np.testing.assert_allclose([d_r[0], d_v_r[1], d_v_phi[0]], measured, rtol=0.12)


def test_the_quadrupole_is_smooth_at_the_bars_end():
    inside, outside = np.array([WEAK.length - 1e-7]), np.array([WEAK.length + 1e-7])
    for a, b in zip(quadrupole(WEAK, 220.0, inside), quadrupole(WEAK, 220.0, outside), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_the_slope_is_the_potentials():
    radius = np.array([2.0, 5.0, 9.0])
    low, high = (quadrupole(WEAK, 220.0, radius + d)[0] for d in (-1e-5, 1e-5))
    np.testing.assert_allclose(quadrupole(WEAK, 220.0, radius)[1], (high - low) / 2e-5, rtol=1e-5)


def test_the_strength_is_the_ratio_of_forces_at_the_sun():
    v_0 = float(circular_velocity(GALAXIES["m12i"].potential, 8.2))
    slope = quadrupole(WEAK, v_0, np.array([8.2]))[1][0]
    assert slope / (v_0 * v_0 / 8.2) == pytest.approx(WEAK.strength)


def test_no_bar_moves_nothing_and_hot_stars_are_moved_less(m12i):
    radius, along = np.linspace(4.0, 12.0, 50), np.linspace(0.0, 6.0, 50)
    sigma = np.full(50, 20.0)
    none = forced_response(replace(m12i.bar, strength=0.0), m12i.potential, radius, along, sigma)
    assert not np.any(none)
    cool, hot = (forced_response(m12i.bar, m12i.potential, radius, along, s) for s in (sigma, 4.0 * sigma))
    assert np.abs(hot[2]).max() < 0.4 * np.abs(cool[2]).max()


def test_resonances_are_finite_and_the_solar_neighbourhood_feels_the_bar(m12i):
    radius = np.linspace(3.2, 13.2, 4001)
    moved = forced_response(m12i.bar, m12i.potential, radius, np.full(4001, 1.3), np.full(4001, 30.0))
    assert np.all(np.isfinite(moved))
    assert np.abs(moved[0]).max() < 1.0
    around = np.abs(radius - 8.2) < 1.5
    assert 1.0 < np.abs(moved[2][around]).max() < 30.0
