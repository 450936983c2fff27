"""The command ``promote``: make an adapted model the champion if it passes the policy, or go back to an older one."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exsitu import registry, tracking
from exsitu.errors import PromotionError
from exsitu.provenance import read_record
from exsitu.registry import Candidate, Champion, Verdict
from exsitu.settings import Settings
from exsitu.stages.judging import judge


@dataclass(frozen=True)
class Outcome:
    """
    What came of a promotion, or would come of it.

    Parameters
    ----------
    champion : Champion or None
        The champion now; None where there is none.
    verdict : Verdict
        Every criterion with its numbers; empty where nothing was judged.
    candidate : str
        The model that was judged, for people.
    promoted : bool
        Whether the candidate is champion now.
    dry_run : bool
        Whether nothing was to be changed.
    committed : str or None
        What ``champion.json`` says, for people, where the champion is another that was promoted in this checkout.
    """

    champion: Champion | None
    verdict: Verdict
    candidate: str
    promoted: bool
    dry_run: bool = False
    committed: str | None = None

    @property
    def refused(self) -> bool:
        """Whether the policy refused the candidate, or would."""
        return not self.promoted and not self.verdict.passed

    def as_dict(self) -> dict[str, Any]:
        """
        Turn the outcome into what JSON can hold.

        Returns
        -------
        dict
        """
        version = None if self.champion is None else self.champion.version
        return {
            "candidate": self.candidate,
            "dry_run": self.dry_run,
            "promoted": self.promoted,
            "champion_version": version,
            "committed": self.committed is None,
            **self.verdict.as_dict(),
        }

    def text(self) -> str:
        """
        Turn the outcome into text for people.

        Returns
        -------
        str
            A line a criterion, then what came of it.
        """
        lines = [self.candidate, *filter(None, [self.verdict.text()])]
        now = "there is no champion" if self.champion is None else f"champion is {self.champion}"
        if self.dry_run:
            lines.append(f"{'would be refused' if self.refused else 'would be promoted'}; {now}")
        elif self.refused:
            failed = ", ".join(criterion.name for criterion in self.verdict.failed)
            lines.append(f"refused ({failed}); {now}. To overrule: --force --reason TEXT")
        else:
            lines.append(now)
        if self.committed is not None:
            lines.append(f"promoted in this checkout alone: {self.committed}; `exsitu promote --commit` changes that")
        return "\n".join(lines)


def promote(
    settings: Settings,
    *,
    model: Path,
    run_id: str | None = None,
    name: str | None = None,
    champion_file: Path,
    runs: Path,
    samples: Path,
    models: Sequence[Path],
    dry_run: bool = False,
    force: bool = False,
    reason: str | None = None,
) -> Outcome:
    """
    Judge an adapted model, given by folder or by the MLflow run that made it, and promote it if it passes.

    Parameters
    ----------
    settings : Settings
        Acceptance, promotion, tracking.
    model : Path
        Folder that ``adapt`` wrote.
    run_id : str, optional
        MLflow run to promote instead.
    name : str, optional
        Registered model to promote in, instead of the settings'.
    champion_file : Path
        File that names the champion for everyone. It is left as it is: what is promoted stays in this checkout, in the
        folder ``.exsitu`` beside it, until it is committed.
    runs : Path
        Folder with the ids of MLflow runs by stage.
    samples : Path
        What ``prepare`` wrote; candidate and champion are scored on its held-out mock stars.
    models : sequence of Path
        Folders where the champion's weights may lie.
    dry_run : bool
        Judge and change nothing.
    force : bool
        Promote even if a criterion failed; needs a reason.
    reason : str, optional
        Why, for the log.

    Returns
    -------
    Outcome
        ``refused`` where a criterion failed and was not overruled.

    Raises
    ------
    InputError
        If there is no such model or run, or a file that the policy needs is missing.
    PromotionError
        If the run made no model that can be promoted, or another promotion came first.
    """
    if force and not (reason or "").strip():
        raise PromotionError("a forced promotion needs a reason for the log; give --reason TEXT")
    expected = registry.find_champion(champion_file)
    store = _store(settings, name)
    folder, recipe = (model, _recipe(model)) if run_id is None else _fetch(settings, run_id)
    verdict = judge(settings, folder, recipe, champion=expected, samples=samples, models=models)
    title = f"candidate: {recipe['variant']}, S > {recipe['cut']:.2f}, " + (f"run {run_id}" if run_id else str(folder))
    if dry_run:
        return Outcome(expected, verdict, title, promoted=False, dry_run=True)
    run = run_id or _run_of(settings, model, runs)
    candidate = Candidate(run, folder, recipe["variant"], recipe["cut"], recipe["evaluation"])
    if not verdict.passed and not force:
        registry.nominate(store, candidate, verdict)
        return Outcome(expected, verdict, title, promoted=False)
    crowned = registry.promote(
        store, candidate, champion_file=champion_file, expected=expected, verdict=verdict, force=force, reason=reason,
        local=True,
    )  # fmt: skip
    return Outcome(crowned, verdict, title, promoted=True, committed=_still_named(champion_file))


def rollback(
    settings: Settings,
    version: str,
    *,
    name: str | None = None,
    champion_file: Path,
    models: Sequence[Path],
    reason: str | None = None,
) -> Outcome:
    """
    Make a version champion again that was champion before.

    Parameters
    ----------
    settings : Settings
        Tracking.
    version : str
        Number in the registry.
    name : str, optional
        Registered model, instead of the settings'.
    champion_file : Path
        File that names the champion; the log of promotions lies beside it.
    models : sequence of Path
        Folders where its weights may lie.
    reason : str, optional
        Why, for the log.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If there is no tracking store or no such version.
    PromotionError
        If the version never was champion.
    ReleaseError
        If its weights are nowhere.
    """
    found = registry.restore(
        _store(settings, name), version, champion_file=champion_file, folders=models, reason=reason, local=True
    )
    title = f"back to {found.name} version {found.version}"
    return Outcome(found, Verdict(()), title, promoted=True, committed=_still_named(champion_file))


def _still_named(champion_file: Path) -> str | None:
    """What the committed file says, where it does not name the champion of this checkout."""
    if registry.champion_source(champion_file) == champion_file:
        return None
    if not champion_file.is_file():
        return f"there is no {champion_file} yet"
    return f"{champion_file} names {registry.read_named(champion_file)}"


def _store(settings: Settings, name: str | None) -> Any:
    return settings.tracking if name is None else settings.tracking.model_copy(update={"model_name": name})


def _recipe(folder: Path) -> dict[str, Any]:
    return read_record(folder / "recipe.json", "variant", "cut", "evaluation", "sample_digest", made_by="exsitu adapt")


def _run_of(settings: Settings, model: Path, runs: Path) -> str:
    """Run that made a model; a collaborator who has the model from DVC has no run of it, and gets one."""
    note = runs / f"{model.name}.json"
    if note.is_file():
        return str(read_record(note, "run_id", made_by="exsitu adapt")["run_id"])
    recipe = _recipe(model)
    tags = {"stage": "adapt", "variant": recipe["variant"], "fetched": "true"}
    data = {"adaptation": recipe["sample_digest"]}
    with tracking.start_run(
        settings.tracking, "transfer", f"adapt {recipe['variant']} (fetched)", tags=tags, data=data
    ) as run:
        run.log_files([model / "recipe.json", model / "metrics.json"])
    return run.run_id


def _fetch(settings: Settings, run_id: str) -> tuple[Path, dict[str, Any]]:
    """Model of a run that adapted one, and its recipe."""
    found = tracking.find_run(settings.tracking, run_id)
    stage = found.tags.get("stage")
    if stage != "adapt":
        raise PromotionError(
            f"run {run_id} is of stage {stage!r}: it measured a recipe and made no model of the Milky Way; make it "
            f"with `exsitu adapt --variant {found.tags.get('variant', 'VARIANT')}`, and promote that"
        )
    folder = tracking.download(settings.tracking, run_id, tracking.MODEL_FILES)
    recipe = tracking.download(settings.tracking, run_id, "files/recipe.json")
    shutil.move(recipe, folder / recipe.name)  # as `adapt` left them, together
    shutil.rmtree(recipe.parent, ignore_errors=True)
    return folder, _recipe(folder)
