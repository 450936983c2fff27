"""A coarse galaxy that the tests of the mocks share."""

import pytest

from exsitu.mocks.galaxies import GALAXIES, GalaxyModel
from exsitu.mocks.galaxy import make_particles
from exsitu.mocks.particles import Particles
from exsitu.mocks.stars import View
from exsitu.mocks.uncertainties import PROFILES


@pytest.fixture(scope="session")
def m12i() -> GalaxyModel:
    """The first galaxy."""
    return GALAXIES["m12i"]


@pytest.fixture(scope="session")
def particles(m12i) -> Particles:
    """Its star particles, thirty times coarser than in the quick profile."""
    return make_particles(m12i, particle_mass_msun=2.0e5, accreted_particle_mass_msun=4.0e5, seed=5)


@pytest.fixture(scope="session")
def view(m12i) -> View:
    """Its first viewpoint, with the errors of the ananke mocks."""
    return View(m12i, 0, PROFILES["ananke"])
