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
from exsitu.phase_space import SolarFrame, frame


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
    early : float
        How much faster stars formed in the past: the rate of star formation is 1 + early x age, 1/Gyr.
    feh : float
        Mean [Fe/H] of stars born now in the plane at 8.2 kpc, dex.
    feh_gradient : float
        Change of [Fe/H] with radius, dex/kpc.
    """

    surface_density: float
    scale_thin: float
    scale_thick: float
    sigma: float
    thick_age: float
    thick_factor: float
    early: float = 0.09
    feh: float = 0.08
    feh_gradient: float = -0.045


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
    heated : float
        When the merger heated them, Gyr ago; older than this they moved in the disc.
    """

    fraction: float
    sigma: tuple[float, float, float]
    v_phi: float
    feh: float
    feh_scatter: float
    height: float
    scale: float
    heated: float


@dataclass(frozen=True, slots=True)
class ProtoGalaxy:
    """
    Stars born in the galaxy before it had a disc: metal-poor, hot, hardly rotating (Belokurov & Kravtsov 2022).

    Parameters
    ----------
    fraction : float
        Share of the in-situ surface density.
    sigma : tuple of 3 floats
        Velocity dispersions along R, phi, z, km/s.
    v_phi : float
        Mean rotation, km/s.
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
class Bar:
    """
    A rotating bar; what it does to the disc is ``exsitu.mocks.bar``.

    Parameters
    ----------
    strength : float
        Radial force of its quadrupole over that of the whole galaxy, on its major axis at R = 8.2 kpc (alpha of Dehnen
        2000, eq. 4).
    length : float
        Half length, kpc.
    pattern_speed : float
        km/s/kpc, along the rotation.
    phase : float
        Azimuth of its major axis along the rotation, radians.
    """

    strength: float
    length: float
    pattern_speed: float
    phase: float


@dataclass(frozen=True, slots=True)
class Dust:
    """
    A smooth disc of dust.

    Parameters
    ----------
    density : float
        A0 per kpc in the plane at R = 8.2 kpc, mag/kpc.
    height, scale : float
        Exponential scale height and scale length, kpc.
    """

    density: float = 0.75
    height: float = 0.11
    scale: float = 4.0


@dataclass(frozen=True, slots=True)
class Orbit:
    """
    How something falls into the galaxy.

    Parameters
    ----------
    radius : float
        Galactocentric distance where it begins, kpc.
    circularity : float
        Tangential velocity there over the circular velocity; the radial one is 0.35 of it, inwards.
    inclination, node : float
        Of the orbit, degrees; below 90 it moves with the disc.
    friction_time : float
        Decay time of the velocity well inside 15 kpc, Gyr.
    """

    radius: float
    circularity: float
    inclination: float
    node: float
    friction_time: float


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
        When its orbit begins, and when the last of it was stripped, Gyr ago.
    orbit : Orbit
        Path of its centre.
    scale, sigma : float
        Plummer radius (kpc) and velocity dispersion (km/s) of its stars.
    feh, feh_scatter : float
        dex.
    late : float
        Share of its stars that formed after infall.
    """

    name: str
    mass: float
    infall: float
    disrupted: float
    orbit: Orbit
    scale: float
    sigma: float
    feh: float
    feh_scatter: float = 0.20
    late: float = 0.40


@dataclass(frozen=True, slots=True)
class Inflow:
    """
    Gas that fell in as a stream and formed stars on the way: born in this galaxy, moving like debris.

    Parameters
    ----------
    name : str
        For people.
    mass : float
        Stellar mass formed on the way in, Msun.
    began, ended : float
        When stars formed in it, Gyr ago.
    orbit : Orbit
        Path of the gas; stars form along it until it first turns outwards.
    width, sigma : float
        Spread of the stars around it, kpc and km/s.
    feh, feh_scatter : float
        dex.
    """

    name: str
    mass: float
    began: float
    ended: float
    orbit: Orbit
    width: float
    sigma: float
    feh: float
    feh_scatter: float = 0.30


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
        A key of ``GALAXIES``, or that of a galaxy drawn at random.
    code : int
        Number in the seeds and in the high bits of ``source_id``; never reused.
    potential, disc, heated, proto, spiral, bar, dust : Potential, Disc, HeatedDisc, ProtoGalaxy, Spiral, Bar, Dust
        Its parts.
    satellites : tuple of Satellite
        Its mergers.
    dwarfs : Dwarfs
        Its small mergers.
    inflows : tuple of Inflow
        Streams of gas that formed stars outside the disc.
    suns : tuple of SolarFrame
        One a viewpoint; viewpoint n stands 120 n degrees from the first.
    source : str
        Where the numbers come from.
    """

    name: str
    code: int
    potential: Potential
    disc: Disc
    heated: HeatedDisc
    proto: ProtoGalaxy
    spiral: Spiral
    bar: Bar
    dust: Dust
    satellites: tuple[Satellite, ...]
    dwarfs: Dwarfs
    inflows: tuple[Inflow, ...]
    suns: tuple[SolarFrame, ...]
    source: str


_M12I = GalaxyModel(
    name="m12i",
    code=1,
    potential=Potential(6.0e9, 0.5, 6.0e10, 3.0, 0.35, 6.2e11, 17.0),
    disc=Disc(30e6, 2.9, 2.4, 38.0, 8.0, 1.00, 0.0),
    heated=HeatedDisc(0.094, (152.0, 120.0, 98.0), 42.0, -0.66, 0.30, 1.8, 3.0, 8.5),
    proto=ProtoGalaxy(0.007, (150.0, 130.0, 115.0), 20.0, -1.45, 0.35, 1.8, 3.0),
    spiral=Spiral(0.10, 7.0, 1.97),
    bar=Bar(0.010, 4.0, 42.0, 0.5),
    dust=Dust(),
    # Masses are 0.54 of what a closed box at the satellites' [Fe/H] suggests: the accreted fraction sets the factor.
    satellites=(
        Satellite("GSE-like", 0.54 * 1.7e9, 10.0, 7.8, Orbit(40.0, 0.12, 80.0, 20.0, 2.5), 1.5, 55.0, -1.22, 0.16),
        Satellite("Kraken-like", 0.54 * 4.0e8, 11.5, 9.5, Orbit(20.0, 0.35, 110.0, 140.0, 5.0), 0.8, 40.0, -1.27, 0.16),
        Satellite("Sequoia-like", 0.54 * 1.8e8, 9.5, 7.0, Orbit(32.0, 0.40, 155.0, 60.0, 3.0), 0.9, 35.0, -1.32, 0.16),
        Satellite("Helmi-like", 0.54 * 3.0e8, 8.0, 5.0, Orbit(30.0, 0.42, 62.0, 250.0, 4.0), 0.8, 30.0, -1.30, 0.16),
        Satellite("Nyx-like", 0.54 * 1.0e8, 7.0, 4.5, Orbit(30.0, 0.40, 14.0, 100.0, 2.5), 0.9, 35.0, -1.12, 0.16),
    ),
    dwarfs=Dwarfs(16, 0.54 * 2.5e7, -1.37, 0.08),
    inflows=(Inflow("stream", 1.5e8, 10.5, 6.0, Orbit(45.0, 0.25, 70.0, 190.0, 4.0), 2.0, 25.0, -1.30),),
    suns=(frame("m12i/lsr0"), frame("m12i/lsr1"), frame("m12i/lsr2")),
    source="chosen so that its surveys show what the ananke mocks of FIRE-2 m12i show in the paper",
)

_M12F = GalaxyModel(
    name="m12f",
    code=2,
    potential=Potential(8.0e9, 0.6, 7.4e10, 3.3, 0.40, 6.9e11, 18.0),
    disc=Disc(32e6, 3.2, 2.6, 42.0, 7.5, 1.05, 0.0),
    heated=HeatedDisc(0.101, (158.0, 124.0, 104.0), 55.0, -0.82, 0.30, 1.9, 3.2, 8.5),
    proto=ProtoGalaxy(0.008, (155.0, 135.0, 120.0), 25.0, -1.45, 0.35, 1.9, 3.2),
    spiral=Spiral(0.12, 9.0, 0.6),
    bar=Bar(0.014, 4.5, 38.0, 2.0),
    dust=Dust(),
    satellites=(
        Satellite("Merger1", 0.54 * 4.0e9, 8.0, 5.5, Orbit(40.0, 0.22, 60.0, 200.0, 2.5), 2.0, 60.0, -1.15, 0.18),
        Satellite("Merger2", 0.54 * 2.2e9, 10.0, 8.0, Orbit(30.0, 0.30, 105.0, 310.0, 3.0), 1.2, 50.0, -1.28, 0.18),
        Satellite("Late", 0.54 * 5.0e8, 4.0, 1.5, Orbit(40.0, 0.40, 25.0, 60.0, 2.0), 1.5, 45.0, -1.02, 0.18),
        Satellite("Retrograde", 0.54 * 6.0e8, 9.0, 7.0, Orbit(32.0, 0.40, 150.0, 10.0, 4.0), 0.9, 35.0, -1.42, 0.18),
    ),
    dwarfs=Dwarfs(16, 0.54 * 7.0e7, -1.45, 0.12),
    inflows=(Inflow("stream", 9.0e8, 9.5, 4.0, Orbit(38.0, 0.20, 25.0, 90.0, 4.0), 2.5, 30.0, -1.10),),
    suns=(frame("m12f/lsr0"), frame("m12f/lsr1")),
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
    heated=HeatedDisc(0.082, (148.0, 112.0, 94.0), 50.0, -0.62, 0.28, 1.7, 2.8, 8.3),
    # Aurora (Belokurov & Kravtsov 2022).
    proto=ProtoGalaxy(0.0035, (140.0, 120.0, 110.0), 25.0, -1.45, 0.35, 1.7, 2.8),
    spiral=Spiral(0.11, 8.0, 2.6),
    # Half length (Wegg, Gerhard & Portail 2015), pattern speed (Sanders, Smith & Evans 2019), strength (Dehnen 2000),
    # and the major axis 28 degrees ahead of the Sun (Wegg, Gerhard & Portail 2015).
    bar=Bar(0.010, 5.0, 41.0, 3.63),
    dust=Dust(),
    # Gaia-Sausage-Enceladus 8-10 Gyr ago, radial (Helmi et al. 2018; Naidu et al. 2021), most of the stellar halo's
    # 1.4e9 Msun (Deason, Belokurov & Sanders 2019), [Fe/H] = -1.17 (Feuillet et al. 2020); Kraken 1.9e8 (Kruijssen et
    # al. 2020); Sequoia 5e7, retrograde (Myeong et al. 2019); Helmi streams 1e8 (Koppelman et al. 2019); Nyx, prograde
    # (Necib et al. 2020). Orbits at infall are this model's choice.
    satellites=(
        Satellite("GSE", 1.1e9, 9.6, 7.6, Orbit(36.0, 0.15, 70.0, 320.0, 2.5), 1.3, 52.0, -1.17, 0.24),
        Satellite("Kraken", 1.9e8, 11.2, 9.4, Orbit(18.0, 0.30, 95.0, 200.0, 4.5), 0.7, 38.0, -1.33, 0.22),
        Satellite("Sequoia", 5.0e7, 9.0, 6.8, Orbit(34.0, 0.45, 148.0, 120.0, 3.0), 0.9, 30.0, -1.55, 0.20),
        Satellite("Helmi streams", 1.0e8, 7.5, 5.0, Orbit(32.0, 0.40, 68.0, 30.0, 4.0), 0.8, 30.0, -1.45, 0.22),
        Satellite("Nyx", 6.0e7, 6.5, 4.2, Orbit(28.0, 0.45, 18.0, 260.0, 2.5), 0.9, 32.0, -1.00, 0.20),
    ),
    dwarfs=Dwarfs(14, 1.6e7, -1.65, 0.18),
    inflows=(Inflow("stream", 1.2e8, 10.0, 6.0, Orbit(45.0, 0.25, 60.0, 150.0, 4.0), 2.0, 25.0, -1.35),),
    suns=(frame("milky_way"),),
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
