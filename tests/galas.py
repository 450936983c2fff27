"""The same potential by gala, whose integrals and gradients ours are compared with."""

from typing import Any

from exsitu.mocks.galaxies import Potential


def hamiltonian(potential: Potential) -> Any:
    """A galaxy's potential as gala's Hamiltonian, in kpc, Myr, Msun."""
    import gala.potential as gp
    from gala.units import galactic

    p, total = potential, gp.CCompositePotential()
    total["bulge"] = gp.HernquistPotential(m=p.bulge_mass, c=p.bulge_scale, units=galactic)
    total["disc"] = gp.MiyamotoNagaiPotential(m=p.disc_mass, a=p.disc_a, b=p.disc_b, units=galactic)
    total["halo"] = gp.NFWPotential(m=p.halo_mass, r_s=p.halo_scale, units=galactic)
    return gp.Hamiltonian(total)
