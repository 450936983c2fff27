"""RAVE DR5 (Kunder et al. 2017): radial velocities and [Fe/H], alone and in the ready-made match with Gaia DR2."""

import logging
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from exsitu.columns import COLUMNS
from exsitu.errors import InputError
from exsitu.surveys.missing import Physical, Replaced
from exsitu.surveys.names import missing_column, refuse_rivals, registry_names
from exsitu.surveys.positions import wrapped
from exsitu.surveys.reader import registry_frames, typed
from exsitu.tables import TableInfo, describe, frames_of

log = logging.getLogger(__name__)

CANONICAL = (
    "original_ext_source_id",
    "ra",
    "dec",
    "radial_velocity",
    "radial_velocity_error",
    "feh",
    "feh_error",
    "quality_flag",
)
"""Columns of a spectroscopic survey, in the registry's names."""

_REQUIRED = ("original_ext_source_id", "ra", "dec", "radial_velocity", "feh")
_ARCHIVE_NAME = "name"
"""What the Gaia archive's copy calls RAVE_OBS_ID; too common a word to be an alias in the registry."""

_READY_MADE = {"radial_velocity": "r_hrv", "feh": "r_metallicity", "quality_flag": "r_quality"}
_READY_MADE_GAIA = ("source_id", "ra", "dec", "l", "b", "parallax", "parallax_error", "pmra", "pmdec")
_OPTIONAL_GAIA = ("phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag")


def read_rave(path: Path, *, chunk_rows: int = 200_000) -> pd.DataFrame:
    """
    Read a spectroscopic survey under RAVE's own names, those of the Gaia archive's copy, or the registry's.

    Parameters
    ----------
    path : Path
        FITS, VOTable, ECSV, CSV or Parquet.
    chunk_rows : int
        Rows read at a time.

    Returns
    -------
    DataFrame
        The columns `CANONICAL` that the file has: one row an observation, so a star may come more than once. [Fe/H] is
        the calibrated metallicity. Rows without a quality flag, radial velocity or position are left out: no label
        could be made from them. What is no measurement counts as missing, and a warning says so.

    Raises
    ------
    InputError
        If a column is missing or in a wrong unit, an observation comes twice, the file states that rows are missing, or
        nothing usable is left.
    """
    info = describe(path).require_whole()
    names = {n: native for n, native in registry_names(info).items() if native is not None}
    archive = {name.lower(): name for name in info.columns}.get(_ARCHIVE_NAME)
    if archive is not None:
        names.setdefault("original_ext_source_id", archive)
    for name in _REQUIRED:
        if name not in names:
            raise missing_column(info, name)
    refuse_rivals(info, CANONICAL)
    replaced = Replaced()
    stars = pd.concat(_usable(info, names, chunk_rows, Physical(replaced)), ignore_index=True)
    _say(path, replaced)
    stars = stars.assign(original_ext_source_id=stars["original_ext_source_id"].str.strip())
    repeated = stars["original_ext_source_id"][stars["original_ext_source_id"].duplicated()]
    if len(repeated):
        raise InputError(
            f"{path} repeats {len(repeated)} observation ids (the first is {repeated.iloc[0]!r}); keep one"
        )
    if stars.empty:
        raise InputError(f"{path} has no row with a position, radial velocity and quality flag; at least one is needed")
    return stars


def _say(path: Path, replaced: Replaced) -> None:
    if replaced:
        log.warning("%s: %s", path, replaced.sentence())


def _usable(info: TableInfo, names: dict[str, str], chunk_rows: int, physical: Physical) -> Iterable[pd.DataFrame]:
    """Canonical columns of the rows with all a label needs; the flag may be a float with NaN where it is missing."""
    flag = names.get("quality_flag")
    wanted = [name for name in CANONICAL if name in names and name != "quality_flag"]
    flags = frames_of(info, columns=[flag], chunk_rows=chunk_rows) if flag is not None else None
    for frame in registry_frames(info, names, wanted, chunk_rows, physical):
        complete = frame[["ra", "dec", "radial_velocity"]].notna().all(axis=1) & frame["original_ext_source_id"].notna()
        if flags is None:
            yield frame[complete]
        else:
            values = next(flags)[flag]
            keep = complete & values.notna()
            yield frame[keep].assign(quality_flag=_whole(values[keep], f"{info.path}: {flag}"))


def _whole(values: "pd.Series[float]", source: str) -> "pd.Series[int]":
    """Flags as integers; a float column is fine here (no digit of 0 to 4 is lost) as long as its numbers are whole."""
    whole = values.astype("int64")
    if not (whole == values).all():
        raise InputError(
            f"{source} holds {values[whole != values].iloc[0]}, not a whole number; quality flags run from 0 to 4"
        )
    return whole


def best_observations(observations: pd.DataFrame, key: str) -> pd.DataFrame:
    """
    Keep one observation a star: of those with quality flag 0, the one with the smallest radial-velocity error.

    Parameters
    ----------
    observations : DataFrame
        One row an observation; ``quality_flag`` and ``radial_velocity_error`` count where they are there.
    key : str
        Column that names the star.

    Returns
    -------
    DataFrame
        One row a star, in the order of the rows kept; of equals the first is kept.
    """
    good = observations
    if "quality_flag" in good:
        good = good[good["quality_flag"] == 0]
    if "radial_velocity_error" in good:
        good = good.sort_values("radial_velocity_error", kind="stable", na_position="last")
    return good.drop_duplicates(key).sort_index(kind="stable").reset_index(drop=True)


def read_gaia_rave(path: Path, *, chunk_rows: int = 200_000) -> pd.DataFrame:
    """
    Read the ready-made public cross-match of Gaia DR2 with RAVE DR5 (columns of RAVE start with ``r_``).

    Parameters
    ----------
    path : Path
        The CSV ``gaia-dr2-rave-35.csv`` or a table of any format with its columns.
    chunk_rows : int
        Rows read at a time.

    Returns
    -------
    DataFrame
        Gaia's columns with RAVE's radial velocity and [Fe/H], one row a Gaia source (see `best_observations`). The
        table has no errors of proper motions and radial velocities.

    Raises
    ------
    InputError
        If a column is missing, the file states that rows are missing, or nothing usable is left.
    """
    info = describe(path).require_whole()
    names = {name: name for name in (*_READY_MADE_GAIA, *_OPTIONAL_GAIA) if name in info.columns} | _READY_MADE
    for name in _READY_MADE_GAIA:
        if name not in names:
            raise missing_column(info, name)
    frames = list(frames_of(info, columns=list(names.values()), chunk_rows=chunk_rows))
    raw = pd.concat(frames, ignore_index=True).dropna(subset=[*_READY_MADE.values()], ignore_index=True)
    flags = _whole(raw[_READY_MADE["quality_flag"]], f"{path}: r_quality")
    replaced = Replaced()
    physical = Physical(replaced)
    numbers = {n: native for n, native in names.items() if n != "quality_flag"}
    order = [name for name in COLUMNS if name in numbers]
    table = pd.DataFrame({n: typed(COLUMNS[n], raw[numbers[n]], 1.0, f"{path}: {numbers[n]}", physical) for n in order})
    _say(path, replaced)
    table = table.assign(l=wrapped(table["l"].to_numpy()), quality_flag=flags)
    table = table.dropna(subset=["radial_velocity", "feh"], ignore_index=True)
    best = best_observations(table, "source_id").drop(columns="quality_flag")
    if best.empty:
        raise InputError(f"{path} has no row with radial velocity, [Fe/H] and quality flag 0; at least one is needed")
    return best
