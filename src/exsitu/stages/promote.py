"""The command ``promote``: make an adapted model the champion, if the recipe it was made by passed evaluation."""

from pathlib import Path
from typing import Any

from exsitu import tracking
from exsitu.errors import InputError, PromotionError
from exsitu.provenance import read_json
from exsitu.registry import Candidate, Champion, read_champion
from exsitu.registry import promote as register
from exsitu.settings import Settings


def promote(
    settings: Settings,
    *,
    model: Path,
    run_id: str | None = None,
    name: str | None = None,
    champion_file: Path,
    runs: Path,
) -> Champion:
    """
    Promote an adapted model given by folder, or by the MLflow run that made it.

    Parameters
    ----------
    settings : Settings
        Tracking.
    model : Path
        Folder that ``adapt`` wrote.
    run_id : str, optional
        MLflow run to promote instead.
    name : str, optional
        Registered model to promote in, instead of the settings'.
    champion_file : Path
        File that names the champion.
    runs : Path
        Folder with the ids of MLflow runs by stage.

    Returns
    -------
    Champion

    Raises
    ------
    InputError
        If there is no such model or run.
    PromotionError
        If the run made no model that can be promoted, its recipe did not pass, or another promotion came first.
    """
    expected = read_champion(champion_file) if champion_file.is_file() else None
    if run_id is None:
        folder, recipe, run = model, _recipe(model), _run_of(settings, model, runs)
    else:
        (folder, recipe), run = _fetch(settings, run_id), run_id
    candidate = Candidate(
        run_id=run, folder=folder, variant=recipe["variant"], cut=recipe["cut"], evaluation=recipe["evaluation"]
    )
    store = settings.tracking if name is None else settings.tracking.model_copy(update={"model_name": name})
    return register(store, candidate, champion_file=champion_file, expected=expected)


def _recipe(folder: Path) -> dict[str, Any]:
    if not (folder / "recipe.json").is_file():
        raise InputError(f"no adapted model in {folder}: run `exsitu adapt` first")
    found: dict[str, Any] = read_json(folder / "recipe.json")
    return found


def _run_of(settings: Settings, model: Path, runs: Path) -> str:
    """Run that made a model; a collaborator who has the model from DVC has no run of it, and gets one."""
    note = runs / f"{model.name}.json"
    if note.is_file():
        return str(read_json(note)["run_id"])
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
    recipe = tracking.download(settings.tracking, run_id, "files/recipe.json")
    return tracking.download(settings.tracking, run_id, "model_files"), read_json(recipe)
