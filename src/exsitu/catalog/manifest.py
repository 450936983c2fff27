"""What a release says of itself: its name, its manifest, and which files belong to it."""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exsitu.errors import ReleaseError
from exsitu.provenance import read_json, sha256_file, sha256_json

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1

_SURVEY = re.compile(r"[a-z][a-z0-9]*")
_VERSION = re.compile(r"([a-z][a-z0-9]*)-([1-9][0-9]*)")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

_REQUIRED: Mapping[str, type] = {
    "schema_version": int,
    "version": str,
    "survey": str,
    "data_release": str,
    "created": str,
    "identity": dict,
    "cut": float,
    "max_fractional_parallax_error": float,
    "counts": dict,
    "flags": dict,
    "columns": list,
    "model": dict,
    "data": dict,
    "code": dict,
    "provenance": dict,
    "files": dict,
    "digest": str,
}


@dataclass(frozen=True, slots=True)
class Version:
    """
    Name of a release, ``<survey>-<number>``.

    Parameters
    ----------
    survey : str
        Lower-case letters and digits, a letter first.
    number : int
        From 1.
    """

    survey: str
    number: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """
        Read a name.

        Parameters
        ----------
        text : str
            Such as ``"gaia-3"``.

        Returns
        -------
        Version

        Raises
        ------
        ReleaseError
            If it is no such name; paths and hidden names are none.
        """
        match = _VERSION.fullmatch(text)
        if match is None:
            raise ReleaseError(f"{text!r} is no version; give <survey>-<number>, such as gaia-3 (a-z, 0-9, one hyphen)")
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        """Name of the folder."""
        return f"{self.survey}-{self.number}"


def release_folder(releases: Path, version: str) -> Path:
    """
    Folder of a release, certainly inside the folder of releases.

    Parameters
    ----------
    releases : Path
        Folder of releases.
    version : str
        Name of the release.

    Returns
    -------
    Path

    Raises
    ------
    ReleaseError
        If the name is none, or a symbolic link lies at that place.
    """
    folder = releases / str(Version.parse(version))
    if folder.is_symlink() or folder.resolve().parent != releases.resolve():
        raise ReleaseError(f"{folder} is a symbolic link; a release is a folder of its own, remove the link")
    return folder


def published(releases: Path, survey: str) -> list[Version]:
    """
    Names of a survey taken in a folder of releases, oldest first.

    Parameters
    ----------
    releases : Path
        Folder of releases; it need not exist.
    survey : str
        Name of the survey.

    Returns
    -------
    list of Version

    Raises
    ------
    ReleaseError
        If no release can bear the survey's name.
    """
    if not _SURVEY.fullmatch(survey):
        raise ReleaseError(f"no release can be named after survey {survey!r}; use a-z and 0-9, a letter first")
    names = [path.name for path in releases.iterdir()] if releases.is_dir() else []
    found = [Version.parse(name) for name in names if _VERSION.fullmatch(name)]
    return sorted((v for v in found if v.survey == survey), key=lambda v: v.number)


def next_version(releases: Path, survey: str) -> str:
    """
    Name the next release of a survey.

    Parameters
    ----------
    releases : Path
        Folder of releases; it need not exist.
    survey : str
        Name of the survey.

    Returns
    -------
    str
        ``<survey>-<N>``, one more than the highest there is.

    Raises
    ------
    ReleaseError
        If no release can bear the survey's name.
    """
    taken = published(releases, survey)
    return str(Version(survey, taken[-1].number + 1 if taken else 1))


def current_release(releases: Path, survey: str, identity: Mapping[str, Any]) -> Path | None:
    """
    Find the newest release that was made of the very same things.

    Parameters
    ----------
    releases : Path
        Folder of releases.
    survey : str
        Name of the survey.
    identity : mapping
        What decides a release's content, as ``ReleaseInputs.identity`` gives it.

    Returns
    -------
    Path or None
        None where a new release would differ from all there are.

    Raises
    ------
    ReleaseError
        If no release can bear the survey's name, or one is a symbolic link.
    """
    for version in reversed(published(releases, survey)):
        folder = release_folder(releases, str(version))
        try:
            if read_manifest(folder)["identity"] == dict(identity):
                return folder
        except ReleaseError:
            # A damaged release is not current; `verify` is what names the damage.
            continue
    return None


def release_files(folder: Path) -> dict[str, dict[str, Any]]:
    """
    Size and digest of every file of a release but the manifest.

    Parameters
    ----------
    folder : Path
        The release.

    Returns
    -------
    dict
        ``{name: {"bytes": int, "sha256": str}}``.

    Raises
    ------
    ReleaseError
        If there is anything but plain files.
    """
    paths = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    for path in paths:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ReleaseError(f"{path} is no plain file; a release holds nothing else, remove it")
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)} for path in paths}


def signed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """
    Add a manifest's digest over all the rest of it.

    Parameters
    ----------
    manifest : mapping
        The manifest, with or without a digest.

    Returns
    -------
    dict
    """
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    return {**rest, "digest": sha256_json(rest)}


def read_manifest(folder: Path) -> dict[str, Any]:
    """
    Read a release's manifest and check it against itself.

    Parameters
    ----------
    folder : Path
        The release.

    Returns
    -------
    dict

    Raises
    ------
    ReleaseError
        If it is missing, a link, not JSON, incomplete, changed after it was written, or names files elsewhere.
    """
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        raise ReleaseError(f"{folder} has no {MANIFEST}; it is no release, or an incomplete one: release again")
    try:
        manifest = read_json(path)
    except (ValueError, OSError) as error:
        raise ReleaseError(f"{path} cannot be read ({error}); fetch the release again") from None
    for key, kind in _REQUIRED.items():
        value = manifest.get(key) if isinstance(manifest, dict) else None
        if not isinstance(value, kind):
            raise ReleaseError(
                f"{path}: {key!r} is {type(value).__name__}, not {kind.__name__}; fetch the release again"
            )
    if manifest["schema_version"] != SCHEMA_VERSION:
        raise ReleaseError(f"{path} has schema {manifest['schema_version']}; this exsitu knows {SCHEMA_VERSION}")
    Version.parse(manifest["version"])
    for name in manifest["files"]:
        if not _FILE.fullmatch(name) or name == MANIFEST:
            raise ReleaseError(
                f"{path} names the file {name!r}; only files of the release's own folder may stand there"
            )
    if signed(manifest)["digest"] != manifest["digest"]:
        raise ReleaseError(
            f"{path} was changed after it was written: its digest does not match; fetch the release again"
        )
    return dict(manifest)


def is_selected(score: ArrayLike, cut: float) -> NDArray[np.bool_]:
    """
    Apply the score cut, in double precision wherever it is applied.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output; NaN where there is none.
    cut : float
        The cut.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
        False for NaN.
    """
    chosen: NDArray[np.bool_] = np.asarray(score, np.float64) > cut
    return chosen
