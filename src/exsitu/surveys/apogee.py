"""APOGEE x Gaia DR3 table of the inner Galaxy (the data of BarGMM), with distances and Galactic proper motions."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import column
from exsitu.phase_space import galactic_motion_to_icrs, galactic_to_icrs
from exsitu.surveys.missing import Physical
from exsitu.tables import TableInfo, frames_of

Floats = NDArray[np.float64]

_MISSING = -99.0
_NATIVE = (
    "l[deg]",
    "b[deg]",
    "dist[kpc]",
    "edist[kpc]",
    "pml[masyr]",
    "epml[masyr]",
    "pmb[masyr]",
    "epmb[masyr]",
    "pmlpmbcorr[]",
    "vlos[kms]",
    "evlos[kms]",
    "feh[dex]",
    "alpha[dex]",
)
_NAME = "apogeeID"
_LIKE = {
    "l[deg]": "l",
    "b[deg]": "b",
    "dist[kpc]": "parallax",
    "edist[kpc]": "parallax_error",
    "pml[masyr]": "pmra",
    "epml[masyr]": "pmra_error",
    "pmb[masyr]": "pmdec",
    "epmb[masyr]": "pmdec_error",
    "vlos[kms]": "radial_velocity",
    "evlos[kms]": "radial_velocity_error",
    "feh[dex]": "feh",
    "alpha[dex]": "alpha",
}
"""Columns of the registry whose physical range is taken for theirs; in kpc, that of parallaxes is wide enough."""

COLUMNS = (
    "l",
    "b",
    "parallax",
    "parallax_error",
    "pmra",
    "pmra_error",
    "pmdec",
    "pmdec_error",
    "pmra_pmdec_corr",
    "radial_velocity",
    "radial_velocity_error",
    "feh",
    "alpha",
    "original_ext_source_id",
)
"""Columns the adapter gives, in the registry's names."""


def is_apogee(info: TableInfo) -> bool:
    """
    Recognise the table by its header, which carries the units in brackets.

    Parameters
    ----------
    info : TableInfo
        What the file says of itself.

    Returns
    -------
    bool
    """
    return {*_NATIVE, _NAME} <= set(info.columns)


def apogee_frames(info: TableInfo, chunk_rows: int, physical: Physical) -> Iterator[pd.DataFrame]:
    """
    Read the table into the registry's columns and units.

    Parameters
    ----------
    info : TableInfo
        A file that `is_apogee` recognises.
    chunk_rows : int
        Most rows of one frame.
    physical : Physical
        Takes what is no measurement as missing, beside the -99 of this table.

    Yields
    ------
    DataFrame
        The columns `COLUMNS`. The parallax is 1 / distance and its error the distance's to first order: it is no
        measured parallax, but gives back the distance where 1 / parallax is taken. -99 becomes NaN.
    """
    for frame in frames_of(info, columns=[*_NATIVE, _NAME], chunk_rows=chunk_rows):
        numbers = frame[list(_NATIVE)].to_numpy(np.float64).T
        numbers = np.where(numbers == _MISSING, np.nan, numbers)
        for i, native in enumerate(_NATIVE):
            if native in _LIKE:
                numbers[i] = physical.taken(column(_LIKE[native]), numbers[i], 1.0, f"{info.path}: {native}")
        yield _survey(numbers).assign(original_ext_source_id=frame[_NAME])


def _survey(numbers: Floats) -> pd.DataFrame:
    l, b, d, d_error, pm_l, l_error, pm_b, b_error, corr, rv, rv_error, feh, alpha = numbers  # noqa: E741 - field's name
    d = np.where(d > 0.0, d, np.nan)
    ra, dec = galactic_to_icrs(l, b)
    pmra, pmdec = galactic_motion_to_icrs(ra, dec, pm_l, pm_b)
    pmra_error, pmdec_error, pm_corr = rotated_errors(ra, dec, l_error, b_error, corr)
    values = (l, b, 1.0 / d, d_error / d**2, pmra, pmra_error, pmdec, pmdec_error, pm_corr, rv, rv_error, feh, alpha)
    return pd.DataFrame({name: v.astype(column(name).dtype) for name, v in zip(COLUMNS, values, strict=False)})


def rotated_errors(
    ra: Floats, dec: Floats, l_error: Floats, b_error: Floats, corr: Floats
) -> tuple[Floats, Floats, Floats]:
    """
    Turn the error ellipse of a proper motion from Galactic to ICRS axes.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_stars,)
        Position, degrees.
    l_error, b_error : ndarray, shape (n_stars,)
        Standard errors of the proper motion along l (times cos b) and b, mas/yr.
    corr : ndarray, shape (n_stars,)
        Their correlation; NaN counts as none.

    Returns
    -------
    pmra_error, pmdec_error, corr : ndarray, shape (n_stars,)
        Standard errors, mas/yr, and their correlation.

    Notes
    -----
    The covariance turns as J C J^T, J being the rotation of `galactic_motion_to_icrs`, read off two unit motions.
    """
    ones, zeros = np.ones_like(ra), np.zeros_like(ra)
    ra_l, dec_l = galactic_motion_to_icrs(ra, dec, ones, zeros)
    ra_b, dec_b = galactic_motion_to_icrs(ra, dec, zeros, ones)
    c_ll, c_bb, c_lb = l_error**2, b_error**2, np.nan_to_num(corr) * l_error * b_error
    c_rr = ra_l**2 * c_ll + ra_b**2 * c_bb + 2.0 * ra_l * ra_b * c_lb
    c_dd = dec_l**2 * c_ll + dec_b**2 * c_bb + 2.0 * dec_l * dec_b * c_lb
    c_rd = ra_l * dec_l * c_ll + ra_b * dec_b * c_bb + (ra_l * dec_b + ra_b * dec_l) * c_lb
    return np.sqrt(c_rr), np.sqrt(c_dd), c_rd / np.sqrt(c_rr * c_dd)
