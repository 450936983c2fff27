"""What was born in the galaxy obeys the Jeans equation, and has the populations it should."""

from dataclasses import replace

import numpy as np
import pytest

from exsitu.draws import Draws
from exsitu.mocks import discs
from exsitu.mocks.galaxies import GALAXIES
from exsitu.mocks.orbits import circular_velocity
from exsitu.mocks.particles import HEATED, PROTO, joined
from exsitu.phase_space import PhaseSpace


@pytest.fixture(scope="module")
def smooth():
    """The first galaxy without spiral and bar: the Jeans equation for axisymmetric discs must hold."""
    model = GALAXIES["m12i"]
    return replace(model, spiral=replace(model.spiral, amplitude=0.0, speed=0.0), bar=replace(model.bar, strength=0.0))


@pytest.fixture(scope="module")
def disc(smooth):
    """Its particles born here."""
    return joined(list(discs.in_situ(smooth, 1.5e4, 3)))


@pytest.fixture(scope="module")
def phase_space(disc):
    """Their phase space."""
    return PhaseSpace(*disc.position.T, *disc.velocity.T)


def _ring(disc, phase_space, radius, width=0.5):
    return (np.abs(phase_space.r - radius) < width) & (np.abs(disc.position[:, 2]) < 0.4)


@pytest.mark.parametrize("radius", [5.0, 7.0, 9.0, 11.0])
@pytest.mark.parametrize("index", [2, 5, 8])
def test_dispersions_in_rings_are_the_models(smooth, disc, phase_space, radius, index):
    ring = _ring(disc, phase_space, radius) & (disc.origin == index)
    age, part = disc.age[ring], smooth.disc
    thick = index >= 7
    at_sun = part.thick_factor * (1.45 * part.sigma + 9.0 * (age - part.thick_age)) if thick else 0.0
    at_sun = at_sun if thick else part.sigma * (0.62 + 0.10 * age)
    expected = np.sqrt(np.mean(np.square(at_sun * np.exp(-(phase_space.r[ring] - 8.2) / 9.0))))
    sigma_r, sigma_z = phase_space.v_r[ring].std(), disc.velocity[ring, 2].std()
    assert sigma_r == pytest.approx(expected, rel=0.045)
    assert sigma_z / sigma_r == pytest.approx(0.62, rel=0.05)
    v_phi = phase_space.v_phi[ring]
    assert v_phi.std() / sigma_r == pytest.approx(0.71, rel=0.06)


@pytest.mark.parametrize("radius", [6.0, 8.2, 10.0])
@pytest.mark.parametrize("index", [2, 5, 8])
def test_asymmetric_drift_in_rings_solves_the_jeans_equation(smooth, disc, phase_space, radius, index):
    # Binney & Tremaine (2008), eq. 4.227 in the plane, from what is measured of the particles in two rings.
    population = disc.origin == index
    inner, outer = (_ring(disc, phase_space, r) & population for r in (radius - 1.0, radius + 1.0))
    here = _ring(disc, phase_space, radius) & population
    variance = [np.var(phase_space.v_r[ring]) for ring in (inner, outer)]
    surface = [ring.sum() / r for ring, r in ((inner, radius - 1.0), (outer, radius + 1.0))]
    slope = np.log(surface[1] * variance[1] / (surface[0] * variance[0])) / np.log((radius + 1.0) / (radius - 1.0))
    sigma2, ratio = np.var(phase_space.v_r[here]), np.var(phase_space.v_phi[here]) / np.var(phase_space.v_r[here])
    v_c = float(circular_velocity(smooth.potential, radius))
    v_phi = phase_space.v_phi[here].mean() + 8.0 * np.abs(disc.position[here, 2]).mean()
    jeans = sigma2 / (2.0 * v_c) * (ratio - 1.0 - slope)
    assert v_c - v_phi == pytest.approx(jeans, rel=0.12, abs=1.5)


def test_metallicity_falls_with_age_and_radius(smooth, disc, phase_space):
    young, old = (disc.feh[disc.origin == i].mean() for i in (0, 8))
    assert young > old + 0.2
    ring = (disc.origin == 3) & (np.abs(disc.position[:, 2]) < 0.4)
    slope = np.polyfit(phase_space.r[ring], disc.feh[ring], 1)[0]
    assert slope == pytest.approx(smooth.disc.feh_gradient, abs=0.003)


def test_surface_density_falls_with_the_scale_length_and_is_the_stated_one_at_the_sun(smooth, disc, phase_space):
    ring = np.abs(phase_space.r - 8.2) < 0.5
    density = disc.mass[ring].sum() / (2.0 * np.pi * 8.2 * 1.0)
    assert density == pytest.approx(smooth.disc.surface_density, rel=0.02)
    counts = np.histogram(phase_space.r[disc.origin == 3], bins=np.arange(4.0, 12.5, 1.0))[0]
    middle = np.arange(4.5, 12.0, 1.0)
    slope = np.polyfit(middle, np.log(counts / middle), 1)[0]
    assert -1.0 / slope == pytest.approx(smooth.disc.scale_thin, rel=0.04)


def test_the_heated_disc_is_slow_and_hot_and_metal_poor_stars_slower(disc, phase_space):
    heated = disc.origin == HEATED
    assert phase_space.v_phi[heated].mean() == pytest.approx(42.0, abs=4.0)
    poor = disc.feh < -0.8
    assert phase_space.v_phi[heated & poor].mean() < phase_space.v_phi[heated & ~poor].mean() - 20.0
    assert phase_space.v_r[heated].std() > 120.0


def test_the_proto_galaxy_is_older_and_more_metal_poor_than_the_heated_disc(disc):
    heated, proto = disc.origin == HEATED, disc.origin == PROTO
    assert disc.feh[proto].mean() < disc.feh[heated].mean() - 0.5
    assert disc.age[proto].min() >= 12.0
    assert proto.sum() < 0.2 * heated.sum()


def test_more_stars_are_old_where_stars_formed_faster_in_the_past(smooth):
    early = replace(smooth, disc=replace(smooth.disc, early=0.2))
    flat, falling = (discs._shares(model) for model in (smooth, early))
    np.testing.assert_allclose(flat, np.diff(discs._age_edges(smooth)) / np.diff(discs._age_edges(smooth)).sum())
    assert falling[-1] > flat[-1]


def test_arms_trail_and_gather_young_stars(m12i):
    radius = np.full(40_000, 7.0)
    along = discs._azimuths(m12i, radius, 0.5, Draws((1,)))
    phase = discs._arm_phase(m12i, radius, along)
    assert np.mean(np.cos(phase)) == pytest.approx(0.25, abs=0.03)
    # Further out a crest lies at a smaller azimuth along the rotation: it trails.
    crest = [float(-discs._arm_phase(m12i, np.array([r]), np.zeros(1))[0]) for r in (7.0, 9.0)]
    assert crest[1] < crest[0]


def test_skewed_deviates_have_zero_mean_unit_variance_and_a_tail_to_low_values():
    deviates = discs._skewed(np.random.default_rng(2).normal(size=(200_000, 2)))
    assert deviates.mean() == pytest.approx(0.0, abs=0.01)
    assert deviates.std() == pytest.approx(1.0, abs=0.01)
    assert np.mean(deviates**3) < -0.3
