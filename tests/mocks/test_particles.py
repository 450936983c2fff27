"""The table of particles, and a whole galaxy in it."""

import numpy as np
import pytest

from exsitu.mocks.galaxy import make_particles
from exsitu.mocks.particles import FIRST_INFLOW, FIRST_SATELLITE, HEATED, MAX_HEIGHT, PROTO, RING, joined
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


def test_accreted_stars_are_few_old_metal_poor_and_hot(particles, phase_space, nearby):
    accreted = particles.accreted
    share = np.sum(particles.mass[nearby & accreted]) / np.sum(particles.mass[nearby])
    assert 0.002 < share < 0.02
    assert particles.age[accreted].min() > 4.0
    assert particles.feh[accreted].mean() < -1.1
    assert phase_space.v_r[nearby & accreted].std() > 140.0
    assert abs(phase_space.v_phi[nearby & accreted].mean()) < 80.0


def test_ids_of_accreted_particles_point_at_the_satellites(m12i, particles):
    assert np.all(particles.origin[particles.find(particles.accreted_ids)] >= FIRST_SATELLITE)
    assert np.all(np.diff(particles.id) > 0)
    np.testing.assert_array_equal(particles.find(particles.id), np.arange(len(particles.id)))
    assert particles.accreted_ids.dtype == np.int64
    assert len(np.unique(particles.origin[particles.accreted])) > len(m12i.satellites)


def test_stars_born_in_infalling_gas_count_as_in_situ(particles):
    inflow = (particles.origin >= FIRST_INFLOW) & (particles.origin < FIRST_SATELLITE)
    assert inflow.any()
    assert not particles.accreted[inflow].any()


def test_only_what_came_from_outside_has_a_row_in_the_debris(particles):
    np.testing.assert_array_equal(particles.debris >= 0, particles.origin >= FIRST_INFLOW)
    assert {HEATED, PROTO} < set(particles.origin.tolist())


def test_only_the_ring_that_surveys_see_is_kept(particles, phase_space):
    # The bar moves disc stars across the ring's edges by a fraction of a kpc.
    assert phase_space.r.min() >= RING[0] - 0.5
    assert phase_space.r.max() <= RING[1] + 0.5
    assert np.abs(particles.position[:, 2]).max() < MAX_HEIGHT


def test_rows_and_joins_keep_particles_whole(particles):
    first, rest = particles.rows(np.arange(3)), particles.rows(np.arange(3, 7))
    both = joined([first, rest])
    np.testing.assert_array_equal(both.position, particles.position[:7])
    np.testing.assert_array_equal(both.debris, particles.debris[:7])
