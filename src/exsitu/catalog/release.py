"""Make a release: score a survey, keep what the network calls accreted, and publish it whole, once, for good."""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from exsitu import __version__, gates
from exsitu.catalog.all_stars import AllStars
from exsitu.catalog.formats import write_catalog
from exsitu.catalog.header import Header
from exsitu.catalog.manifest import (
    MANIFEST,
    SCHEMA_VERSION,
    Version,
    current_release,
    is_selected,
    next_version,
    release_files,
    release_folder,
    signed,
)
from exsitu.catalog.page import readme
from exsitu.catalog.remakings import remakings_sentences
from exsitu.catalog.scores import Scores
from exsitu.catalog.verify import SCORES, verify_contents
from exsitu.columns import PROVISIONAL, column
from exsitu.errors import InputError, ReleaseError
from exsitu.provenance import code_digest, git_revision, publish_folder, write_json
from exsitu.tables import read_parquet, write_parquet

__all__ = ["ReleaseInputs", "build_release", "current_release", "next_version"]

CHECKSUMS = "SHA256SUMS"
_LOCK = ".lock"
_STAGED = re.compile(r"\.[a-z][a-z0-9]*-[1-9][0-9]*-.+")
"""Folders that `publish_folder` fills; a killed process leaves one behind."""

_DRAWN = 1_000_000
"""Scores drawn in the figure; more would not be seen."""

_CATALOG = (
    "source_id",
    "ra",
    "dec",
    "l",
    "b",
    "parallax",
    "parallax_error",
    "pmra",
    "pmra_error",
    "pmdec",
    "pmdec_error",
    "radial_velocity",
    "radial_velocity_error",
    "phot_g_mean_mag",
    "phot_bp_mean_mag",
    "phot_rp_mean_mag",
)


@dataclass(frozen=True, slots=True)
class ReleaseInputs:
    """
    All that decides what is in a release.

    Parameters
    ----------
    survey : str
        Name of the survey; releases are named after it.
    data_release : str
        Key of ``exsitu.columns.RELEASES``.
    survey_digest : str
        Digest of the survey's file.
    champion : mapping
        Content of ``champion.json``.
    cut : float
        Stars with a score above it are selected.
    max_fractional_parallax_error : float
        The quality cut the scorer applies.
    synthetic : bool
        Whether the stars are mock stars, never observed.
    provenance : mapping
        Anything else worth keeping, such as the path of the survey and the settings.
    """

    survey: str
    data_release: str
    survey_digest: str
    champion: Mapping[str, Any]
    cut: float
    max_fractional_parallax_error: float
    synthetic: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, Any]:
        """Equal for two releases that would hold the same stars."""
        return {
            "survey_digest": self.survey_digest,
            "data_release": self.data_release,
            "synthetic": self.synthetic,
            "weights_sha256": self.champion["weights_sha256"],
            "model_digest": self.champion["model_digest"],
            "cut": float(self.cut),
            "max_fractional_parallax_error": float(self.max_fractional_parallax_error),
            "exsitu": __version__,
        }


def build_release(
    inputs: ReleaseInputs,
    frames: Iterable[pd.DataFrame],
    scorer: Scores,
    *,
    releases: Path,
    version: str,
    suites: Path,
    reports: Path,
    allow_empty: bool = False,
    allow_doubts: bool = False,
    progress: bool = True,
) -> Path:
    """
    Score a survey and publish what is selected as a release.

    Parameters
    ----------
    inputs : ReleaseInputs
        What decides the content.
    frames : iterable of DataFrame
        The survey in chunks, as ``exsitu.surveys.reader.read_survey`` gives it.
    scorer : Scores
        The champion, ready to score.
    releases : Path
        Folder of releases.
    version : str
        Name of the release, such as `next_version` gives it.
    suites : Path
        Folder of the expectation suites.
    reports : Path
        Folder for the gates' reports, which are kept if a gate refuses the survey or the catalog.
    allow_empty : bool
        Publish the scores even if no star is selected; otherwise that is an error.
    allow_doubts : bool
        Publish even if the survey cannot be what its columns say, or fails its suite; the release says so.
    progress : bool
        Whether to show progress.

    Returns
    -------
    Path
        The release, verified and read-only. It appears by one rename; before, there is nothing under its name.

    Raises
    ------
    ReleaseError
        If the version exists or is not of this survey, another release is being written, the scorer is not the
        champion, nothing is selected and that is not allowed, or the release does not verify.
    GateError
        If the catalog fails its suite, or all stars of the survey fail theirs or raise doubts that are not allowed.
    """
    target = release_folder(releases, version)
    if Version.parse(version).survey != inputs.survey:
        raise ReleaseError(f"{version} is no version of survey {inputs.survey!r}; {inputs.survey}-<number> is")
    loaded = {"weights_sha256": scorer.card.weights_sha256, "model_digest": scorer.card.digest}
    for name, digest in loaded.items():
        if digest != inputs.champion[name]:
            raise ReleaseError(
                f"the network loaded has {name} {digest[:12]}…, the champion {inputs.champion[name][:12]}…; "
                f"promote the one or load the other"
            )
    with _alone(releases):
        if target.exists():
            raise ReleaseError(
                f"{target} exists already; a release is never replaced: use {next_version(releases, inputs.survey)}"
            )
        with publish_folder(target, replace=False) as staged:
            _fill(
                staged,
                inputs,
                frames,
                scorer,
                version=version,
                suites=suites,
                reports=reports,
                allow_empty=allow_empty,
                allow_doubts=allow_doubts,
                progress=progress,
            )
        target.chmod(0o555)
    return target


@contextlib.contextmanager
def _alone(releases: Path) -> Iterator[None]:
    """Hold the lock on a folder of releases (the system drops it when a process dies) and clear what a kill left."""
    releases.mkdir(parents=True, exist_ok=True)
    with (releases / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ReleaseError(f"another release is being written to {releases}; run again when it is done") from None
        for left in releases.iterdir():
            if _STAGED.fullmatch(left.name) and left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
        yield


def _fill(
    staged: Path,
    inputs: ReleaseInputs,
    frames: Iterable[pd.DataFrame],
    scorer: Scores,
    *,
    version: str,
    suites: Path,
    reports: Path,
    allow_empty: bool,
    allow_doubts: bool,
    progress: bool,
) -> None:
    tally = _Tally(inputs.cut)
    watch = gates.SurveyGate(tuple(scorer.card.inputs), inputs.max_fractional_parallax_error, scorer.card.learnt_on)
    gate = AllStars(watch, suites, reports / f"survey-{version}.json")
    _write_scores(staged / SCORES, tally.scored(gate.watched(_shown(frames, progress=progress)), scorer, gate), tally)
    doubts = gate.doubts(version, allowed=allow_doubts)
    catalog = tally.catalog(version, allow_empty=allow_empty)
    if len(catalog):
        gates.check(catalog, "catalog", report=reports / f"catalog-{version}.json", suites=suites)
    manifest = _manifest(inputs, version, tally, [str(name) for name in catalog]) | {"doubts": doubts}
    write_catalog(staged, catalog, _header(inputs, version))
    _draw(staged, catalog, inputs)
    (staged / "README.md").write_text(readme(manifest), encoding="utf-8")
    sums = "".join(f"{entry['sha256']}  {name}\n" for name, entry in release_files(staged).items())
    (staged / CHECKSUMS).write_text(sums, encoding="utf-8")
    write_json(staged / MANIFEST, signed({**manifest, "files": release_files(staged)}))
    failed = [check for check in verify_contents(staged, suites=suites) if not check.passed]
    if failed:
        raise ReleaseError(
            f"{version} does not verify and was not published: "
            + "; ".join(f"{check.name}: {check.detail}" for check in failed)
        )
    for path in staged.iterdir():
        path.chmod(0o444)


def _shown(frames: Iterable[pd.DataFrame], *, progress: bool) -> Iterator[pd.DataFrame]:
    from tqdm import tqdm

    with tqdm(desc="scoring", unit=" stars", unit_scale=True, disable=not progress) as bar:
        for frame in frames:
            yield frame
            bar.update(len(frame))


class _Tally:
    """Counts of a survey that is scored in chunks, and the stars selected so far."""

    def __init__(self, cut: float) -> None:
        from exsitu.model.scoring import Flag

        self._cut = cut
        self._selected: list[pd.DataFrame] = []
        self.flags = {flag.name.lower(): int(flag) for flag in Flag if flag.name}
        self.read = self.passing = self.n_scored = 0
        self.flagged: dict[str, int] = {}

    def scored(self, frames: Iterable[pd.DataFrame], scorer: Scores, gate: AllStars) -> Iterator[pd.DataFrame]:
        """Ids, scores and flags of the stars that pass the parallax cut, chunk by chunk."""
        for frame in frames:
            outcome = scorer.score(frame)
            score, flags = outcome["score"].to_numpy(np.float32), outcome["flags"].to_numpy(np.int32)
            gate.add(frame, score, flags)
            passing = np.isfinite(frame["parallax"].to_numpy(np.float64)) & ((flags & self.flags["parallax_cut"]) == 0)
            chosen = passing & is_selected(score, self._cut)
            self.read += len(frame)
            self.passing += int(passing.sum())
            self.n_scored += int(np.isfinite(score[passing]).sum())
            self.flagged = gate.flagged
            kept = [name for name in _CATALOG if name in frame]
            self._selected.append(frame.loc[chosen, kept].assign(score=score[chosen], flags=flags[chosen]))
            ids = frame["source_id"].to_numpy()
            yield pd.DataFrame({"source_id": ids[passing], "score": score[passing], "flags": flags[passing]})

    @property
    def counts(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "passing_parallax_cut": self.passing,
            "scored": self.n_scored,
            "selected": sum(map(len, self._selected)),
            "flagged": self.flagged,
        }

    def catalog(self, version: str, *, allow_empty: bool) -> pd.DataFrame:
        """All selected stars, in the survey's order and the registry's types."""
        if not allow_empty and not any(map(len, self._selected)):
            raise ReleaseError(
                f"{version} would be empty: of {self.read} stars read {self.passing} pass the parallax cut, "
                f"{self.n_scored} are scored and none has a score above {self._cut}; release a survey with more stars, "
                f"or, if that is the result, publish the scores alone with --allow-empty (allow_empty=True)"
            )
        catalog = pd.concat(self._selected, ignore_index=True)
        return catalog.astype({name: column(str(name)).dtype for name in catalog if name != "source_id"})


def _write_scores(path: Path, scored: Iterator[pd.DataFrame], tally: _Tally) -> None:
    try:
        write_parquet(path, scored, complete=True)
    except InputError as error:
        if tally.read and not tally.passing:
            raise ReleaseError(
                f"none of {tally.read} stars passes the parallax cut; check the units of the survey with `exsitu score`"
            ) from error
        raise


def _header(inputs: ReleaseInputs, version: str) -> Header:
    champion = inputs.champion
    return Header(
        version=version,
        survey=inputs.survey,
        data_release=inputs.data_release,
        model=f"{champion['name']} version {champion['version']} ({champion['variant']})",
        weights_sha256=champion["weights_sha256"],
        cut=inputs.cut,
        software=f"exsitu {__version__}",
        synthetic=inputs.synthetic,
    )


def _manifest(inputs: ReleaseInputs, version: str, tally: _Tally, columns: list[str]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "version": version,
        "title": _header(inputs, version).description,
        "survey": inputs.survey,
        "data_release": inputs.data_release,
        "created": _now(),
        "identity": inputs.identity,
        "cut": float(inputs.cut),
        "max_fractional_parallax_error": float(inputs.max_fractional_parallax_error),
        "counts": tally.counts,
        "flags": tally.flags,
        "columns": columns,
        "model": dict(inputs.champion),
        "data": {"survey_digest": inputs.survey_digest, "training_data_digest": inputs.champion.get("data_digest")},
        "code": {"exsitu": __version__, "code_digest": code_digest(), "git_revision": git_revision()},
        "provenance": {
            "synthetic": inputs.synthetic,
            "provisional": inputs.data_release in PROVISIONAL,
            **inputs.provenance,
        },
        "remakings": remakings_sentences(),
    }


def _now() -> str:
    """Time of creation; SOURCE_DATE_EPOCH sets it for builds that must repeat bit by bit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(given), UTC) if given else datetime.now(UTC)
    return moment.isoformat(timespec="seconds")


def _draw(staged: Path, catalog: pd.DataFrame, inputs: ReleaseInputs) -> None:
    from exsitu.evaluation.figures import save_figure, score_figure
    from exsitu.evaluation.maps import sky_figure

    scores = read_parquet(staged / SCORES, columns=["score"])["score"].dropna().to_numpy()
    save_figure(score_figure(scores[:: 1 + len(scores) // _DRAWN], inputs.cut), staged / "score.png")
    if len(catalog):
        save_figure(sky_figure(catalog["l"].to_numpy(), catalog["b"].to_numpy()), staged / "sky.png")
