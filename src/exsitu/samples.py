"""Samples: from whole surveys to the stars a network learns on, is stopped by, and is measured with.

Everything here works on one table in memory and returns tables; files, gates and seeds are the stages' business.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from exsitu.draws import Draws
from exsitu.errors import InputError
from exsitu.labels.selections import select_vm, select_zm
from exsitu.phase_space import SOLAR_MOTION, SOLAR_PLACE, PhaseSpace, SolarFrame, galactocentric
from exsitu.quality import passes_parallax_cut
from exsitu.settings import Labels

IDENTITY = ("source_id",)
MEASURED = (
    "l",
    "b",
    "ra",
    "dec",
    "pmra",
    "pmdec",
    "parallax",
    "radial_velocity",
    "feh",
    "phot_g_mean_mag",
    "phot_bp_mean_mag",
    "phot_rp_mean_mag",
)
ERRORS = (
    "pmra_error",
    "pmdec_error",
    "parallax_error",
    "radial_velocity_error",
    "feh_error",
    "parallax_pmra_corr",
    "parallax_pmdec_corr",
    "pmra_pmdec_corr",
    "phot_g_mean_mag_error",
    "phot_bp_mean_mag_error",
    "phot_rp_mean_mag_error",
)
TRUTH = ("px_true", "py_true", "pz_true", "vx_true", "vy_true", "vz_true")
VELOCITIES = ("v_r", "v_phi", "v_z")
SUN = (*SOLAR_PLACE, *SOLAR_MOTION)


def passes_quality_cut(frame: pd.DataFrame, max_fractional_parallax_error: float) -> NDArray[np.bool_]:
    """
    Apply the quality cut 0 < parallax_error / parallax < limit.

    Parameters
    ----------
    frame : DataFrame
        With ``parallax`` and ``parallax_error``, mas.
    max_fractional_parallax_error : float
        The limit; 0.1 in the paper.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
        False where either is NaN.
    """
    return passes_parallax_cut(frame["parallax"], frame["parallax_error"], max_fractional_parallax_error)


def measured_phase_space(frame: pd.DataFrame, solar: SolarFrame) -> PhaseSpace:
    """
    Galactocentric phase space as measured, with 1 / parallax as the distance.

    Parameters
    ----------
    frame : DataFrame
        With ``ra, dec, parallax, pmra, pmdec`` and, where there is one, ``radial_velocity``; positive parallaxes.
    solar : SolarFrame
        The Sun in the galaxy.

    Returns
    -------
    PhaseSpace
        Velocities are NaN where there is no radial velocity.
    """
    rv = frame["radial_velocity"] if "radial_velocity" in frame else np.full(len(frame), np.nan)
    return galactocentric(
        frame["ra"].to_numpy(),
        frame["dec"].to_numpy(),
        1.0 / frame["parallax"].to_numpy(),
        frame["pmra"].to_numpy(),
        frame["pmdec"].to_numpy(),
        np.asarray(rv, float),
        solar,
    )


def true_phase_space(frame: pd.DataFrame, solar: SolarFrame) -> PhaseSpace:
    """
    Galactocentric phase space of mock stars without errors.

    Parameters
    ----------
    frame : DataFrame
        With ananke's heliocentric ``px_true`` … ``vz_true``, kpc and km/s along Galactic axes.
    solar : SolarFrame
        The Sun in the mock galaxy; its height must be 0, as in every ananke mock.

    Returns
    -------
    PhaseSpace

    Raises
    ------
    InputError
        If the frame is tilted: the truth columns of the mocks are not.
    """
    if solar.z_sun_kpc:
        raise InputError(f"the truth columns of mocks are for z_sun = 0 kpc, not {solar.z_sun_kpc}; use another frame")
    p = [frame[f"p{axis}_true"].to_numpy(np.float64) for axis in "xyz"]
    v = [frame[f"v{axis}_true"].to_numpy(np.float64) + sun for axis, sun in zip("xyz", solar.v_sun_kms, strict=True)]
    return PhaseSpace(p[0] - solar.r_sun_kpc, p[1], p[2], v[0], v[1], v[2])


def with_velocities(frame: pd.DataFrame, stars: PhaseSpace) -> pd.DataFrame:
    """
    Add Galactocentric velocities and the height above the plane to a table.

    Parameters
    ----------
    frame : DataFrame
        One row a star.
    stars : PhaseSpace
        The same stars.

    Returns
    -------
    DataFrame
        With ``v_r, v_phi, v_z`` (km/s) and ``z_kpc``.
    """
    added = {"v_r": stars.v_r, "v_phi": stars.v_phi, "v_z": stars.v_z, "z_kpc": stars.z}
    return frame.assign(**{name: values.astype(np.float32) for name, values in added.items()})


def with_sun(frame: pd.DataFrame, solar: SolarFrame) -> pd.DataFrame:
    """
    Say of each star from where it is seen; stars of several viewpoints can then stand in one table.

    Parameters
    ----------
    frame : DataFrame
        One row a star.
    solar : SolarFrame
        The Sun they were measured from.

    Returns
    -------
    DataFrame
        With the columns `SUN`: kpc and km/s.
    """
    told = (solar.r_sun_kpc, solar.z_sun_kpc, *solar.v_sun_kms)
    return frame.assign(**dict(zip(SUN, map(float, told), strict=True)))


def sun_of(frame: pd.DataFrame) -> SolarFrame:
    """
    Read the Sun back from a table.

    Parameters
    ----------
    frame : DataFrame
        As `with_sun` left it; perhaps several of them, one below the other.

    Returns
    -------
    SolarFrame
        Place of the Sun, which all share, and its motion as the first star has it.

    Raises
    ------
    InputError
        If the table does not say, or the stars are seen from several places.
    """
    if missing := [name for name in SUN if name not in frame]:
        raise InputError(f"the stars do not say from where they are seen ({', '.join(missing)}); run `exsitu prepare`")
    places = frame[list(SOLAR_PLACE)].drop_duplicates().to_numpy()
    if len(places) != 1:
        raise InputError(
            f"{len(frame)} stars are seen from {len(places)} places (r_sun_kpc, z_sun_kpc: {places[:3].tolist()} …); "
            "rest_frame inputs need one: give surveys of one solar radius, or take the representation measured"
        )
    (r_sun, z_sun), (inwards, ahead, up) = places[0], frame[list(SOLAR_MOTION)].iloc[0]
    return SolarFrame(float(r_sun), float(z_sun), (float(inwards), float(ahead), float(up)), "its sample")


def with_labels(frame: pd.DataFrame, stars: PhaseSpace, labels: Labels, *, seed: int) -> pd.DataFrame:
    """
    Add the labels an observer can give: VM and ZM, from measured quantities alone.

    Parameters
    ----------
    frame : DataFrame
        With ``feh``.
    stars : PhaseSpace
        The same stars, as measured.
    labels : Labels
        Limits of the selections.
    seed : int
        Seed of the velocity mixture.

    Returns
    -------
    DataFrame
        With ``label_vm`` and ``label_zm``.
    """
    feh = frame["feh"].to_numpy(np.float64)
    return frame.assign(
        label_vm=select_vm(stars, feh, labels.vm, seed=seed),
        label_zm=select_zm(stars.z, feh, labels.zm),
    )


def split(ids: ArrayLike, parts: Mapping[str, int], *, rest: str, seed: Sequence[int]) -> dict[str, NDArray[np.intp]]:
    """
    Draw disjoint random parts of a table.

    Parameters
    ----------
    ids : array_like of int, shape (n_stars,)
        What names each star, such as its ``source_id``: in which part it is depends on it, and not on its row.
    parts : mapping of str to int
        Rows of each named part.
    rest : str
        Name of the part that takes what is left.
    seed : sequence of int
        Seed of the shuffle.

    Returns
    -------
    dict of str to ndarray of int
        Row numbers of each part, ascending.

    Raises
    ------
    InputError
        If the parts leave nothing for the rest.
    """
    stars, wanted = np.asarray(ids), sum(parts.values())
    n_stars = len(stars)
    if wanted >= n_stars:
        raise InputError(
            f"{wanted} stars are to be set aside ({', '.join(f'{k} {v}' for k, v in parts.items())}) but there are "
            f"only {n_stars}, and {rest!r} takes the rest; lower `samples` or raise the number of stars in params.yaml"
        )
    order = Draws(seed).shuffled("split", stars)
    edges = np.cumsum([0, *parts.values()])
    drawn = {name: np.sort(order[a:b]) for name, a, b in zip(parts, edges[:-1], edges[1:], strict=True)}
    return {**drawn, rest: np.sort(order[wanted:])}


def finite_rows(frame: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.bool_]:
    """
    Rows in which every named column is finite.

    Parameters
    ----------
    frame : DataFrame
        The table.
    columns : sequence of str
        Numeric columns.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
    """
    finite: NDArray[np.bool_] = np.isfinite(frame[list(columns)].to_numpy(np.float64)).all(axis=1)
    return finite
