"""What the champion is, and where its weights are found."""

import logging
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from exsitu.errors import InputError, ReleaseError
from exsitu.provenance import read_json, sha256_file
from exsitu.settings import Tracking
from exsitu.tracking import CARD, MODEL_FILES, WEIGHTS, connect, download, find_run

CHAMPION_FILE = Path("champion.json")
LOCAL = ".exsitu"
"""Folder, beside ``champion.json`` and never in git, of what was promoted in this checkout and is not committed yet."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PATTERNS = {
    "name": re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}"),
    "version": re.compile(r"[1-9][0-9]*"),
    "run_id": re.compile(r"[0-9a-f]{32}"),
    "variant": re.compile(r"[a-z][a-z0-9_]{0,63}"),
    "weights_sha256": _DIGEST,
    "model_digest": _DIGEST,
    "data_digest": _DIGEST,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Champion:
    """
    The model that releases are made with; the content of ``champion.json``.

    Parameters
    ----------
    name : str
        Registered model.
    version : str
        Its version in the registry.
    run_id : str
        MLflow run that made it.
    variant : str
        The way it was transferred.
    cut : float
        Score cut of the catalog.
    weights_sha256 : str
        SHA-256 of ``weights.npz``.
    model_digest : str
        Digest of the model card.
    data_digest : str
        Digest of the data it was trained on.
    promoted : mapping
        ``git_revision`` and ``code_digest`` of the promotion.
    evaluation : mapping
        What evaluation said of it.
    """

    name: str
    version: str
    run_id: str
    variant: str
    cut: float
    weights_sha256: str
    model_digest: str
    data_digest: str
    promoted: Mapping[str, str] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str, float]:
        """What makes two champions the same model: card, weights, cut."""
        return self.model_digest, self.weights_sha256, self.cut

    def __str__(self) -> str:
        """In an error message."""
        return (
            f"{self.name} version {self.version} ({self.variant}, cut {self.cut:g}, "
            f"weights {self.weights_sha256[:12]}…, run {self.run_id})"
        )


def read_named(path: Path) -> Champion:
    """
    Read and check one champion file, whatever another says.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Champion

    Raises
    ------
    InputError
        If it is missing, not JSON, or a part is missing, unknown or not of its form.
    """
    try:
        held = read_json(path)
    except FileNotFoundError:
        raise InputError(f"no {path}: no model was promoted yet; run `exsitu promote` first") from None
    except ValueError as error:
        remedy = f"remove {path}" if path.parent.name == LOCAL else f"restore it with `git checkout -- {path}`"
        raise InputError(f"{error}; {remedy}") from None
    return champion_of(held, str(path))


def champion_of(held: Any, where: str) -> Champion:
    """
    Make a champion of what JSON held, if every part is there and of its form.

    Parameters
    ----------
    held : object
        Content of ``champion.json`` or of a registry entry.
    where : str
        Where it was read, for the message.

    Returns
    -------
    Champion

    Raises
    ------
    InputError
        If a part is missing, unknown or not of its form.
    """
    known = {f.name for f in fields(Champion)}
    if not isinstance(held, dict) or set(held) != known:
        found = sorted(held) if isinstance(held, dict) else type(held).__name__
        raise InputError(f"{where} holds {found}; a champion has exactly {sorted(known)}")
    for name, pattern in _PATTERNS.items():
        if not isinstance(held[name], str) or not pattern.fullmatch(held[name]):
            raise InputError(f"{where}: {name} = {held[name]!r} does not match {pattern.pattern}")
    cut = held["cut"]
    if isinstance(cut, bool) or not isinstance(cut, int | float) or not 0.0 <= cut < 1.0:
        raise InputError(f"{where}: cut = {cut!r} is not a number in [0, 1)")
    for name in ("promoted", "evaluation"):
        if not isinstance(held[name], dict):
            raise InputError(f"{where}: {name} = {held[name]!r} is not a mapping")
    return Champion(**held)


def find_weights(champion: Champion, folders: Sequence[Path], tracking: Tracking) -> Path:
    """
    Find the champion's model, by digest and nothing else.

    Parameters
    ----------
    champion : Champion
        What ``champion.json`` says.
    folders : sequence of Path
        Folders that may hold ``weights.npz`` and ``model.json``, tried first.
    tracking : Tracking
        Settings; the artefacts of the champion's run are tried last.

    Returns
    -------
    Path
        A folder whose two files have the champion's digests; a new temporary one if it came from MLflow.

    Raises
    ------
    ReleaseError
        If none has; the message says how to get it.
    """
    for folder in folders:
        if _holds(folder, champion):
            return folder
    fetched = _fetch(champion, tracking)
    if fetched is not None:
        return fetched
    tried = ", ".join(str(f) for f in folders) or "no folder"
    raise ReleaseError(
        f"no copy of {champion} in {tried} nor among the artefacts of its run; fetch it with `dvc pull`, or train "
        "again with `make catalog`"
    )


def _holds(folder: Path, champion: Champion) -> bool:
    weights, card = folder / WEIGHTS, folder / CARD
    if not weights.is_file() or not card.is_file() or sha256_file(weights) != champion.weights_sha256:
        return False
    try:
        return bool(read_json(card).get("digest") == champion.model_digest)
    except (ValueError, AttributeError):
        return False


def _fetch(champion: Champion, tracking: Tracking) -> Path | None:
    """The model from MLflow's artefacts, as plain files: nothing of it is run."""
    for run_id in dict.fromkeys((champion.run_id, *_runs_with(champion, tracking))):
        try:
            folder = download(tracking, find_run(tracking, run_id).run_id, MODEL_FILES)
        except InputError as error:
            log.info("artefacts of run %s cannot be read: %s", run_id, error)
            continue
        if _holds(folder, champion):
            return folder
        shutil.rmtree(folder.parent, ignore_errors=True)
    return None


def _runs_with(champion: Champion, tracking: Tracking) -> list[str]:
    """Runs of this store whose registered models have the same weights: those of a champion that came by git."""
    try:
        client = connect(tracking, create=False)
    except InputError:
        return []
    wanted = f"name = '{champion.name}' and tags.weights_sha256 = '{champion.weights_sha256}'"
    return [str(version.run_id) for version in client.search_model_versions(wanted)]
