"""Gaia stars with the radial velocity and [Fe/H] of a spectroscopic survey: by the archive's table, or by position."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import column, nearest
from exsitu.errors import InputError
from exsitu.phase_space import unit_vector
from exsitu.surveys.missing import Physical
from exsitu.surveys.reader import typed
from exsitu.surveys.spectroscopy import best_observations
from exsitu.tables import read_frames

Floats = NDArray[np.float64]

_SPECTRA = ("radial_velocity", "radial_velocity_error", "feh", "feh_error")
_ID, _OBSERVATION = "source_id", "original_ext_source_id"
_MAS = np.pi / (180.0 * 3600.0 * 1000.0)
"""Radians."""


def read_neighbours(path: Path) -> pd.DataFrame:
    """
    Read the Gaia archive's best-neighbour table of a spectroscopic survey.

    Parameters
    ----------
    path : Path
        ``gaiadr2.ravedr5_best_neighbour`` in any format.

    Returns
    -------
    DataFrame
        ``source_id`` (int64) and ``original_ext_source_id``.

    Raises
    ------
    InputError
        If a column is missing, the ids are no integers, or the file states that rows are missing.
    """
    raw = pd.concat(read_frames(path, columns=[_ID, _OBSERVATION]), ignore_index=True)
    return pd.DataFrame(
        {name: typed(column(name), raw[name], 1.0, f"{path}: {name}", Physical()) for name in (_ID, _OBSERVATION)}
    )


def by_best_neighbour(gaia: pd.DataFrame, spectra: pd.DataFrame, neighbours: pd.DataFrame) -> pd.DataFrame:
    """
    Join Gaia and a spectroscopic survey through the archive's best-neighbour table.

    Parameters
    ----------
    gaia : DataFrame
        With ``source_id``.
    spectra : DataFrame
        With ``original_ext_source_id``, ``radial_velocity`` and ``feh``.
    neighbours : DataFrame
        With ``source_id`` and ``original_ext_source_id``; of the same Gaia release as `gaia`.

    Returns
    -------
    DataFrame
        Gaia's columns with the spectroscopic survey's radial velocity and [Fe/H] (and their errors) in place of Gaia's,
        and ``original_ext_source_id``: one row a matched Gaia source, in Gaia's order.

    Raises
    ------
    InputError
        If a column is missing, an observation has two neighbours, or nothing matches.
    """
    _require("the Gaia table", gaia, (_ID,))
    _require("the best-neighbour table", neighbours, (_ID, _OBSERVATION))
    links = neighbours[[_ID, _OBSERVATION]].assign(**{_OBSERVATION: neighbours[_OBSERVATION].str.strip()})
    repeated = links[_OBSERVATION][links[_OBSERVATION].duplicated()]
    if len(repeated):
        raise InputError(
            f"observation {repeated.iloc[0]!r} has more than one best neighbour ({len(repeated)} such); keep one"
        )
    linked = _spectra(spectra).merge(links, on=_OBSERVATION, how="inner", validate="many_to_one")
    return _joined(gaia, linked, "check that ids and neighbours are of one Gaia release")


def by_position(
    gaia: pd.DataFrame, spectra: pd.DataFrame, *, gaia_epoch: float, spectra_epoch: float, radius_arcsec: float
) -> pd.DataFrame:
    """
    Join Gaia and a spectroscopic survey by position, Gaia's stars moved to the survey's epoch.

    Parameters
    ----------
    gaia : DataFrame
        With ``source_id, ra, dec, pmra, pmdec``; a star without proper motion stays where it is.
    spectra : DataFrame
        With ``original_ext_source_id, ra, dec, radial_velocity`` and ``feh``.
    gaia_epoch, spectra_epoch : float
        Julian years of the positions.
    radius_arcsec : float
        Largest separation of a match, arcsec.

    Returns
    -------
    DataFrame
        As of `by_best_neighbour`; each observation goes to the nearest Gaia source.

    Raises
    ------
    InputError
        If a column is missing or nothing matches.
    """
    from scipy.spatial import KDTree

    _require("the Gaia table", gaia, (_ID, "ra", "dec", "pmra", "pmdec"))
    _require("the spectroscopic table", spectra, ("ra", "dec"))
    if not 0.0 < radius_arcsec < 3600.0:
        raise InputError(f"radius_arcsec is {radius_arcsec}; it must lie between 0 and 3600 arcsec")
    observed = spectra[np.isfinite(spectra["ra"]) & np.isfinite(spectra["dec"])]
    placed = gaia[np.isfinite(gaia["ra"]) & np.isfinite(gaia["dec"])]
    there = np.stack(unit_vector(observed["ra"].to_numpy(), observed["dec"].to_numpy()), axis=1)
    chord = 2.0 * np.sin(0.5 * np.radians(radius_arcsec / 3600.0))
    stars = moved_directions(placed, spectra_epoch - gaia_epoch)
    distance, place = KDTree(stars).query(there, distance_upper_bound=chord)
    found = np.isfinite(distance)
    linked = _spectra(observed[found]).assign(**{_ID: placed[_ID].to_numpy()[place[found]]})
    return _joined(gaia, linked, f"nothing lies within {radius_arcsec} arcsec: check epochs, units and sky coverage")


def moved_directions(stars: pd.DataFrame, years: float) -> Floats:
    """
    Directions of stars some years before or after their positions' epoch.

    Parameters
    ----------
    stars : DataFrame
        With ``ra, dec`` in degrees and ``pmra, pmdec`` in mas/yr; NaN counts as no motion.
    years : float
        Time to move by, Julian years; negative is back.

    Returns
    -------
    ndarray, shape (n_stars, 3)
        Unit vectors along ICRS axes; straight motion on the tangent plane, exact to far below a milliarcsecond.
    """
    ra, dec = stars["ra"].to_numpy(), stars["dec"].to_numpy()
    start = np.stack(unit_vector(ra, dec), axis=1)
    east, north = (np.stack(unit_vector(*at), axis=1) for at in ((ra + 90.0, np.zeros_like(dec)), (ra, dec + 90.0)))
    step = np.nan_to_num(stars[["pmra", "pmdec"]].to_numpy(np.float64)) * (years * _MAS)
    moved = start + step[:, :1] * east + step[:, 1:] * north
    directions: Floats = moved / np.sqrt((moved * moved).sum(axis=1, keepdims=True))
    return directions


def _spectra(spectra: pd.DataFrame) -> pd.DataFrame:
    _require("the spectroscopic table", spectra, (_OBSERVATION, "radial_velocity", "feh"))
    kept = [name for name in (_OBSERVATION, *_SPECTRA, "quality_flag") if name in spectra]
    return spectra[kept].assign(**{_OBSERVATION: spectra[_OBSERVATION].str.strip()})


def _joined(gaia: pd.DataFrame, linked: pd.DataFrame, advice: str) -> pd.DataFrame:
    best = best_observations(linked, _ID).drop(columns="quality_flag", errors="ignore")
    own = gaia.drop(columns=[name for name in (*_SPECTRA, _OBSERVATION) if name in gaia])
    joined = own.merge(best, on=_ID, how="inner", validate="one_to_one")
    if joined.empty:
        raise InputError(f"none of {len(gaia)} Gaia stars matches one of {len(linked)} linked observations; {advice}")
    return joined


def _require(what: str, frame: pd.DataFrame, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in frame:
            raise InputError(f"{what} has no column {name!r}{nearest(name, frame.columns)}; the match needs it")
