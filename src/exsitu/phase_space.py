"""Between what Gaia measures and where a star is and moves in its galaxy.

Frames follow astropy's ``Galactocentric``: right-handed, origin at the galaxy's centre, the Sun at (-R0, 0, z0), the
disc rotating towards +y at the Sun. Angles are in degrees, parallaxes in mas, proper motions in mas/yr (``pmra``
includes cos(dec)), lengths in kpc, velocities in km/s. All functions are vectorised, take and return float64 arrays and
give the same bits on every processor (see ``exsitu.elementary``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exsitu import elementary as el
from exsitu.columns import nearest
from exsitu.errors import InputError

Floats = NDArray[np.float64]

KMS_PER_KPC_MASYR = 4.740470463533349
"""km/s of a star at 1 kpc that moves by 1 mas/yr: 1 au per Julian year (IAU 2012 astronomical unit)."""


def _rotation(axis: int, degrees: float) -> Floats:
    """Matrix that turns the coordinate axes by an angle, as astropy's ``rotation_matrix`` does."""
    c, s = float(el.cos(np.radians(degrees))), float(el.sin(np.radians(degrees)))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = s, -s
    return matrix


def _product(*matrices: Floats) -> Floats:
    """Matrix product without BLAS, whose kernels differ between processors."""
    result = matrices[0]
    for matrix in matrices[1:]:
        result = (result[:, :, None] * matrix[None, :, :]).sum(axis=1)
    return result


ICRS_TO_GALACTIC: Floats = np.array(
    [
        [-0.05487565771259168, -0.8734370519556163, -0.4838350736167155],
        [0.4941094371927275, -0.44482972122329517, 0.7469821839866676],
        [-0.8676661375596587, -0.19807633727300075, 0.4559838136873016],
    ]
)
"""Rotation of astropy's ``Galactic`` frame (its J2000 pole and node with the FK5 to ICRS frame bias)."""

# Direction of the Galactic centre and roll as astropy's Galactocentric frame takes them by default.
_ICRS_TO_CENTRE: Floats = _product(_rotation(0, 58.5986320306), _rotation(1, 28.936175), _rotation(2, 266.4051))


@dataclass(frozen=True, slots=True)
class SolarFrame:
    """
    Where the observer is in a galaxy and how they move.

    Parameters
    ----------
    r_sun_kpc : float
        Distance of the Sun from the galaxy's centre, kpc.
    z_sun_kpc : float
        Height of the Sun above the disc's plane, kpc.
    v_sun_kms : tuple of 3 floats
        Galactocentric velocity of the Sun, km/s: towards the centre, along the rotation, towards the north pole.
    source : str
        Where the numbers come from.
    """

    r_sun_kpc: float
    z_sun_kpc: float
    v_sun_kms: tuple[float, float, float]
    source: str

    @property
    def matrix(self) -> Floats:
        """Rotation from ICRS axes to Galactocentric axes, shape (3, 3), the Sun's height taken out as a tilt."""
        tilt = float(np.degrees(el.arcsin(self.z_sun_kpc / self.r_sun_kpc)))
        return _product(_rotation(1, -tilt), _ICRS_TO_CENTRE) if self.z_sun_kpc else _ICRS_TO_CENTRE

    @property
    def position(self) -> Floats:
        """Galactocentric position of the Sun, kpc, shape (3,)."""
        x = -np.sqrt(self.r_sun_kpc * self.r_sun_kpc - self.z_sun_kpc * self.z_sun_kpc)
        return np.array([x, 0.0, self.z_sun_kpc])


SOLAR_PLACE = ("r_sun_kpc", "z_sun_kpc")
SOLAR_MOTION = ("v_sun_x", "v_sun_y", "v_sun_z")
"""Columns of a table whose stars say from which Sun they are seen: its place, kpc, and its Galactocentric velocity,
km/s, as in `SolarFrame`."""

_ANANKE = "viewpoints of the ananke mocks; solar velocities of Ostdiek, Necib et al. 2019, their code"
FRAMES: Mapping[str, SolarFrame] = MappingProxyType(
    {
        "m12i/lsr0": SolarFrame(8.2, 0.0, (-17.8, 224.4, -3.9), _ANANKE),
        "m12i/lsr1": SolarFrame(8.2, 0.0, (-24.4, 210.9, -1.5), _ANANKE),
        "m12i/lsr2": SolarFrame(8.2, 0.0, (22.1, 206.5, 9.5), _ANANKE),
        "m12f/lsr0": SolarFrame(8.2, 0.0, (14.9, 227.9, 4.9), _ANANKE),
        "m12f/lsr1": SolarFrame(8.2, 0.0, (-3.4, 244.3, -5.1), _ANANKE),
        "milky_way": SolarFrame(
            8.2,
            0.0208,
            (11.1, 245.0, 7.25),
            "R0: Bland-Hawthorn & Gerhard 2016; z0: Bennett & Bovy 2019; v: Schoenrich et al. 2010, McMillan 2017",
        ),
    }
)
"""Solar frame of each survey."""


def frame(name: str) -> SolarFrame:
    """
    Solar frame of a survey.

    Parameters
    ----------
    name : str
        A key of ``FRAMES``, such as ``"m12i/lsr0"`` or ``"milky_way"``.

    Returns
    -------
    SolarFrame

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in FRAMES:
        raise InputError(f"no solar frame {name!r}{nearest(name, FRAMES)}; known: {', '.join(FRAMES)}")
    return FRAMES[name]


@dataclass(frozen=True, slots=True)
class PhaseSpace:
    """
    Galactocentric Cartesian positions and velocities of stars.

    Parameters
    ----------
    x, y, z : ndarray, shape (n_stars,)
        Position, kpc.
    v_x, v_y, v_z : ndarray, shape (n_stars,)
        Velocity, km/s.
    """

    x: Floats
    y: Floats
    z: Floats
    v_x: Floats
    v_y: Floats
    v_z: Floats

    @property
    def r(self) -> Floats:
        """Cylindrical radius R, kpc."""
        return np.sqrt(self.x * self.x + self.y * self.y)

    @property
    def v_r(self) -> Floats:
        """Cylindrical radial velocity v_R, km/s, positive outwards."""
        return (self.x * self.v_x + self.y * self.v_y) / self.r

    @property
    def v_phi(self) -> Floats:
        """Azimuthal velocity, km/s, positive along the disc's rotation (which is clockwise in this frame)."""
        return (self.y * self.v_x - self.x * self.v_y) / self.r


def _apply(matrix: Floats, vector: tuple[Floats, Floats, Floats]) -> tuple[Floats, Floats, Floats]:
    a, b, c = vector
    rows = [row[0] * a + row[1] * b + row[2] * c for row in matrix]
    return rows[0], rows[1], rows[2]


def unit_vector(longitude: ArrayLike, latitude: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """
    Cartesian direction of a point on the sphere.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n_stars,)
        Degrees.

    Returns
    -------
    tuple of 3 ndarrays, shape (n_stars,)
    """
    lon, lat = np.radians(np.asarray(longitude, float)), np.radians(np.asarray(latitude, float))
    cos_lat = el.cos(lat)
    return cos_lat * el.cos(lon), cos_lat * el.sin(lon), el.sin(lat)


def _angles(x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Longitude in (-180, 180] and latitude of a vector, degrees; exact near the poles, where arcsin is not."""
    return np.degrees(el.arctan2(y, x)), np.degrees(el.arctan2(z, np.sqrt(x * x + y * y)))


def icrs_to_galactic(ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
    """
    Galactic coordinates of ICRS positions.

    Parameters
    ----------
    ra, dec : array_like, shape (n_stars,)
        Degrees.

    Returns
    -------
    l, b : ndarray, shape (n_stars,)
        Degrees, l in (-180, 180] as the network takes it.
    """
    return _angles(*_apply(ICRS_TO_GALACTIC, unit_vector(ra, dec)))


def galactic_to_icrs(l: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:  # noqa: E741 - the field's name
    """
    ICRS positions of Galactic coordinates.

    Parameters
    ----------
    l, b : array_like, shape (n_stars,)
        Degrees.

    Returns
    -------
    ra, dec : ndarray, shape (n_stars,)
        Degrees, ra in [0, 360).
    """
    ra, dec = _angles(*_apply(ICRS_TO_GALACTIC.T, unit_vector(l, b)))
    return np.where(ra < 0.0, ra + 360.0, ra), dec


def _tangents(ra: ArrayLike, dec: ArrayLike) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """Unit vectors towards increasing right ascension and declination, ICRS axes."""
    alpha, delta = np.radians(np.asarray(ra, float)), np.radians(np.asarray(dec, float))
    ca, sa, cd, sd = el.cos(alpha), el.sin(alpha), el.cos(delta), el.sin(delta)
    return (-sa, ca, np.zeros_like(ca)), (-sd * ca, -sd * sa, cd)


def galactic_motion_to_icrs(ra: ArrayLike, dec: ArrayLike, pm_l: ArrayLike, pm_b: ArrayLike) -> tuple[Floats, Floats]:
    """
    Turn proper motions along Galactic coordinates into proper motions along ICRS coordinates.

    Parameters
    ----------
    ra, dec : array_like, shape (n_stars,)
        Position, degrees.
    pm_l, pm_b : array_like, shape (n_stars,)
        Proper motion along l (times cos b) and b, mas/yr.

    Returns
    -------
    pmra, pmdec : ndarray, shape (n_stars,)
        mas/yr, pmra times cos(dec).
    """
    east, north = _tangents(ra, dec)
    gal_l, gal_b = icrs_to_galactic(ra, dec)
    along_l, along_b = (_apply(ICRS_TO_GALACTIC.T, t) for t in _galactic_tangents(gal_l, gal_b))
    motion = [np.asarray(pm_l, float) * a + np.asarray(pm_b, float) * b for a, b in zip(along_l, along_b, strict=True)]
    pmra = sum((m * e for m, e in zip(motion, east, strict=True)), start=np.zeros(()))
    pmdec = sum((m * n for m, n in zip(motion, north, strict=True)), start=np.zeros(()))
    return pmra, pmdec


def _galactic_tangents(l: Floats, b: Floats) -> tuple[tuple[Floats, Floats, Floats], tuple[Floats, Floats, Floats]]:  # noqa: E741
    east, north = _tangents(l, b)
    return (east[0], east[1], east[2]), (north[0], north[1], north[2])


def galactocentric(
    ra: ArrayLike,
    dec: ArrayLike,
    distance_kpc: ArrayLike,
    pmra: ArrayLike,
    pmdec: ArrayLike,
    radial_velocity: ArrayLike,
    solar: SolarFrame,
) -> PhaseSpace:
    """
    Galactocentric phase space of observed stars.

    Parameters
    ----------
    ra, dec : array_like, shape (n_stars,)
        ICRS position, degrees.
    distance_kpc : array_like, shape (n_stars,)
        Heliocentric distance, kpc; the paper takes 1 / parallax.
    pmra, pmdec : array_like, shape (n_stars,)
        Proper motion, mas/yr, pmra times cos(dec).
    radial_velocity : array_like, shape (n_stars,)
        Heliocentric, km/s; NaN makes the velocity NaN.
    solar : SolarFrame
        The Sun in the galaxy.

    Returns
    -------
    PhaseSpace

    Notes
    -----
    The same transformation as astropy's ``Galactocentric`` frame (Astropy Collaboration 2018), which the tests hold
    it against.
    """
    d = np.asarray(distance_kpc, float)
    u = unit_vector(ra, dec)
    east, north = _tangents(ra, dec)
    along_ra = KMS_PER_KPC_MASYR * d * np.asarray(pmra, float)
    along_dec = KMS_PER_KPC_MASYR * d * np.asarray(pmdec, float)
    rv = np.asarray(radial_velocity, float)
    velocity = [rv * u[i] + along_ra * east[i] + along_dec * north[i] for i in range(3)]
    matrix, position = solar.matrix, solar.position
    x, y, z = _apply(matrix, (d * u[0], d * u[1], d * u[2]))
    v_x, v_y, v_z = _apply(matrix, (velocity[0], velocity[1], velocity[2]))
    v_sun = solar.v_sun_kms
    return PhaseSpace(x + position[0], y + position[1], z + position[2], v_x + v_sun[0], v_y + v_sun[1], v_z + v_sun[2])


@dataclass(frozen=True, slots=True)
class Observables:
    """
    What an observer at the Sun measures of stars, without errors.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_stars,)
        ICRS position, degrees.
    distance_kpc : ndarray, shape (n_stars,)
        Heliocentric distance, kpc.
    pmra, pmdec : ndarray, shape (n_stars,)
        Proper motion, mas/yr, pmra times cos(dec).
    radial_velocity : ndarray, shape (n_stars,)
        Heliocentric, km/s.
    """

    ra: Floats
    dec: Floats
    distance_kpc: Floats
    pmra: Floats
    pmdec: Floats
    radial_velocity: Floats


def observables(stars: PhaseSpace, solar: SolarFrame) -> Observables:
    """
    The inverse of `galactocentric`.

    Parameters
    ----------
    stars : PhaseSpace
        Galactocentric phase space.
    solar : SolarFrame
        The Sun in the galaxy.

    Returns
    -------
    Observables
    """
    position, v_sun, inverse = solar.position, solar.v_sun_kms, solar.matrix.T
    helio = _apply(inverse, (stars.x - position[0], stars.y - position[1], stars.z - position[2]))
    velocity = _apply(inverse, (stars.v_x - v_sun[0], stars.v_y - v_sun[1], stars.v_z - v_sun[2]))
    d = np.sqrt(helio[0] ** 2 + helio[1] ** 2 + helio[2] ** 2)
    ra, dec = _angles(*helio)
    ra = np.where(ra < 0.0, ra + 360.0, ra)
    east, north = _tangents(ra, dec)
    radial = sum((v * h for v, h in zip(velocity, helio, strict=True)), start=np.zeros(())) / d
    pmra = sum((v * e for v, e in zip(velocity, east, strict=True)), start=np.zeros(())) / (d * KMS_PER_KPC_MASYR)
    pmdec = sum((v * n for v, n in zip(velocity, north, strict=True)), start=np.zeros(())) / (d * KMS_PER_KPC_MASYR)
    return Observables(ra, dec, d, pmra, pmdec, radial)
