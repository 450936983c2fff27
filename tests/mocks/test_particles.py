"""The galaxy rotates, is hot where it should be, and remembers its mergers."""

import numpy as np
import pytest

from exsitu.mocks import particles as parts
from exsitu.mocks.orbits import circular_velocity
from exsitu.mocks.particles import FIRST_SATELLITE, HEATED, RING, make_particles
from exsitu.phase_space import PhaseSpace


@pytest.fixture(scope="module")
def phase_space(particles):
    """Phase space of the particles."""
    return PhaseSpace(*particles.position.T, *particles.velocity.T)


@pytest.fixture(scope="module")
def nearby(particles, phase_space):
    """Particles around the solar circle."""
    return (np.abs(phase_space.r - 8.2) < 1.0) & (np.abs(particles.position[:, 2]) < 1.0)


def test_the_same_seed_gives_the_same_galaxy_and_another_seed_another(m12i):
    sizes = {"particle_mass_msun": 4.0e7, "accreted_particle_mass_msun": 4.0e7}
    first, again, other = (make_particles(m12i, **sizes, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.position, again.position)
    np.testing.assert_array_equal(first.velocity, again.velocity)
    assert len(first.mass) != len(other.mass) or not np.array_equal(first.position, other.position)


def test_the_disc_rotates_with_asymmetric_drift(m12i, particles, phase_space, nearby):
    v_c = float(circular_velocity(m12i.potential, 8.2))
    young, old = (nearby & (particles.origin == i) for i in (1, 8))
    assert v_c - 12.0 < phase_space.v_phi[young].mean() < v_c
    assert phase_space.v_phi[old].mean() < v_c - 30.0
    assert phase_space.v_r[old].std() > 2.0 * phase_space.v_r[young].std()


def test_velocity_dispersions_follow_the_stated_ratios(particles, phase_space, nearby):
    disc = nearby & (particles.origin == 4)
    sigma_r = phase_space.v_r[disc].std()
    assert particles.velocity[disc, 2].std() / sigma_r == pytest.approx(0.62, abs=0.06)
    assert phase_space.v_phi[disc].std() / sigma_r == pytest.approx(0.71, abs=0.08)


def test_metallicity_falls_with_age_and_radius(particles, phase_space):
    young, old = (particles.feh[particles.origin == i].mean() for i in (0, 8))
    assert young > old + 0.2
    disc = particles.origin == 3
    slope = np.polyfit(phase_space.r[disc], particles.feh[disc], 1)[0]
    assert slope == pytest.approx(-0.045, abs=0.01)


def test_the_heated_disc_is_slow_and_hot_and_metal_poor_stars_slower(particles, phase_space, nearby):
    heated = nearby & (particles.origin == HEATED)
    assert 0.0 < phase_space.v_phi[heated].mean() < 90.0
    poor = particles.feh < -0.8
    assert phase_space.v_phi[heated & poor].mean() < phase_space.v_phi[heated & ~poor].mean()
    assert phase_space.v_r[heated].std() > 120.0


def test_accreted_stars_are_few_old_metal_poor_and_hot(particles, phase_space, nearby):
    accreted = particles.accreted
    share = np.sum(particles.mass[nearby & accreted]) / np.sum(particles.mass[nearby])
    assert 0.002 < share < 0.02
    assert particles.age[accreted].min() > 4.0
    assert particles.feh[accreted].mean() < -1.1
    assert phase_space.v_r[nearby & accreted].std() > 140.0
    assert abs(phase_space.v_phi[nearby & accreted].mean()) < 80.0


def test_ids_of_accreted_particles_point_at_the_satellites(m12i, particles):
    assert np.all(particles.origin[particles.accreted_ids] >= FIRST_SATELLITE)
    assert particles.accreted_ids.dtype == np.int64
    assert len(np.unique(particles.origin[particles.accreted])) > len(m12i.satellites)


def test_only_the_ring_that_surveys_see_is_kept(particles, phase_space):
    assert phase_space.r.min() >= RING[0]
    assert phase_space.r.max() <= RING[1]


def test_arms_trail_and_gather_young_stars(m12i):
    rng = np.random.default_rng(1)
    radius = np.full(40_000, 7.0)
    along = parts._azimuths(m12i, radius, 0.5, rng)
    phase = parts._arm_phase(m12i, radius, along)
    assert np.mean(np.cos(phase)) == pytest.approx(0.25, abs=0.03)
    # Further out a crest lies at a smaller azimuth along the rotation: it trails.
    crest = [float(-parts._arm_phase(m12i, np.array([r]), np.zeros(1))[0]) for r in (7.0, 9.0)]
    assert crest[1] < crest[0]


def test_skewed_deviates_have_zero_mean_unit_variance_and_a_tail_to_low_values():
    deviates = parts._skew_normal(200_000, np.random.default_rng(2))
    assert deviates.mean() == pytest.approx(0.0, abs=0.01)
    assert deviates.std() == pytest.approx(1.0, abs=0.01)
    assert np.mean(deviates**3) < -0.3
