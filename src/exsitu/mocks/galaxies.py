"""The built-in mock galaxies: every number that makes one, and where it comes from.

``m12i`` and ``m12f`` stand in for the two FIRE-2 galaxies of the paper: their numbers were chosen so that a survey of
them shows what the ananke mocks show (accreted fraction, kinematics of accreted and in-situ stars, metallicities).
``milky_way`` is a third, different galaxy with the Milky Way's rotation curve and its own mergers; it plays the real
sky in the stand-in survey.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from exsitu.columns import nearest
from exsitu.errors import InputError


@dataclass(frozen=True, slots=True)
class Potential:
    """
    Hernquist bulge, Miyamoto-Nagai disc and NFW halo, about the disc's axis.

    Parameters
    ----------
    bulge_mass, bulge_scale : float
        Msun, kpc.
    disc_mass, disc_a, disc_b : float
        Msun, kpc, kpc.
    halo_mass, halo_scale : float
        Scale mass (Msun) and scale radius (kpc) of Phi = -G M ln(1 + r/r_s) / r.
    """

    bulge_mass: float
    bulge_scale: float
    disc_mass: float
    disc_a: float
    disc_b: float
    halo_mass: float
    halo_scale: float


@dataclass(frozen=True, slots=True)
class Disc:
    """
    Stars born in the disc.

    Parameters
    ----------
    surface_density : float
        Of all in-situ stars at R = 8.2 kpc, Msun/kpc2.
    scale_thin, scale_thick : float
        Scale lengths, kpc.
    sigma : float
        Sets the velocity dispersions: sigma_R at 8.2 kpc is sigma (0.62 + 0.10 age/Gyr) in the thin disc, km/s.
    thick_age : float
        Stars older than this belong to the thick disc, Gyr.
    thick_factor : float
        Multiplies the thick disc's dispersion.
    """

    surface_density: float
    scale_thin: float
    scale_thick: float
    sigma: float
    thick_age: float
    thick_factor: float


@dataclass(frozen=True, slots=True)
class HeatedDisc:
    """
    In-situ halo: disc stars that an early merger heated.

    Parameters
    ----------
    fraction : float
        Share of the in-situ surface density.
    sigma : tuple of 3 floats
        Velocity dispersions along R, phi, z at the mean [Fe/H], km/s.
    v_phi : float
        Mean rotation at the mean [Fe/H], km/s.
    feh, feh_scatter : float
        dex.
    height, scale : float
        Laplace scale height and radial scale length, kpc.
    """

    fraction: float
    sigma: tuple[float, float, float]
    v_phi: float
    feh: float
    feh_scatter: float
    height: float
    scale: float


@dataclass(frozen=True, slots=True)
class Spiral:
    """
    Two trailing arms with a pitch angle of 18 degrees.

    Parameters
    ----------
    amplitude : float
        Relative density of the youngest stars at the crest.
    speed : float
        Streaming velocity of the youngest stars, km/s.
    phase : float
        Azimuth of a crest at R = 8.2 kpc along the rotation, radians.
    """

    amplitude: float
    speed: float
    phase: float


@dataclass(frozen=True, slots=True)
class Satellite:
    """
    A galaxy that fell in and was disrupted.

    Parameters
    ----------
    name : str
        For people.
    mass : float
        Stellar mass, Msun.
    infall, disrupted : float
        When it crossed `radius` inwards and when the last of it was stripped, Gyr ago.
    radius : float
        Galactocentric distance at infall, kpc.
    circularity : float
        Tangential velocity at infall over the circular velocity there; the radial one is 0.35 of it, inwards.
    inclination, node : float
        Of the orbit, degrees; below 90 the satellite moves with the disc.
    friction_time : float
        Decay time of its velocity well inside 15 kpc, Gyr.
    scale, sigma : float
        Plummer radius (kpc) and velocity dispersion (km/s) of its stars.
    feh, feh_scatter : float
        dex.
    """

    name: str
    mass: float
    infall: float
    disrupted: float
    radius: float
    circularity: float
    inclination: float
    node: float
    friction_time: float
    scale: float
    sigma: float
    feh: float
    feh_scatter: float = 0.20


@dataclass(frozen=True, slots=True)
class Dwarfs:
    """
    A population of small satellites on orbits drawn at random.

    Parameters
    ----------
    count : int
        How many.
    mass : float
        Typical stellar mass, Msun; the masses scatter by 0.25 dex.
    feh, feh_scatter : float
        Mean [Fe/H] of the dwarfs and its scatter from dwarf to dwarf, dex.
    """

    count: int
    mass: float
    feh: float
    feh_scatter: float


@dataclass(frozen=True, slots=True)
class GalaxyModel:
    """
    A mock galaxy.

    Parameters
    ----------
    name : str
        A key of ``GALAXIES``.
    code : int
        Number in the seeds and in the high bits of ``source_id``; never reused.
    potential, disc, heated, spiral : Potential, Disc, HeatedDisc, Spiral
        Its parts.
    satellites : tuple of Satellite
        Its mergers.
    dwarfs : Dwarfs
        Its small mergers.
    frames : tuple of str
        Solar frames (``exsitu.phase_space.FRAMES``), one a viewpoint; viewpoint n stands 120 n degrees from the first.
    source : str
        Where the numbers come from.
    """

    name: str
    code: int
    potential: Potential
    disc: Disc
    heated: HeatedDisc
    spiral: Spiral
    satellites: tuple[Satellite, ...]
    dwarfs: Dwarfs
    frames: tuple[str, ...]
    source: str


_M12I = GalaxyModel(
    name="m12i",
    code=1,
    potential=Potential(6.0e9, 0.5, 6.0e10, 3.0, 0.35, 6.2e11, 17.0),
    disc=Disc(30e6, 2.9, 2.4, 38.0, 8.0, 1.00),
    heated=HeatedDisc(0.098, (152.0, 120.0, 98.0), 42.0, -0.66, 0.30, 1.8, 3.0),
    spiral=Spiral(0.10, 7.0, 1.97),
    # Masses are 0.60 of what a closed box at the satellites' [Fe/H] suggests: the accreted fraction sets the factor.
    satellites=(
        Satellite("GSE-like", 0.60 * 1.7e9, 10.0, 7.8, 40.0, 0.12, 80.0, 20.0, 2.5, 1.5, 55.0, -1.22),
        Satellite("Kraken-like", 0.60 * 4.0e8, 11.5, 9.5, 20.0, 0.35, 110.0, 140.0, 5.0, 0.8, 40.0, -1.28),
        Satellite("Sequoia-like", 0.60 * 1.8e8, 9.5, 7.0, 32.0, 0.40, 155.0, 60.0, 3.0, 0.9, 35.0, -1.36),
        Satellite("Helmi-like", 0.60 * 3.0e8, 8.0, 5.0, 30.0, 0.42, 62.0, 250.0, 4.0, 0.8, 30.0, -1.32),
        Satellite("Nyx-like", 0.60 * 1.0e8, 7.0, 4.5, 30.0, 0.40, 14.0, 100.0, 2.5, 0.9, 35.0, -1.12),
    ),
    dwarfs=Dwarfs(16, 0.60 * 2.5e7, -1.50, 0.12),
    frames=("m12i/lsr0", "m12i/lsr1", "m12i/lsr2"),
    source="chosen so that its surveys show what the ananke mocks of FIRE-2 m12i show in the paper",
)

_M12F = GalaxyModel(
    name="m12f",
    code=2,
    potential=Potential(8.0e9, 0.6, 7.4e10, 3.3, 0.40, 6.9e11, 18.0),
    disc=Disc(32e6, 3.2, 2.6, 42.0, 7.5, 1.05),
    heated=HeatedDisc(0.105, (158.0, 124.0, 104.0), 55.0, -0.82, 0.30, 1.9, 3.2),
    spiral=Spiral(0.12, 9.0, 0.6),
    satellites=(
        Satellite("Merger1", 0.54 * 4.0e9, 8.0, 5.5, 40.0, 0.22, 60.0, 200.0, 2.5, 2.0, 60.0, -1.15, 0.22),
        Satellite("Merger2", 0.54 * 2.2e9, 10.0, 8.0, 30.0, 0.30, 105.0, 310.0, 3.0, 1.2, 50.0, -1.28, 0.22),
        Satellite("Late", 0.54 * 5.0e8, 4.0, 1.5, 40.0, 0.40, 25.0, 60.0, 2.0, 1.5, 45.0, -1.02, 0.22),
        Satellite("Retrograde", 0.54 * 6.0e8, 9.0, 7.0, 32.0, 0.40, 150.0, 10.0, 4.0, 0.9, 35.0, -1.42, 0.22),
    ),
    dwarfs=Dwarfs(16, 0.54 * 7.0e7, -1.65, 0.15),
    frames=("m12f/lsr0", "m12f/lsr1"),
    source="chosen so that its surveys show what the ananke mocks of FIRE-2 m12f show in the paper",
)

_MILKY_WAY = GalaxyModel(
    name="milky_way",
    code=3,
    # Masses and scales near the four-component model of gala (Bovy 2015; Price-Whelan 2017), the halo set so that
    # v_c(8.2 kpc) = 233 km/s (McMillan 2017).
    potential=Potential(6.7e9, 0.7, 6.8e10, 3.0, 0.28, 5.57e11, 15.6),
    # Surface density 33 Msun/pc2 (McKee et al. 2015); scale lengths 2.6 and 2.0 kpc and sigma_R of old thin-disc stars
    # (Bland-Hawthorn & Gerhard 2016).
    disc=Disc(33e6, 2.6, 2.0, 36.0, 8.3, 1.05),
    # The Splash: hot, slowly rotating, [Fe/H] > -1 (Belokurov et al. 2020); di Matteo et al. 2019.
    heated=HeatedDisc(0.085, (148.0, 112.0, 94.0), 50.0, -0.62, 0.28, 1.7, 2.8),
    spiral=Spiral(0.11, 8.0, 2.6),
    # Gaia-Sausage-Enceladus 8-10 Gyr ago, radial (Helmi et al. 2018; Naidu et al. 2021), most of the stellar halo's
    # 1.4e9 Msun (Deason, Belokurov & Sanders 2019), [Fe/H] = -1.17 (Feuillet et al. 2020); Kraken 1.9e8 (Kruijssen et
    # al. 2020); Sequoia 5e7, retrograde (Myeong et al. 2019); Helmi streams 1e8 (Koppelman et al. 2019); Nyx, prograde
    # (Necib et al. 2020). Orbits at infall are this model's choice.
    satellites=(
        Satellite("GSE", 1.1e9, 9.6, 7.6, 36.0, 0.15, 70.0, 320.0, 2.5, 1.3, 52.0, -1.17, 0.24),
        Satellite("Kraken", 1.9e8, 11.2, 9.4, 18.0, 0.30, 95.0, 200.0, 4.5, 0.7, 38.0, -1.33, 0.22),
        Satellite("Sequoia", 5.0e7, 9.0, 6.8, 34.0, 0.45, 148.0, 120.0, 3.0, 0.9, 30.0, -1.55, 0.20),
        Satellite("Helmi streams", 1.0e8, 7.5, 5.0, 32.0, 0.40, 68.0, 30.0, 4.0, 0.8, 30.0, -1.45, 0.22),
        Satellite("Nyx", 6.0e7, 6.5, 4.2, 28.0, 0.45, 18.0, 260.0, 2.5, 0.9, 32.0, -1.00, 0.20),
    ),
    dwarfs=Dwarfs(14, 1.6e7, -1.65, 0.18),
    frames=("milky_way",),
    source="rotation curve, disc and mergers of the Milky Way from the literature named beside each number",
)

GALAXIES: Mapping[str, GalaxyModel] = MappingProxyType({g.name: g for g in (_M12I, _M12F, _MILKY_WAY)})
"""The built-in galaxies by name."""


def galaxy_model(name: str) -> GalaxyModel:
    """
    A built-in galaxy.

    Parameters
    ----------
    name : str
        A key of ``GALAXIES``.

    Returns
    -------
    GalaxyModel

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in GALAXIES:
        raise InputError(f"no built-in galaxy {name!r}{nearest(name, GALAXIES)}; known: {', '.join(GALAXIES)}")
    return GALAXIES[name]
