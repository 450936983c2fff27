"""Verify a release, by anyone and at any time; audit one where the truth is known."""

import functools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from exsitu import gates
from exsitu.catalog.formats import NAMES, read_catalog, same_rows
from exsitu.catalog.manifest import is_selected, read_manifest, release_files
from exsitu.errors import ExsituError, InputError, ReleaseError
from exsitu.tables import read_parquet

SCORES = "scores.parquet"


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing that was looked at.

    Parameters
    ----------
    name : str
        What.
    passed : bool
        Whether it is as it should be.
    detail : str
        What was found.
    """

    name: str
    passed: bool
    detail: str


class _Unlike(Exception):  # noqa: N818 - it says what differs, and never leaves this module
    """Something in a release is not as it should be."""


def verify_release(path: Path, *, suites: Path) -> list[Check]:
    """
    Re-check everything in a release.

    Parameters
    ----------
    path : Path
        The release.
    suites : Path
        Folder of the expectation suites.

    Returns
    -------
    list of Check
        The name and manifest; each file's digest; and, if the files are as they were written, what is in them.
    """
    return [_check("name", lambda: _name(path)), *verify_contents(path, suites=suites)]


def verify_contents(path: Path, *, suites: Path) -> list[Check]:
    """
    Re-check everything in a release but its name, which a release that is being written does not bear yet.

    Parameters
    ----------
    path : Path
        The folder.
    suites : Path
        Folder of the expectation suites.

    Returns
    -------
    list of Check
    """
    try:
        manifest = read_manifest(path)
    except ReleaseError as error:
        return [Check("manifest", passed=False, detail=str(error))]
    counts = manifest["counts"]
    checks = [
        Check(
            "manifest", passed=True, detail=f"{len(manifest['files'])} files, {counts.get('selected')} stars selected"
        ),
        *_file_checks(path, manifest),
    ]
    if not all(check.passed for check in checks):
        return [*checks, Check("contents", passed=False, detail="not looked at: files are not as the manifest says")]
    contents = _Contents(path, manifest, suites)
    return [*checks, *(_check(name, look) for name, look in contents.looks())]


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, passed=True, detail=look())
    except (_Unlike, ExsituError, OSError, ValueError, KeyError, TypeError) as error:
        return Check(name, passed=False, detail=str(error) or repr(error))


def _name(path: Path) -> str:
    if path.is_symlink():
        raise _Unlike(f"{path} is a symbolic link; a release is a folder of its own")
    version = read_manifest(path)["version"]
    if version != path.resolve().name:
        raise _Unlike(f"the folder is {path.resolve().name}, the manifest is of {version}")
    return f"folder and manifest say {version}"


def _file_checks(path: Path, manifest: Mapping[str, Any]) -> Iterator[Check]:
    """Every file by name: as written, missing, or not of the release."""
    expected = manifest["files"]
    try:
        found = release_files(path)
    except (ReleaseError, OSError) as error:
        yield Check("files", passed=False, detail=str(error))
        return
    for name in sorted({*expected, *found}):
        if name not in found:
            yield Check(f"file {name}", passed=False, detail="missing")
        elif name not in expected:
            yield Check(f"file {name}", passed=False, detail="not of this release: the manifest does not name it")
        elif found[name] != expected[name]:
            detail = (
                f"changed: {found[name]['bytes']} bytes, sha256 {found[name]['sha256'][:12]}…, not {expected[name]}"
            )
            yield Check(f"file {name}", passed=False, detail=detail)
        else:
            yield Check(f"file {name}", passed=True, detail=f"{found[name]['bytes']} bytes as written")


class _Contents:
    """What is in the files of a release whose digests are right."""

    def __init__(self, path: Path, manifest: Mapping[str, Any], suites: Path) -> None:
        self._path, self._manifest, self._suites = path, manifest, suites

    def looks(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "formats", self._formats
        yield "columns", self._columns
        yield "counts", self._counts
        yield "score cut", self._cut
        yield "scores", self._scores
        yield "unique ids", self._unique
        yield "gate catalog", self._gate

    @functools.cached_property
    def _catalog(self) -> pd.DataFrame:
        return read_catalog(self._path / NAMES[0])

    def _formats(self) -> str:
        first = self._catalog
        for name in NAMES[1:]:
            if not same_rows(first, read_catalog(self._path / name)):
                raise _Unlike(f"{name} does not hold the rows of {NAMES[0]}")
        return f"{', '.join(NAMES)} agree in {len(first)} rows of {len(first.columns)} columns"

    def _columns(self) -> str:
        names = [str(name) for name in self._catalog]
        if names != self._manifest["columns"]:
            raise _Unlike(f"the catalog has {names}, the manifest says {self._manifest['columns']}")
        return ", ".join(names)

    def _counts(self) -> str:
        counts, scores = self._manifest["counts"], read_parquet(self._path / SCORES)
        flags = scores["flags"].to_numpy()
        found = {
            "selected": len(self._catalog),
            "passing_parallax_cut": len(scores),
            "scored": int(scores["score"].notna().sum()),
        }
        wrong = {name: number for name, number in found.items() if number != counts[name]}
        if wrong:
            raise _Unlike(f"found {wrong}, the manifest says { ({name: counts[name] for name in wrong}) }")
        if not counts["selected"] <= counts["scored"] <= counts["passing_parallax_cut"] <= counts["read"]:
            raise _Unlike(f"stars read, passing, scored and selected do not fall: {counts}")
        for name, bit in self._manifest["flags"].items():
            # Flags of stars outside the parallax cut are counted by the manifest alone.
            if (shown := int(((flags & bit) != 0).sum())) > counts["flagged"][name]:
                raise _Unlike(f"{shown} stars are flagged {name}, the manifest says {counts['flagged'][name]}")
        return ", ".join(f"{number} {name}" for name, number in found.items())

    def _cut(self) -> str:
        cut, score = self._manifest["cut"], self._catalog["score"].to_numpy()
        below = int((~is_selected(score, cut)).sum())
        if below:
            raise _Unlike(f"{below} of {len(score)} stars of the catalog do not have a score above {cut}")
        least = f", the least is {score.min():.6f}" if len(score) else ": there are none"
        return f"all scores lie above {cut}{least}"

    def _scores(self) -> str:
        catalog, scores = self._catalog, read_parquet(self._path / SCORES)
        chosen = scores[is_selected(scores["score"], self._manifest["cut"])].reset_index(drop=True)
        if not same_rows(catalog[["source_id", "score", "flags"]], chosen[["source_id", "score", "flags"]]):
            raise _Unlike(f"{SCORES} selects {len(chosen)} stars that are not those of the catalog ({len(catalog)})")
        return f"{SCORES} selects the {len(catalog)} stars of the catalog, in this order"

    def _unique(self) -> str:
        ids = read_parquet(self._path / SCORES, columns=["source_id"])["source_id"].to_numpy()
        # Sorting is ten times as fast as np.unique, which hashes.
        repeated = int((np.diff(np.sort(ids)) == 0).sum())
        if repeated or ids.dtype != np.int64:
            raise _Unlike(f"{repeated} of {len(ids)} ids ({ids.dtype}) are repeated in {SCORES}")
        return f"{len(ids)} ids, each once"

    def _gate(self) -> str:
        if self._catalog.empty:
            return "no star is selected: nothing to check"
        with tempfile.TemporaryDirectory() as folder:
            gates.check(self._catalog, "catalog", report=Path(folder) / "catalog.json", suites=self._suites)
        return "passed"


def audit_release(path: Path, truth: Path) -> dict[str, Any]:
    """
    Compare a release with the truth, where it is known.

    Parameters
    ----------
    path : Path
        The release.
    truth : Path
        Parquet file with ``source_id`` and ``accreted``.

    Returns
    -------
    dict
        Counts, purity and efficiencies (paper, eqs. 1 and 2) at the release's cut, among all scored stars.

    Raises
    ------
    ReleaseError
        If the release has no readable manifest.
    InputError
        If a scored star is not in the truth, or the truth names a star twice or knows one kind of star only.
    """
    from exsitu.evaluation.metrics import auc, counts

    manifest = read_manifest(path)
    scores = read_parquet(path / SCORES, columns=["source_id", "score"]).dropna(subset="score")
    accreted = _truth_of(scores["source_id"].to_numpy(), truth)
    found = counts(scores["score"], accreted, manifest["cut"])
    return {
        "cut": manifest["cut"],
        "stars": found.n_stars,
        "accreted": found.n_accreted,
        "selected": found.selected,
        "selected_accreted": found.selected_accreted,
        "purity": found.purity,
        "efficiency_accreted": found.efficiency_accreted,
        "efficiency_in_situ": found.efficiency_in_situ,
        "auc": auc(scores["score"], accreted),
    }


def _truth_of(ids: "np.ndarray[Any, np.dtype[np.int64]]", path: Path) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Truth of stars by id, joined as integers."""
    table = read_parquet(path, columns=["source_id", "accreted"]).sort_values("source_id", ignore_index=True)
    known = table["source_id"].to_numpy()
    if known.dtype != np.int64 or (np.diff(known) == 0).any():
        raise InputError(f"{path}: source_id is {known.dtype} or names a star twice; give each star once, as int64")
    places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    strangers = int((known[places] != ids).sum())
    if strangers:
        raise InputError(f"{path} does not know {strangers} of {len(ids)} scored stars; is it of another survey?")
    return table["accreted"].to_numpy(np.bool_)[places]
