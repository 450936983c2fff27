"""Make a model champion: compare and set, under a lock, in the registry and then in ``champion.json``."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exsitu.errors import InputError, PromotionError
from exsitu.provenance import code_digest, git_revision, read_json, sha256_file, write_json
from exsitu.registry.champion import CHAMPION_FILE, Champion, champion_of, read_champion
from exsitu.settings import Tracking
from exsitu.tracking import CARD, MODEL_FILES, WEIGHTS, Client, connect, file_lock, find_run

CHAMPION, PREVIOUS = "champion", "previous"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """
    A model that may become champion.

    Parameters
    ----------
    run_id : str
        MLflow run that made it.
    folder : Path
        Folder with ``weights.npz`` and ``model.json``.
    variant : str
        The way it was transferred.
    cut : float
        Score cut its evaluation chose.
    evaluation : mapping
        Metrics, ``passed`` (bool) and ``reasons`` (why not); empty if it was never evaluated.
    """

    run_id: str
    folder: Path
    variant: str
    cut: float
    evaluation: Mapping[str, Any]


def registered_champion(tracking: Tracking) -> Champion | None:
    """
    What the registry says is champion.

    Parameters
    ----------
    tracking : Tracking
        Settings.

    Returns
    -------
    Champion or None
        None where no model carries the alias.

    Raises
    ------
    InputError
        If there is no tracking store, or the version under the alias was not made by `promote`.
    """
    return _aliased_champion(connect(tracking, create=False), tracking.model_name)


def _aliased_champion(client: Client, name: str) -> Champion | None:
    found = _by_alias(client, name, CHAMPION)
    return None if found is None else _champion_of_version(found)


def _by_alias(client: Client, name: str, alias: str) -> Any | None:
    for model in client.search_registered_models(f"name = '{name}'"):
        if alias in model.aliases:
            return client.get_model_version(name, model.aliases[alias])
    return None


def _champion_of_version(version: Any) -> Champion:
    where = f"registry entry {version.name} version {version.version}"
    try:
        held = json.loads(version.tags["champion"])
    except (KeyError, ValueError):
        raise InputError(f"{where} carries no record of its promotion; move the alias with `exsitu promote`") from None
    return champion_of({**held, "version": str(version.version)}, where)


def register(tracking: Tracking, entry: Champion, model_folder: Path) -> str:
    """
    Register a model version, unless the same model with the same cut is registered already.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    entry : Champion
        What to say of the version; its ``version`` is not looked at.
    model_folder : Path
        Folder with the two model files; kept among the run's artefacts if they are not yet.

    Returns
    -------
    str
        The version.

    Raises
    ------
    PromotionError
        If the weights in the folder are not the entry's.
    """
    _require_weights(model_folder, entry.weights_sha256)
    return _register(connect(tracking, create=True), entry, model_folder)


def _require_weights(folder: Path, sha256: str) -> None:
    found = sha256_file(folder / WEIGHTS)
    if found != sha256:
        raise PromotionError(f"{folder / WEIGHTS} has SHA-256 {found}, expected {sha256}; the file was changed")


def _register(client: Client, entry: Champion, folder: Path) -> str:
    if not client.search_registered_models(f"name = '{entry.name}'"):
        client.create_registered_model(entry.name, description="exsitu: scores stars as accreted (1) or in situ (0)")
    for found in client.search_model_versions(f"name = '{entry.name}' and run_id = '{entry.run_id}'"):
        if "champion" in found.tags and _champion_of_version(found).identity == entry.identity:
            return str(found.version)
    if not {f.path for f in client.list_artifacts(entry.run_id, MODEL_FILES)} >= _artefacts():
        for name in (WEIGHTS, CARD):
            client.log_artifact(entry.run_id, str(folder / name), MODEL_FILES)
    source = f"{client.get_run(entry.run_id).info.artifact_uri}/{MODEL_FILES}"
    tags = {
        "weights_sha256": entry.weights_sha256,
        "model_digest": entry.model_digest,
        "data_digest": entry.data_digest,
        "cut": repr(entry.cut),
        "variant": entry.variant,
        "champion": json.dumps(asdict(entry), allow_nan=False),
    }
    made = client.create_model_version(entry.name, source, run_id=entry.run_id, tags=tags)
    return str(made.version)


def _artefacts() -> set[str]:
    return {f"{MODEL_FILES}/{name}" for name in (WEIGHTS, CARD)}


def promote(
    tracking: Tracking,
    candidate: Candidate,
    *,
    champion_file: Path = CHAMPION_FILE,
    expected: Champion | None,
) -> Champion:
    """
    Make a model champion, if it passed evaluation and nobody else promoted one meanwhile.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    candidate : Candidate
        The model.
    champion_file : Path
        File to write.
    expected : Champion or None
        Champion read when the decision was made; None where there was none.

    Returns
    -------
    Champion
        The champion now; equal to `expected` if the candidate was champion already.

    Raises
    ------
    InputError
        If the run or the model files are missing.
    PromotionError
        If the candidate was not evaluated or did not pass, its weights are not its card's, or another model became
        champion since `expected` was read.

    Notes
    -----
    A crash between the registry and the file leaves the alias ahead of the file; promoting the same candidate again
    writes the file. Nothing else can follow until then, so no promotion is lost.
    """
    _require_passed(candidate)
    entry = _entry(tracking, candidate)
    client = connect(tracking, create=True)
    with file_lock(tracking.artifacts.parent / ".promote.lock"):
        held = read_champion(champion_file) if champion_file.is_file() else None
        alias = _aliased_champion(client, tracking.model_name)
        if held is not None and _settled(held, alias, entry):
            return held
        _require_expected(held, alias, expected, entry, champion_file)
        known = held is not None and held.identity == entry.identity
        if held is not None and known:  # a fresh clone: the file is right, and stays what it was but for the version
            entry = _replaced(entry, promoted=held.promoted, evaluation=held.evaluation)
        crowned = _promote(client, entry, candidate.folder, champion_file, alias)
    if known:
        log.warning("%s was champion in %s but not in the registry: both say version %s now", crowned.variant,
                    champion_file, crowned.version)  # fmt: skip
    return crowned


def _settled(held: Champion, alias: Champion | None, entry: Champion) -> bool:
    """Whether file and registry already agree that the candidate is champion."""
    return alias is not None and held.identity == alias.identity == entry.identity and held.version == alias.version


def _replaced(entry: Champion, **changes: Any) -> Champion:
    return Champion(**{**asdict(entry), **changes})


def _require_passed(candidate: Candidate) -> None:
    if not candidate.evaluation or "passed" not in candidate.evaluation:
        raise PromotionError(f"run {candidate.run_id} ({candidate.variant}) was not evaluated; run `exsitu evaluate`")
    if candidate.evaluation["passed"] is not True:
        reasons = "; ".join(candidate.evaluation.get("reasons", ())) or "no reason was recorded"
        raise PromotionError(
            f"run {candidate.run_id} ({candidate.variant}) did not pass evaluation: {reasons}. Train longer or on more "
            "stars, or change evaluation.acceptance in params.yaml and evaluate again"
        )


def _entry(tracking: Tracking, candidate: Candidate) -> Champion:
    """What the registry and the file will say of a candidate; the version is filled in later."""
    for name in (WEIGHTS, CARD):
        if not (candidate.folder / name).is_file():
            raise InputError(f"no {candidate.folder / name}; give the folder that `exsitu adapt` wrote")
    card = read_json(candidate.folder / CARD)
    _require_weights(candidate.folder, card["weights_sha256"])
    run = find_run(tracking, candidate.run_id)
    if "data_digest" not in run.tags:
        raise PromotionError(f"run {candidate.run_id} names no data it was trained on; train again with `exsitu adapt`")
    held = {
        "name": tracking.model_name,
        "version": "1",
        "run_id": candidate.run_id,
        "variant": candidate.variant,
        "cut": float(candidate.cut),
        "weights_sha256": card["weights_sha256"],
        "model_digest": card["digest"],
        "data_digest": run.tags["data_digest"],
        "promoted": {"git_revision": git_revision(), "code_digest": code_digest()},
        "evaluation": dict(candidate.evaluation),
    }
    return champion_of(held, f"candidate of run {candidate.run_id}")


def _require_expected(
    held: Champion | None, alias: Champion | None, expected: Champion | None, entry: Champion, file: Path
) -> None:
    """Compare before set: the file must say what the caller read, and the registry must not say another."""
    if held != expected:
        now = f"{held} is champion now" if held else "there is no champion now"
        was = f"{expected}" if expected else "none"
        raise PromotionError(f"{now}; when this promotion began it was {was}: compare again, then promote again")
    agreed = alias is None or (held is not None and alias.identity == held.identity)
    if not agreed and alias is not None and alias.identity != entry.identity:
        raise PromotionError(
            f"the registry says {alias} is champion now, {file} says {held or 'nothing'}: a promotion was cut off, or "
            f"the file is of another branch. Finish it with `exsitu promote --run {alias.run_id}`, or take the alias "
            f"{CHAMPION!r} off in MLflow if the file is right"
        )


def _promote(client: Client, entry: Champion, folder: Path, file: Path, alias: Champion | None) -> Champion:
    """Registry first, file last; if the file cannot be written, the alias goes back to where it was."""
    version = _register(client, entry, folder)
    crowned = _replaced(entry, version=version)
    client.set_model_version_tag(entry.name, version, "promoted_over", alias.version if alias else "none")
    client.set_model_version_tag(entry.name, version, "promoted_at_revision", entry.promoted["git_revision"])
    client.set_model_version_tag(entry.name, version, "champion", json.dumps(asdict(crowned), allow_nan=False))
    client.set_registered_model_alias(entry.name, CHAMPION, version)
    try:
        write_json(file, asdict(crowned))
    except BaseException:
        if alias is None:
            client.delete_registered_model_alias(entry.name, CHAMPION)
        else:
            client.set_registered_model_alias(entry.name, CHAMPION, alias.version)
        raise
    if alias is not None and alias.version != version:
        client.set_registered_model_alias(entry.name, PREVIOUS, alias.version)
    return crowned
