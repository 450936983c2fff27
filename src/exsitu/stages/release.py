"""The command ``release``: score a survey with the champion and publish a versioned catalog."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from exsitu.catalog.manifest import current_release, next_version, release_folder
from exsitu.catalog.release import ReleaseInputs, build_release
from exsitu.columns import nearest
from exsitu.errors import InputError, ReleaseError
from exsitu.registry import champion_source, read_champion
from exsitu.settings import Settings, Survey
from exsitu.stages.data_record import verified_digest
from exsitu.stages.score import load_scorer
from exsitu.surveys.gaia import identify, released_as
from exsitu.surveys.missing import Replaced
from exsitu.surveys.reader import read_survey
from exsitu.tables import describe

log = logging.getLogger(__name__)


def release(
    settings: Settings,
    survey: str,
    *,
    path: Path | None = None,
    data_release: str | None = None,
    drop_repeats: bool = False,
    allow_empty: bool = False,
    allow_doubts: bool = False,
    allow_truncated: bool = False,
    table: str | None = None,
    version: str | None = None,
    releases: Path,
    champion_file: Path,
    models: Sequence[Path],
    suites: Path,
    reports: Path,
    progress: bool = True,
) -> Path:
    """
    Publish a release of a survey, or leave the current one alone.

    Parameters
    ----------
    settings : Settings
        Surveys by name, quality cut, tracking.
    survey : str
        Name of the survey; releases are named after it.
    path : Path, optional
        File of the survey, where the settings do not know its name.
    data_release : str, optional
        Data release of that file; guessed otherwise.
    drop_repeats : bool
        Keep the first of rows that share a ``source_id`` instead of refusing them.
    allow_empty : bool
        Publish the scores even if no star is selected.
    allow_doubts : bool
        Publish even if a gate doubts that the survey is what its columns say; the release says so.
    allow_truncated : bool
        Take a file that states that rows are missing; the manifest says so.
    table : str, optional
        Name or number of the table, where that file has several; by default the only one that holds stars.
    version : str, optional
        Version to write; by default the next, unless the newest was made of the same things.
    releases : Path
        Folder of releases.
    champion_file : Path
        File that names the champion.
    models : sequence of Path
        Folders where its weights may lie.
    suites : Path
        Folder of the expectation suites.
    reports : Path
        Folder for the reports of the gates.
    progress : bool
        Whether to show progress.

    Returns
    -------
    Path
        Folder of the release.

    Raises
    ------
    InputError
        If the survey is unknown, is not as when the data were made, cannot be used as it is, or says of itself that it
        is of another data release or no mock.
    ReleaseError
        If the version exists, or nothing is selected.
    GateError
        If the survey's stars cannot be what its columns say, and that is not allowed.
    """
    source, mock = _survey(settings, survey, path, data_release, table)
    champion = read_champion(champion_file)
    if champion_source(champion_file) != champion_file:
        log.info("the champion is %s, promoted in this checkout; %s does not name it (`exsitu promote --commit`)",
                 champion, champion_file)  # fmt: skip
    inputs = ReleaseInputs(
        survey=survey,
        data_release=source.release,
        survey_digest=verified_digest(source.path, settings),
        champion=asdict(champion),
        cut=champion.cut,
        max_fractional_parallax_error=settings.quality.max_fractional_parallax_error,
        synthetic=mock is not None,
        provenance={
            "survey_file": source.path.name,
            "synthetic_by": mock,
            "profile": settings.profile,
            "drop_repeats": drop_repeats,
            **({"allow_truncated": True} if allow_truncated else {}),
            **({"table": table} if table is not None else {}),
        },
    )
    if version is None and (current := current_release(releases, survey, inputs.identity)):
        log.info("%s was made of the same model, stars and cut: left alone", current)
        return current
    wanted = version or next_version(releases, survey)
    if release_folder(releases, wanted).exists():
        raise ReleaseError(
            f"{releases / wanted} exists, and a release never changes; leave out --version for the next one"
        )
    scorer, _ = load_scorer(settings, champion_file, models)
    # A file given by path may spell its columns in any known way, whatever release its ids are of.
    spelled = source.release if path is None else None
    replaced = Replaced(scorer.columns)
    frames = read_survey(
        source.path,
        release=spelled,
        chunk_rows=settings.chunk_rows,
        unique_ids=not drop_repeats,
        table=table,
        allow_truncated=allow_truncated,
        replaced=replaced,
    )
    made = build_release(
        inputs,
        _first_of_each(frames) if drop_repeats else frames,
        scorer,
        releases=releases,
        version=wanted,
        suites=suites,
        reports=reports,
        allow_empty=allow_empty,
        allow_doubts=allow_doubts,
        progress=progress,
    )
    if replaced:
        log.warning("%s: %s", source.path, replaced.sentence())
    return made


def _survey(
    settings: Settings, name: str, path: Path | None, data_release: str | None, table: str | None
) -> tuple[Survey, str | None]:
    """The survey, and what says that its stars are mock stars."""
    if path is None and name not in settings.surveys:
        known = settings.surveys
        raise InputError(
            f"unknown survey {name!r}{nearest(name, known)}; known: {', '.join(known)}; or give --input FILE"
        )
    told = Survey(path=path, release=data_release or "") if path is not None else settings.surveys[name]
    if not told.path.is_file():
        raise InputError(f"no file {told.path}{'; make it with `exsitu data`' if path is None else ''}")
    info = describe(told.path, table=table)
    found = identify(info)
    release_name = released_as(info, found, told.release or None)
    if told.truth is not None and found.observed:
        raise InputError(
            f"{told.path} is of real stars ({found.observed}), and params.yaml names a truth for {name}: leave out "
            f"surveys.{name}.truth, or name the mock survey"
        )
    mock = found.mock or (None if told.truth is None else f"params.yaml (surveys.{name}.truth)")
    return told.model_copy(update={"release": release_name}), mock


def _first_of_each(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Leave out rows whose id came before; 100 bytes a row are held for it."""
    seen: set[int] = set()
    dropped = 0
    for frame in frames:
        ids = frame["source_id"]
        new = ~(ids.duplicated() | ids.isin(seen))
        seen.update(ids[new].tolist())
        dropped += int((~new).sum())
        yield frame[new].reset_index(drop=True)
    log.info("left out %d rows that repeat a source_id", dropped)
