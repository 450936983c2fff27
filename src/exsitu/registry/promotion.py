"""Make a model champion: compare and set, under a lock, in the log of this checkout; then let the registry follow.

The line of the log is the promotion. Tags and aliases in the registry follow from it by steps that may be taken twice,
and the last of them marks the line as followed: whatever was cut off, `follow` ends it.
"""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from exsitu.errors import InputError, PromotionError
from exsitu.provenance import code_digest, git_revision, read_record
from exsitu.registry import audit
from exsitu.registry.champion import (
    CHAMPION_FILE,
    Champion,
    champion_of,
    find_weights,
)
from exsitu.registry.place import Place, fingerprint, local_log
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
) -> Champion:
    """
    Make a model champion of this checkout, if it passed and nobody else promoted one meanwhile.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    candidate : Candidate
        The model.
    champion_file : Path
        File that names the champion for everyone. It and its log stay as they are until `exsitu.registry.commit`.
    expected : Champion or None
        Champion read when the decision was made; None where there was none.
    verdict : Verdict, optional
        What came of judging the candidate by the promotion policy; by default what its evaluation said is all.
    force : bool
        Overrule what failed; needs a reason.
    reason : str, optional
        Why, for the log.

    Returns
    -------
    Champion
        The champion now; the one there was if the candidate was champion already.

    Raises
    ------
    InputError
        If the run or the model files are missing, or a champion file or log is not as it was written.
    PromotionError
        If the candidate was not evaluated or did not pass, its weights are not its card's, it is forced without a
        reason, or another model became champion since `expected` was read.

    Notes
    -----
    An error before the line is in the log changes nothing but the candidate in the registry. After it the model is
    champion, and the next promotion, or the same one again, lets the registry follow.
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
        place = Place.of(champion_file)
        _finish(client, place)
        held, alias = place.champion, aliased_champion(client, tracking.model_name)
        again = held is not None and held.identity == entry.identity
        if not again:
            _require_expected(place, alias, expected, entry)
        elif held is not None:  # in a fresh clone the file is right, and the registry has yet to learn of it
            entry = replace(held, run_id=entry.run_id)
        version = registered_version(client, entry, candidate.folder)
        _nominate(client, entry.name, version, verdict)
        entry = replace(entry, version=version)
        if again and held is not None:
            _point(client, entry, alias)
            return held
        criteria = [criterion.as_dict() for criterion in verdict.criteria]
        over = fingerprint(place.committed)
        made = audit.entry_of(
            "promote", held, entry, over=over, reason=reason, forced=bool(failed), criteria=criteria
        )  # fmt: skip
        audit.append(local_log(champion_file), [made])
        _follow(client, made)
    return entry


def restore(
    tracking: Tracking,
    version: str,
    *,
    champion_file: Path = CHAMPION_FILE,
    folders: Sequence[Path],
    reason: str | None = None,
) -> Champion:
    """
    Make a version champion of this checkout again that was champion before; no criterion is asked.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    version : str
        Number in the registry.
    champion_file : Path
        As of `promote`.
    folders : sequence of Path
        Folders where its weights may lie, tried before its run's artefacts.
    reason : str, optional
        Why, for the log.

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
        place = Place.of(champion_file)
        _finish(client, place)
        entry = past_champion(client, tracking.model_name, version)
        weights = find_weights(entry, folders, tracking)
        if weights not in folders:
            shutil.rmtree(weights.parent, ignore_errors=True)  # a copy fetched from MLflow: it can be had
        held, alias = place.champion, aliased_champion(client, tracking.model_name)
        if held is not None and held.identity == entry.identity:
            _point(client, entry, alias)
            return held
        _require_expected(place, alias, held, entry)
        made = audit.entry_of("rollback", held, entry, over=fingerprint(place.committed), reason=reason)
        audit.append(local_log(champion_file), [made])
        _follow(client, made)
    return entry


def recover(tracking: Tracking, champion_file: Path = CHAMPION_FILE) -> None:
    """
    Let the registry follow a promotion of this checkout that was cut off after its line was in the log.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    champion_file : Path
        As of `promote`.

    Raises
    ------
    InputError
        If there is no tracking store, or a file is not as it was written.
    PromotionError
        If the registry lacks the version that the log names.
    """
    with promotion_lock(tracking):
        place = Place.of(champion_file)
        if place.entries:
            _finish(connect(tracking, create=False), place)


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
    """Compare before set: the files must say what the caller read, and the registry must not say another."""
    held = place.champion
    if held != expected:
        now = f"{held} is champion now" if held else "there is no champion now"
        was = f"{expected}" if expected else "none"
        raise PromotionError(f"{now}; when this promotion began it was {was}: compare again, then promote again")
    if alias is not None and not place.names(alias) and alias.identity != entry.identity:
        raise PromotionError(
            f"the registry says {alias} is champion now, {place.file} says {held or 'nothing'}: it was promoted in another "
            f"checkout, or the file is of another branch. Promote it here too with `exsitu promote --run {alias.run_id}`, "
            f"or take the alias {CHAMPION!r} off in MLflow if the file is right"
        )


def _mark(entry: audit.Entry) -> str:
    """Tag of a version in the registry that says that a line of the log was followed."""
    return f"promotion/{entry.when}"


def _finish(client: Client, place: Place) -> None:
    """Follow the last line of this checkout's log, if that was cut off."""
    if not place.entries:
        return
    last = place.entries[-1]
    champion = last.champion
    versions = client.search_model_versions(f"name = '{champion.name}'")
    found = next((v for v in versions if str(v.version) == champion.version), None)
    if found is None or found.tags.get("weights_sha256") != champion.weights_sha256:
        log.warning("the registry has no version %s of %s, which was promoted here: it was removed, or is another "
                    "registry", champion.version, champion.name)  # fmt: skip
    elif _mark(last) not in found.tags:
        log.info("finishing the promotion of %s, which was cut off", champion)
        _follow(client, last)


def _follow(client: Client, line: audit.Entry) -> None:
    """Let the registry say what a line of the log says; any step may have been taken before."""
    entry = line.champion
    _point(client, entry, aliased_champion(client, entry.name))
    told = json.dumps(asdict(line), ensure_ascii=False, allow_nan=False)
    client.set_model_version_tag(entry.name, entry.version, _mark(line), told)


def _point(client: Client, entry: Champion, alias: Champion | None) -> None:
    """Move the alias of the champion, and the one of the champion before."""
    name, version = entry.name, entry.version
    if alias is not None and alias.version == version:
        return
    client.set_model_version_tag(name, version, "promoted_over", alias.version if alias else "none")
    client.set_model_version_tag(name, version, "promoted_at_revision", entry.promoted["git_revision"])
    client.set_model_version_tag(name, version, "champion", json.dumps(asdict(entry), allow_nan=False))
    if alias is not None:
        client.set_registered_model_alias(name, PREVIOUS, alias.version)
    client.set_registered_model_alias(name, CHAMPION, version)
