"""The stage ``prepare``: from surveys to the samples that networks learn on and are measured with."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from exsitu import gates
from exsitu.columns import REFERENCE_EPOCHS
from exsitu.draws import Draws
from exsitu.labels.histories import accreted_from_particles
from exsitu.mocks.uncertainties import photometric_errors
from exsitu.phase_space import frame as solar_frame
from exsitu.provenance import publish_folder, write_json
from exsitu.samples import (
    ERRORS,
    IDENTITY,
    MEASURED,
    SUN,
    TRUTH,
    VELOCITIES,
    finite_rows,
    measured_phase_space,
    passes_quality_cut,
    split,
    true_phase_space,
    with_labels,
    with_sun,
    with_velocities,
)
from exsitu.settings import Settings
from exsitu.stages.data_record import verify_data
from exsitu.surveys.crossmatch import by_best_neighbour, by_position, read_neighbours
from exsitu.surveys.mock_files import survey_sun
from exsitu.surveys.reader import read_survey
from exsitu.surveys.spectroscopy import read_rave
from exsitu.tables import describe, read_parquet, write_parquet

log = logging.getLogger(__name__)

# Seeds of independent draws; a new sample gets a new number, so that old ones keep their stars.
_PRETRAINING, _TARGET, _HOLDOUT, _TRANSFER, _LABELLED, _ADAPTATION = range(6)
_GAIA = "gaia_dr2"
"""Data release of the Milky Way's table, the one RAVE DR5 was matched with by the archive."""
_MATCH_ARCSEC = 1.0
_VALIDATION_SHARE = 5
"""One in so many stars with labels stops a transfer instead of teaching it."""


def prepare(settings: Settings, *, data: Path, output: Path, reports: Path, suites: Path) -> None:
    """
    Cut, label and split the surveys.

    Parameters
    ----------
    settings : Settings
        Cuts, labels, sizes, seed.
    data : Path
        What the stage ``data`` wrote.
    output : Path
        Folder to write: ``pretraining/{training,validation,test}``, ``transfer/{training,validation}``,
        ``target/test``, ``holdout/test``, ``adaptation/{training,validation}``, all Parquet, and ``samples.json``.
    reports : Path
        Folder for the reports of the gates.
    suites : Path
        Folder of the expectation suites.

    Raises
    ------
    GateError
        If a sample fails the suite ``training_sample``; nothing is written then.
    InputError
        If the data are not as they were made, of other settings, or too few for the sizes wanted.
    """
    digest = verify_data(data, settings)
    samples = {**_pretraining(settings, data), **_target(settings, data), **_adaptation(settings, data)}
    for name, frame in samples.items():
        log.info("%-24s %9d stars %s", name, len(frame), _fractions(frame))
        report = reports / f"training_sample-{name.replace('/', '-')}.json"
        gates.check(frame, "training_sample", report=report, suites=suites)
    with publish_folder(output, replace=True) as staged:
        for name, frame in samples.items():
            write_parquet(staged / f"{name}.parquet", [frame], metadata={"sample": name, "data_digest": digest})
        write_json(staged / "samples.json", {"data_digest": digest, **{k: _counts(v) for k, v in samples.items()}})


def _counts(frame: pd.DataFrame) -> dict[str, int]:
    flags = [name for name in ("accreted", "label_vm", "label_zm") if name in frame]
    return {"stars": len(frame), **{name: int(frame[name].sum()) for name in flags}}


def _fractions(frame: pd.DataFrame) -> str:
    counts = _counts(frame)
    return ", ".join(f"{name} {100 * n / len(frame):.2f} %" for name, n in counts.items() if name != "stars")


def load_mock(settings: Settings, data: Path, survey: str, *, also: Sequence[str] = ()) -> pd.DataFrame:
    """
    Read a mock survey with truth, labels and true velocities.

    Parameters
    ----------
    settings : Settings
        Quality cut, labels and seed.
    data : Path
        What the stage ``data`` wrote.
    survey : str
        Such as ``"m12i/lsr0"``.
    also : sequence of str
        Further columns of the survey to keep, where it has them, such as ``parentid``.

    Returns
    -------
    DataFrame
        The stars that pass the quality cut.
    """
    path = data / "mocks" / f"{survey}.parquet"
    known = describe(path).columns
    columns = dict.fromkeys((*IDENTITY, "parentid", *MEASURED, *ERRORS, *TRUTH, *also))
    wanted = [name for name in columns if name in known]
    frame = read_parquet(path, columns=wanted)
    frame = frame[passes_quality_cut(frame, settings.quality.max_fractional_parallax_error)].reset_index(drop=True)
    ids = np.load(path.parent / "accreted_particle_ids.npy", allow_pickle=False)
    solar = survey_sun(path)
    frame = frame.assign(accreted=accreted_from_particles(frame["parentid"].to_numpy(), ids))
    frame = with_labels(frame, measured_phase_space(frame, solar), settings.labels, seed=settings.seed)
    frame = with_sun(with_velocities(frame, true_phase_space(frame, solar)), solar)
    return frame.drop(columns=[name for name in ("parentid", *TRUTH) if name not in also])


def _inputs_finite(frame: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Leave out stars that lack an input of the network, such as a radial velocity."""
    from exsitu.model.inputs import input_columns

    return frame[finite_rows(frame, input_columns(settings.network.input_set))]


def _take(frame: pd.DataFrame, rows: Mapping[str, np.ndarray], prefix: str) -> dict[str, pd.DataFrame]:
    return {f"{prefix}/{name}": frame.iloc[chosen].reset_index(drop=True) for name, chosen in rows.items()}


def _pretraining(settings: Settings, data: Path) -> dict[str, pd.DataFrame]:
    """Pretraining learns on all viewpoints together, each giving its share of validation and test."""
    surveys = settings.data.pretraining.surveys
    share = {
        "validation": settings.samples.validation_stars // len(surveys),
        "test": settings.samples.test_stars // len(surveys),
    }
    pieces: dict[str, list[pd.DataFrame]] = {}
    for number, survey in enumerate(surveys):
        frame = _inputs_finite(load_mock(settings, data, survey), settings)
        rows = split(_ids(frame), share, rest="training", seed=(settings.seed, _PRETRAINING, number))
        for name, piece in _take(frame, rows, "pretraining").items():
            pieces.setdefault(name, []).append(piece)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in pieces.items()}


def _target(settings: Settings, data: Path) -> dict[str, pd.DataFrame]:
    """Stars of another galaxy: some with spectra to transfer on, others to choose and to validate with."""
    choose, *validate = settings.data.target.surveys
    frame = _inputs_finite(load_mock(settings, data, choose), settings)
    # Test stars first, so that they are a fair draw of all stars and not what is left of those without spectra.
    rows = split(_ids(frame), {"test": settings.samples.test_stars}, rest="others", seed=(settings.seed, _TARGET))
    others = frame.iloc[rows["others"]]
    spectra = others[finite_rows(others, ("radial_velocity", "feh"))].reset_index(drop=True)
    labelled = _draw(spectra, settings.samples.transfer_stars, (settings.seed, _TRANSFER))
    part = {"validation": max(1, len(labelled) // _VALIDATION_SHARE)}
    samples = _take(labelled, split(_ids(labelled), part, rest="training", seed=(settings.seed, _LABELLED)), "transfer")
    samples["target/test"] = frame.iloc[rows["test"]].reset_index(drop=True)
    for survey in validate[:1]:
        holdout = _inputs_finite(load_mock(settings, data, survey), settings)
        samples["holdout/test"] = _draw(holdout, settings.samples.test_stars, (settings.seed, _HOLDOUT))
    return samples


def _ids(frame: pd.DataFrame) -> np.ndarray:
    """What names each star: its id, or its row where the table has none."""
    return frame["source_id"].to_numpy() if "source_id" in frame else np.arange(len(frame))


def _draw(frame: pd.DataFrame, number: int, seed: tuple[int, ...]) -> pd.DataFrame:
    """At most so many stars, drawn at random, in the order of the table."""
    chosen = Draws(seed).shuffled("drawn", _ids(frame))[:number]
    return frame.iloc[np.sort(chosen)].reset_index(drop=True)


def crossmatch(data: Path) -> pd.DataFrame:
    """
    Match the survey's Gaia stars with its spectroscopic stars.

    Parameters
    ----------
    data : Path
        What the stage ``data`` wrote.

    Returns
    -------
    DataFrame
        Gaia's columns with the spectroscopic survey's radial velocity and [Fe/H].
    """
    folder = data / "milkyway"
    rave, linked = read_rave(folder / "rave.parquet"), folder / "best_neighbour.parquet"
    gaia = read_survey(folder / "gaia.parquet", release=_GAIA)
    if linked.is_file():
        neighbours = read_neighbours(linked)
        near = (frame[frame["source_id"].isin(neighbours["source_id"])] for frame in gaia)
        return by_best_neighbour(pd.concat(near, ignore_index=True), rave, neighbours)
    epochs = {"gaia_epoch": REFERENCE_EPOCHS[_GAIA], "spectra_epoch": REFERENCE_EPOCHS["rave_dr5"]}
    return by_position(pd.concat(gaia, ignore_index=True), rave, **epochs, radius_arcsec=_MATCH_ARCSEC)


def with_magnitude_errors(frame: pd.DataFrame) -> pd.DataFrame:
    """
    Add the errors that are expected of Gaia's magnitudes, of which the archive states none (it does of fluxes).

    Parameters
    ----------
    frame : DataFrame
        With ``phot_{g,bp,rp}_mean_mag``; where one of them is no column, nothing is added.

    Returns
    -------
    DataFrame
        With ``phot_{g,bp,rp}_mean_mag_error``, NaN where a magnitude is.
    """
    names = [f"phot_{band}_mean_mag" for band in ("g", "bp", "rp")]
    if not set(names) <= set(frame):
        return frame
    errors = photometric_errors(*(frame[name].to_numpy(np.float64) for name in names))
    return frame.assign(**{f"phot_{band}_mean_mag_error": error for band, error in errors.items()})


def labelled_sample(settings: Settings, frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """
    Turn stars of the Milky Way with spectra into a sample to transfer on.

    Parameters
    ----------
    settings : Settings
        Quality cut, labels, seed.
    frame : DataFrame
        Measured stars with ``feh``; ``parallax_error`` may be missing (NaN) where the caller allowed it. Stars without
        [Fe/H] or radial velocity are left out: whether they carry a label cannot be said.

    Returns
    -------
    dict of str to DataFrame
        ``adaptation/training`` and ``adaptation/validation``, with the labels VM and ZM, made of measurements alone.
    """
    good = passes_quality_cut(frame, settings.quality.max_fractional_parallax_error)
    without_error = frame["parallax_error"].isna().to_numpy() & (frame["parallax"].to_numpy() > 0)
    frame = frame[good | without_error]
    judged = frame[finite_rows(frame, [n for n in ("radial_velocity", "feh") if n in frame])]
    if len(judged) < len(frame):
        log.info("left out %d of %d stars without radial velocity or [Fe/H]", len(frame) - len(judged), len(frame))
    frame = _inputs_finite(judged, settings).reset_index(drop=True)
    solar = solar_frame("milky_way")
    stars = measured_phase_space(frame, solar)
    frame = with_velocities(with_labels(frame, stars, settings.labels, seed=settings.seed), stars)
    frame = with_magnitude_errors(with_sun(frame, solar))
    kept = (*IDENTITY, *MEASURED, *ERRORS, *VELOCITIES, "z_kpc", *SUN, "label_vm", "label_zm")
    frame = frame[[name for name in kept if name in frame]]
    parts = {"validation": max(1, len(frame) // _VALIDATION_SHARE)}
    rows = split(_ids(frame), parts, rest="training", seed=(settings.seed, _ADAPTATION))
    return _take(frame, rows, "adaptation")


def _adaptation(settings: Settings, data: Path) -> dict[str, pd.DataFrame]:
    return labelled_sample(settings, crossmatch(data))
