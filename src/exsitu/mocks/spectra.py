"""A RAVE-like spectroscopic survey of stars that Gaia has seen.

Sky, magnitudes, precision, flags and layout after RAVE DR5 (Kunder et al. 2017, AJ 153, 75).
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.columns import REFERENCE_EPOCHS, column
from exsitu.draws import Draws

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

NORTHERNMOST_DEC = 2.0
LOWEST_LATITUDE = 25.0
I_RANGE = (9.0, 12.0)
"""The fields: declination (deg), |b| (deg) and magnitude."""

FAINTEST_FIELD_G = 13.6
"""G of the reddest star at the faint end of ``I_RANGE``."""

GOOD_FRACTION = 0.96
"""Share of spectra on which the pipeline converged (flag 0)."""

MATCHED_FRACTION = 0.98
"""Share of spectra with an entry in the cross-match."""

_POSITION_ERROR_ARCSEC = 0.15
_FIBRES = 150
_FIRST_NIGHT = np.datetime64("2003-04-11")
_NIGHTS = 3600


def i_magnitude(g: Floats, bp_rp: Floats) -> Floats:
    """
    Cousins I of stars.

    Parameters
    ----------
    g, bp_rp : ndarray, shape (n_stars,)
        Apparent G and colour, mag.

    Returns
    -------
    ndarray, shape (n_stars,)
        mag (Evans et al. 2018, A&A 616, A4, Table A.2).
    """
    c = np.clip(bp_rp, -0.5, 4.5)
    return g - (0.02085 + c * (0.7419 - 0.09631 * c))


def _numbers(frame: pd.DataFrame, *names: str) -> tuple[Floats, ...]:
    return tuple(frame[name].to_numpy().astype(np.float64) for name in names)


def _i_of(frame: pd.DataFrame) -> Floats:
    g, bp, rp = _numbers(frame, "phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag")
    return i_magnitude(g, bp - rp)


def in_fields(frame: pd.DataFrame) -> Mask:
    """
    Find the stars that the survey may observe.

    Parameters
    ----------
    frame : DataFrame
        With ``dec``, ``b`` and the three Gaia magnitudes.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
    """
    dec, b = _numbers(frame, "dec", "b")
    i = _i_of(frame)
    where: Mask = (dec < NORTHERNMOST_DEC) & (np.abs(b) > LOWEST_LATITUDE) & (i > I_RANGE[0]) & (i < I_RANGE[1])
    return where


def observe_spectra(stars: pd.DataFrame, draws: Draws) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Take spectra of stars.

    Parameters
    ----------
    stars : DataFrame
        Rows of a mock survey with the truth.
    draws : Draws
        Of the stars, by ``source_id``.

    Returns
    -------
    spectra : DataFrame
        Identifier, position at epoch 2000, radial velocity, [Fe/H], their errors and the pipeline's flag.
    neighbours : DataFrame
        The Gaia archive's best-neighbour table: ids, distance, number of neighbours.
    """
    ids, i = stars["source_id"].to_numpy(), _i_of(stars)
    ra, dec, offset = _positions_in_2000(stars, draws.normal("position", ids, 2).T)
    flag = np.where(draws.uniform("good", ids) < GOOD_FRACTION, 0, 1 + (4.0 * draws.uniform("flag", ids)).astype(int))
    rv_error = 0.9 * el.exp10(0.12 * (i - 10.5))
    feh_error = 0.10 + 0.02 * (i - I_RANGE[0])
    # Where the pipeline did not converge, the abundance means little.
    scatter = np.where(flag == 0, feh_error, 0.6)
    columns = {
        "original_ext_source_id": _identifiers(ra, dec),
        "ra": ra,
        "dec": dec,
        "radial_velocity": _true_radial_velocity(stars) + rv_error * draws.normal("radial velocity", ids),
        "radial_velocity_error": rv_error,
        "feh": np.clip(stars["feh"].to_numpy() + scatter * draws.normal("[Fe/H]", ids), -5.0, 1.2),
        "feh_error": feh_error,
        "quality_flag": flag,
    }
    matched = draws.uniform("matched", ids) < MATCHED_FRACTION
    neighbours = {
        "source_id": ids,
        "original_ext_source_id": columns["original_ext_source_id"],
        "angular_distance": offset,
        "number_of_neighbours": np.where(draws.uniform("alone", ids) < 0.985, 1, 2),
    }
    spectra = _typed(columns).sort_values("original_ext_source_id", kind="stable", ignore_index=True)
    found = _typed(neighbours)[matched].sort_values("source_id", kind="stable", ignore_index=True)
    return spectra, found


def _typed(columns: dict[str, NDArray[np.generic]]) -> pd.DataFrame:
    return pd.DataFrame(columns).astype({name: column(name).dtype for name in columns})


def _positions_in_2000(stars: pd.DataFrame, noise: Floats) -> tuple[Floats, Floats, Floats]:
    """Positions taken back to epoch 2000 with the position errors of the input catalogues; their size in arcsec."""
    ra, dec, pmra, pmdec = _numbers(stars, "ra", "dec", "pmra", "pmdec")
    years = REFERENCE_EPOCHS["rave_dr5"] - REFERENCE_EPOCHS["gaia_dr2"]
    east, north = _POSITION_ERROR_ARCSEC * noise
    d_ra = (pmra * years * 1e-3 + east) / 3600.0 / np.maximum(el.cos(np.radians(dec)), 1e-3)
    moved = ra + d_ra
    moved = np.where(moved < 0.0, moved + 360.0, np.where(moved >= 360.0, moved - 360.0, moved))
    return moved, dec + (pmdec * years * 1e-3 + north) / 3600.0, np.sqrt(east * east + north * north)


def _true_radial_velocity(stars: pd.DataFrame) -> Floats:
    x, y, z, v_x, v_y, v_z = _numbers(stars, "px_true", "py_true", "pz_true", "vx_true", "vy_true", "vz_true")
    return (x * v_x + y * v_y + z * v_z) / np.sqrt(x * x + y * y + z * z)


def _identifiers(ra: Floats, dec: Floats) -> NDArray[np.object_]:
    """Unique identifiers ``<night>_<field centre>_<fibre>``: fields of a degree, a plate of fibres a night."""
    minutes, degrees = np.floor(ra * 4.0).astype(np.int64), np.floor(np.abs(dec)).astype(np.int64)
    sign = np.where(dec < 0.0, "m", "p")
    field = minutes * 200 + np.where(dec < 0.0, degrees, 100 + degrees)
    place = pd.Series(field).groupby(field).cumcount().to_numpy()
    nights = _FIRST_NIGHT + (field * 37 + place // _FIBRES) % _NIGHTS
    dates = np.char.replace(nights.astype("U10"), "-", "")
    parts = zip(dates, minutes // 60, minutes % 60, sign, degrees, place % _FIBRES + 1, strict=True)
    return np.array([f"{d}_{h:02d}{m:02d}{s}{g:02d}_{f:03d}" for d, h, m, s, g, f in parts], dtype=object)
