"""Make a model champion: compare and set, under a lock, in the registry, in ``champion.json`` and in the log."""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exsitu.errors import InputError, PromotionError
from exsitu.provenance import code_digest, git_revision, read_record, write_json
from exsitu.registry import audit
from exsitu.registry.champion import (
    CHAMPION_FILE,
    Champion,
    champion_of,
    find_weights,
)
from exsitu.registry.place import OVER, Place
from exsitu.registry.policy import Verdict
from exsitu.registry.versions import (
    CANDIDATE,
    CHAMPION,
    PREVIOUS,
    aliased_champion,
    past_champion,
    registered_version,
    require_weights,
)
from exsitu.settings import Tracking
from exsitu.tracking import CARD, WEIGHTS, Client, connect, file_lock, find_run

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


def identity(tracking: Tracking, candidate: Candidate) -> tuple[str, str, float]:
    """
    What makes a candidate the same model as a champion.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    candidate : Candidate
        The model.

    Returns
    -------
    tuple of (str, str, float)
        As ``Champion.identity``.

    Raises
    ------
    InputError
        If the run or the model files are missing.
    PromotionError
        If the weights are not the card's, or the run names no data.
    """
    return _entry(tracking, candidate).identity


def nominate(tracking: Tracking, candidate: Candidate, verdict: Verdict) -> str:
    """
    Register a model that was judged under the alias ``candidate``, whatever came of it.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    candidate : Candidate
        The model.
    verdict : Verdict
        What came of judging it; kept as tags.

    Returns
    -------
    str
        Its version.

    Raises
    ------
    InputError
        If the run or the model files are missing.
    PromotionError
        If the weights are not the card's, or the run names no data.
    """
    entry = _entry(tracking, candidate)
    client = connect(tracking, create=True)
    with promotion_lock(tracking):
        version = registered_version(client, entry, candidate.folder)
        _nominate(client, entry.name, version, verdict)
    return version


def _nominate(client: Client, name: str, version: str, verdict: Verdict) -> None:
    client.set_model_version_tag(name, version, "judged", "passed" if verdict.passed else "refused")
    client.set_model_version_tag(name, version, "criteria", json.dumps(verdict.as_dict(), allow_nan=False))
    client.set_registered_model_alias(name, CANDIDATE, version)


def promotion_lock(tracking: Tracking) -> AbstractContextManager[None]:
    """
    Let one promotion at a time through.

    Parameters
    ----------
    tracking : Tracking
        Settings; the lock lies beside the artefacts.

    Returns
    -------
    context manager
    """
    return file_lock(tracking.artifacts.parent / ".promote.lock")


def promote(
    tracking: Tracking,
    candidate: Candidate,
    *,
    champion_file: Path = CHAMPION_FILE,
    expected: Champion | None,
    verdict: Verdict | None = None,
    force: bool = False,
    reason: str | None = None,
    local: bool = False,
) -> Champion:
    """
    Make a model champion, if it passed and nobody else promoted one meanwhile.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    candidate : Candidate
        The model.
    champion_file : Path
        File that names the champion; the log of promotions lies beside it.
    expected : Champion or None
        Champion read when the decision was made; None where there was none.
    verdict : Verdict, optional
        What came of judging the candidate by the promotion policy; by default what its evaluation said is all.
    force : bool
        Overrule what failed; needs a reason.
    reason : str, optional
        Why, for the log.
    local : bool
        Leave `champion_file` and its log as they are, and keep the promotion in this checkout until
        `exsitu.registry.commit` writes it there.

    Returns
    -------
    Champion
        The champion now; equal to `expected` if the candidate was champion already.

    Raises
    ------
    InputError
        If the run or the model files are missing.
    PromotionError
        If the candidate was not evaluated or did not pass, its weights are not its card's, it is forced without a
        reason, or another model became champion since `expected` was read.

    Notes
    -----
    A crash between the registry and the file leaves the alias ahead of the file; promoting the same candidate again
    writes the file. Nothing else can follow until then, so no promotion is lost. A crash between the file and the log
    leaves the log behind; the next promotion adds the line it lacks.
    """
    verdict = Verdict(()) if verdict is None else verdict
    failed = _failures(candidate, verdict)
    if failed and not force:
        raise PromotionError(
            f"run {candidate.run_id} ({candidate.variant}) did not pass: {'; '.join(failed)}. Train longer or on more "
            "stars, change the limits in params.yaml and evaluate again, or overrule with --force --reason"
        )
    if force and not (reason or "").strip():
        raise PromotionError("a forced promotion needs a reason for the log; give --reason TEXT")
    entry = _entry(tracking, candidate)
    client = connect(tracking, create=True)
    with promotion_lock(tracking):
        place = Place.of(champion_file, local=local)
        held, lacking = place.champion, place.lacking()
        alias = aliased_champion(client, tracking.model_name)
        if held is not None and _settled(held, alias, entry, local=local):
            with _logged(place.target, lacking):
                return held
        _require_expected(place, alias, expected, entry)
        known = held is not None and held.identity == entry.identity
        if held is not None and known:  # a fresh clone: the file is right; elsewhere it learns the registry's version
            entry = _replaced(entry, promoted=held.promoted, evaluation=held.evaluation)
        elif local:
            entry = _replaced(entry, promoted={**entry.promoted, OVER: place.fingerprint})
        entry = _replaced(entry, version=registered_version(client, entry, candidate.folder))
        _nominate(client, entry.name, entry.version, verdict)
        criteria = [criterion.as_dict() for criterion in verdict.criteria]
        made = [] if known else [
            audit.entry_of("promote", held, entry, reason=reason, forced=bool(failed), criteria=criteria)
        ]  # fmt: skip
        crowned = _crown(client, entry, None if known and local else place.target, alias, [*lacking, *made])
    if known and local:
        log.info("%s is the champion of %s; the registry here has it as version %s", crowned.variant, champion_file,
                 crowned.version)  # fmt: skip
        return held or crowned
    if known:
        log.warning("%s was champion in %s but not in the registry: both say version %s now", crowned.variant,
                    champion_file, crowned.version)  # fmt: skip
    return crowned


def restore(
    tracking: Tracking,
    version: str,
    *,
    champion_file: Path = CHAMPION_FILE,
    folders: Sequence[Path],
    reason: str | None = None,
    local: bool = False,
) -> Champion:
    """
    Make a version champion again that was champion before; no criterion is asked.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    version : str
        Number in the registry.
    champion_file : Path
        File that names the champion; the log of promotions lies beside it.
    folders : sequence of Path
        Folders where its weights may lie, tried before its run's artefacts.
    reason : str, optional
        Why, for the log.
    local : bool
        As of `promote`.

    Returns
    -------
    Champion
        The champion now; the one there was if the version is champion already.

    Raises
    ------
    InputError
        If there is no tracking store or no such version.
    PromotionError
        If the version never was champion, or registry and file disagree about who is.
    ReleaseError
        If its weights are nowhere: no release could be made with it.
    """
    client = connect(tracking, create=False)
    with promotion_lock(tracking):
        entry = past_champion(client, tracking.model_name, version)
        weights = find_weights(entry, folders, tracking)
        if weights not in folders:
            shutil.rmtree(weights.parent, ignore_errors=True)  # a copy fetched from MLflow: it can be had
        place = Place.of(champion_file, local=local)
        held, lacking = place.champion, place.lacking()
        alias = aliased_champion(client, tracking.model_name)
        if held is not None and _settled(held, alias, entry, local=local):
            with _logged(place.target, lacking):
                return held
        _require_expected(place, alias, held, entry)
        promoted = {name: told for name, told in entry.promoted.items() if name != OVER}
        entry = _replaced(entry, promoted={**promoted, OVER: place.fingerprint} if local else promoted)
        made = audit.entry_of("rollback", held, entry, reason=reason)
        return _crown(client, entry, place.target, alias, [*lacking, made])


@contextmanager
def _logged(champion_file: Path, entries: list[audit.Entry]) -> Iterator[None]:
    if not entries:
        yield
        return
    with audit.added(audit.log_file(champion_file), entries):
        yield


def _settled(held: Champion, alias: Champion | None, entry: Champion, *, local: bool) -> bool:
    """Whether file and registry already agree that the candidate is champion; versions are each registry's own."""
    agreed = alias is not None and held.identity == alias.identity == entry.identity
    return agreed and alias is not None and (local or held.version == alias.version)


def _replaced(entry: Champion, **changes: Any) -> Champion:
    return Champion(**{**asdict(entry), **changes})


def _failures(candidate: Candidate, verdict: Verdict) -> list[str]:
    """Why a candidate may not be promoted without force; one that was never evaluated has no cut and is refused."""
    if not candidate.evaluation or "passed" not in candidate.evaluation:
        raise PromotionError(f"run {candidate.run_id} ({candidate.variant}) was not evaluated; run `exsitu evaluate`")
    told = [f"{criterion.name}: {criterion.detail}" for criterion in verdict.failed]
    if candidate.evaluation["passed"] is True or told:
        return told
    return list(candidate.evaluation.get("reasons", ())) or ["evaluation gave no reason"]


def _entry(tracking: Tracking, candidate: Candidate) -> Champion:
    """What the registry and the file will say of a candidate; the version is filled in later."""
    for name in (WEIGHTS, CARD):
        if not (candidate.folder / name).is_file():
            raise InputError(f"no {candidate.folder / name}; give the folder that `exsitu adapt` wrote")
    card = read_record(candidate.folder / CARD, "digest", "weights_sha256", made_by="exsitu adapt")
    require_weights(candidate.folder, card["weights_sha256"])
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


def _require_expected(place: Place, alias: Champion | None, expected: Champion | None, entry: Champion) -> None:
    """Compare before set: the file must say what the caller read, and the registry must not say another."""
    held, file = place.champion, place.file
    if held != expected:
        now = f"{held} is champion now" if held else "there is no champion now"
        was = f"{expected}" if expected else "none"
        raise PromotionError(f"{now}; when this promotion began it was {was}: compare again, then promote again")
    agreed = alias is None or place.names(alias)
    if not agreed and alias is not None and alias.identity != entry.identity:
        raise PromotionError(
            f"the registry says {alias} is champion now, {file} says {held or 'nothing'}: a promotion was cut off, or "
            f"the file is of another branch. Finish it with `exsitu promote --run {alias.run_id}`, or take the alias "
            f"{CHAMPION!r} off in MLflow if the file is right"
        )


def _crown(
    client: Client, entry: Champion, file: Path | None, alias: Champion | None, entries: list[audit.Entry]
) -> Champion:
    """Registry first, file and log last; if they cannot be written, the alias goes back to where it was."""
    name, version = entry.name, entry.version
    client.set_model_version_tag(name, version, "promoted_over", alias.version if alias else "none")
    client.set_model_version_tag(name, version, "promoted_at_revision", entry.promoted["git_revision"])
    client.set_model_version_tag(name, version, "champion", json.dumps(asdict(entry), allow_nan=False))
    for line in entries:
        told = json.dumps(asdict(line), ensure_ascii=False, allow_nan=False)
        client.set_model_version_tag(name, version, f"promotion/{line.when}", told)
    client.set_registered_model_alias(name, CHAMPION, version)
    try:
        if file is not None:
            with _logged(file, entries):
                write_json(file, asdict(entry))
    except BaseException:
        if alias is None:
            client.delete_registered_model_alias(name, CHAMPION)
        else:
            client.set_registered_model_alias(name, CHAMPION, alias.version)
        raise
    if alias is not None and alias.version != version:
        client.set_registered_model_alias(name, PREVIOUS, alias.version)
    return entry
