"""A whole galaxy: the particles born in it, those of the gas that streamed in, and the debris of its mergers."""

from exsitu.mocks.debris import accreted
from exsitu.mocks.discs import in_situ
from exsitu.mocks.galaxies import GalaxyModel
from exsitu.mocks.particles import Particles, joined


def make_particles(
    model: GalaxyModel,
    *,
    particle_mass_msun: float,
    accreted_particle_mass_msun: float,
    seed: int,
    progress: bool = False,
) -> Particles:
    """
    Make the star particles of a galaxy.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    particle_mass_msun, accreted_particle_mass_msun : float
        Mass of a particle born in the galaxy, and of one of a satellite or an inflow, Msun.
    seed : int
        The same seed gives the same particles.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Particles
        Those born in the disc and before it first.
    """
    born_here = in_situ(model, particle_mass_msun, seed)
    return joined([*born_here, accreted(model, accreted_particle_mass_msun, seed, progress=progress)])
