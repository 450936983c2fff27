"""The stage ``adapt``: apply the winning recipe to the Milky Way's own stars with spectra (paper, Sec. 8)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from exsitu import tracking
from exsitu.columns import nearest
from exsitu.errors import SettingsError
from exsitu.provenance import publish_folder, sha256_file, sha256_json, write_json
from exsitu.settings import Settings
from exsitu.stages.evaluate import read_evaluation
from exsitu.stages.learning import (
    Lesson,
    Sample,
    carry_over,
    forget_checkpoints,
    label_column,
    log_outcome,
    parameters,
    read_sample,
    write_lesson,
)
from exsitu.stages.prepare import labelled_sample
from exsitu.stages.sampled import sample_scores
from exsitu.surveys.missing import Replaced
from exsitu.surveys.reader import read_survey

log = logging.getLogger(__name__)


def adapt(
    settings: Settings,
    *,
    variant: str | None = None,
    stars: Sequence[Path] = (),
    allow_truncated: bool = False,
    samples: Path,
    pretrained: Path,
    evaluation: Path,
    output: Path,
    runs: Path,
    progress: bool = True,
) -> None:
    """
    Transfer the pretrained network to the Milky Way by the recipe that evaluation chose.

    Parameters
    ----------
    settings : Settings
        Transfer, training, labels, seed.
    variant : str, optional
        Recipe to apply instead of the best.
    stars : sequence of Path
        Files of stars with [Fe/H] to learn from, in any format exsitu reads; the sample ``adaptation`` otherwise.
    allow_truncated : bool
        Learn from files that state that rows are missing.
    samples : Path
        What ``prepare`` wrote.
    pretrained : Path
        What ``pretrain`` wrote.
    evaluation : Path
        What ``evaluate`` wrote.
    output : Path
        Folder to write: the model, ``recipe.json`` (variant, cut, what evaluation said of it, and under
        ``not_physical`` what `stars` hold that is no measurement), ``metrics.json``.
    runs : Path
        Folder for the id of the MLflow run.
    progress : bool
        Whether to show progress.

    Raises
    ------
    InputError
        If nothing was evaluated, or the stars carry no label.
    SettingsError
        If the variant was not evaluated.
    """
    from exsitu.evaluation import figures
    from exsitu.model.network import load_model

    recipe = _recipe(read_evaluation(evaluation), variant)
    sample, replaced = (
        _labelled(settings, stars, allow_truncated=allow_truncated)
        if stars
        else (read_sample(samples / "adaptation"), {})
    )
    network, card = load_model(pretrained)
    with tracking.start_run(
        settings.tracking,
        "transfer",
        f"adapt {recipe['variant']}",
        params=parameters(settings, "adapt", variant=recipe["variant"]),
        tags={"stage": "adapt", "variant": recipe["variant"], "pretrained_sha256": card.weights_sha256},
        data={"adaptation": sample.digest},
    ) as run:
        network, card, history = carry_over(
            settings, network, card, recipe["variant"], sample, stage="adapt", output=output, progress=progress
        )
        run.log_epochs(history)
        known = pd.concat([sample.training, sample.validation], ignore_index=True)
        label = "label_zm" if recipe["variant"] == "none" else label_column(recipe["variant"])
        scores = sample_scores(network, card, known)
        metrics = _metrics(scores, known[label].to_numpy(), recipe)
        with publish_folder(output, replace=True) as folder:
            write_json(folder / "recipe.json", {**recipe, "sample_digest": sample.digest, **replaced})
            figures.save_figure(figures.score_figure(scores, recipe["cut"]), folder / "scores.png")
            write_lesson(folder, Lesson(network, card, history, metrics), run, known)
    forget_checkpoints(output)
    write_json(runs / f"{output.name}.json", {"run_id": run.run_id})
    log_outcome(metrics)


def _recipe(evaluation: dict[str, Any], variant: str | None) -> dict[str, Any]:
    name = variant or evaluation["best"]
    if name not in evaluation["variants"]:
        known = evaluation["variants"]
        raise SettingsError(f"variant {name!r} was not evaluated{nearest(name, known)}; evaluated: {', '.join(known)}")
    found = evaluation["variants"][name]
    return {"variant": name, "cut": found["cut"], "evaluation": {**found, "target": evaluation["target"]}}


def _labelled(
    settings: Settings, stars: Sequence[Path], *, allow_truncated: bool = False
) -> tuple[Sample, dict[str, Any]]:
    """
    Stars of several files as one sample, and what was no measurement in them.

    Missing parallax errors are taken as they are, as the label needs none.
    """
    frames: list[pd.DataFrame] = []
    replaced = {path: Replaced() for path in stars}
    for path, counts in replaced.items():
        frames += read_survey(
            path,
            required=("feh",),
            chunk_rows=settings.chunk_rows,
            allow_missing_errors=True,
            allow_truncated=allow_truncated,
            replaced=counts,
        )
        if counts:
            log.warning("%s: %s", path, counts.sentence())
    parts = labelled_sample(settings, pd.concat(frames, ignore_index=True))
    digest = sha256_json([sha256_file(path) for path in stars])
    sample = Sample(parts["adaptation/training"], parts["adaptation/validation"], digest, errors_missing=True)
    values = {path.name: counts.as_dict() for path, counts in replaced.items() if counts}
    return sample, {"not_physical": values} if values else {}


def _metrics(scores: Any, labelled: Any, recipe: dict[str, Any]) -> dict[str, Any]:
    """What can be said without truth: how many stars the model selects, and how many of the labelled ones."""
    selected = scores > recipe["cut"]
    return {
        "variant": recipe["variant"],
        "cut": recipe["cut"],
        "stars": int(scores.size),
        "labelled": int(labelled.sum()),
        "selected_fraction": float(selected.mean()),
        "labelled_selected_fraction": float(selected[labelled].mean()) if labelled.any() else None,
    }
