"""What the three stages that train (pretrain, transfer, adapt) share: from samples on disk to a model on disk."""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from exsitu.provenance import code_digest, sha256_file, sha256_json, write_json
from exsitu.settings import Settings
from exsitu.stages.sampled import plainly, told_of_suns, with_suns
from exsitu.tables import read_parquet

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sample:
    """
    A training sample on disk.

    Parameters
    ----------
    training, validation : DataFrame
        Stars with inputs, errors and labels.
    digest : str
        SHA-256 over both files.
    errors_missing : bool
        Whether some measured inputs come without an error; such stars are not drawn anew in that input.
    """

    training: pd.DataFrame
    validation: pd.DataFrame
    digest: str
    errors_missing: bool = False


def read_sample(folder: Path) -> Sample:
    """
    Read a sample that ``prepare`` wrote.

    Parameters
    ----------
    folder : Path
        With ``training.parquet`` and ``validation.parquet``.

    Returns
    -------
    Sample
    """
    files = [folder / f"{part}.parquet" for part in ("training", "validation")]
    training, validation = (read_parquet(path) for path in files)
    return Sample(training, validation, sha256_json([sha256_file(path) for path in files]))


def checkpoints_of(settings: Settings, output: Path, *digests: str) -> Path:
    """
    Folder in which a training keeps its state, so that one that was killed goes on.

    Parameters
    ----------
    settings : Settings
        All of them: with another setting it is another training.
    output : Path
        Folder the model will be written to; states lie in ``checkpoints`` beside it.
    *digests : str
        Of the stars and the weights the training begins with.

    Returns
    -------
    Path
        For `exsitu.model.training.train`.
    """
    identity = sha256_json([settings.model_dump(mode="json"), code_digest(), *digests])
    return _checkpoints(output) / identity[:16]


def forget_checkpoints(output: Path) -> None:
    """
    Remove what trainings of an output left behind, once the model is written.

    Parameters
    ----------
    output : Path
        Folder of the model.
    """
    shutil.rmtree(_checkpoints(output), ignore_errors=True)


def _checkpoints(output: Path) -> Path:
    return output.parent / "checkpoints" / output.name


def labelled_stars(settings: Settings, sample: "Sample", card: Any, label: str) -> tuple[Any, Any]:
    """
    Take a sample as a training does.

    Parameters
    ----------
    settings : Settings
        Say what draws are made from.
    sample : Sample
        The stars.
    card : ModelCard
        Of the network, as `exsitu.stages.sampled.told_of_suns` gives it.
    label : str
        Column that says which stars count as accreted.

    Returns
    -------
    training, validation : Stars
    """
    from exsitu.model.inputs import stars_from_frame

    how = {"allow_missing_errors": sample.errors_missing, "covariance": settings.training.noise == "covariance"}
    training, validation = (
        with_suns(stars_from_frame(part, card.input_set, label, **how), part, card)
        for part in (sample.training, sample.validation)
    )
    return training, validation


def label_column(variant: str) -> str:
    """
    Column that holds the labels of a transfer variant.

    Parameters
    ----------
    variant : str
        Such as ``"zm_last"``.

    Returns
    -------
    str
        ``"label_zm"`` or ``"label_vm"``.
    """
    return f"label_{variant.split('_', maxsplit=1)[0]}"


def domain(frame: pd.DataFrame, columns: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """
    Range of each input over a training sample; stars outside are scored and flagged.

    Parameters
    ----------
    frame : DataFrame
        The training sample.
    columns : tuple of str
        The network's inputs.

    Returns
    -------
    dict of str to (float, float)
        Least and greatest value.
    """
    return {name: (float(frame[name].min()), float(frame[name].max())) for name in columns}


def learnt_on(frame: pd.DataFrame, columns: tuple[str, ...]) -> dict[str, list[float]]:
    """
    Quantiles of each input over a training sample, by which new stars are compared with it wherever a model travels.

    Parameters
    ----------
    frame : DataFrame
        The training sample.
    columns : tuple of str
        The network's inputs.

    Returns
    -------
    dict of str to list of float
        In the column's unit; positions are left out, because a survey may be of any part of the sky.
    """
    from exsitu.evaluation.drift import quantiles

    return {name: quantiles(frame[name]) for name in columns if name not in ("l", "b")}


def parameters(settings: Settings, stage: str, **more: Any) -> dict[str, Any]:
    """
    What MLflow shows as a run's parameters: all settings that a training depends on.

    Parameters
    ----------
    settings : Settings
        The settings.
    stage : str
        Name of the stage.
    **more : object
        Further parameters.

    Returns
    -------
    dict
        Nested; tracking flattens it.
    """
    told = settings.model_dump(
        mode="json", include={"profile", "seed", "network", "training", "transfer", "labels", "quality", "epochs"}
    )
    return {"stage": stage, **told, **more}


def log_outcome(metrics: Mapping[str, float | int | str | None]) -> None:
    """
    Say in one line what came out.

    Parameters
    ----------
    metrics : mapping
        Named numbers.
    """
    shown = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in metrics.items())
    log.info("%s", ", ".join(shown))


@dataclass(frozen=True, slots=True)
class Lesson:
    """
    What a training leaves behind.

    Parameters
    ----------
    network : keras.Model
        The trained network.
    card : ModelCard
        What it is.
    history : DataFrame
        One row an epoch; empty where nothing was trained.
    metrics : mapping
        Named numbers.
    """

    network: Any
    card: Any
    history: pd.DataFrame
    metrics: Mapping[str, Any]


def write_lesson(folder: Path, lesson: Lesson, run: Any, example: pd.DataFrame) -> None:
    """
    Write a model with its history, metrics and figures, and log them all to MLflow.

    Parameters
    ----------
    folder : Path
        Folder to fill; figures that are there already are logged too.
    lesson : Lesson
        What the training left behind.
    run : Run
        The MLflow run.
    example : DataFrame
        Stars to show MLflow what the model takes.
    """
    from exsitu.evaluation import figures
    from exsitu.model.network import save_model

    card = save_model(folder, lesson.network, lesson.card)
    lesson.history.to_csv(folder / "history.csv", index=False, lineterminator="\n")
    write_json(folder / "metrics.json", dict(lesson.metrics))
    if len(lesson.history):
        figures.save_figure(figures.training_figure(lesson.history), folder / "history.png")
    run.log_metrics({name: value for name, value in lesson.metrics.items() if isinstance(value, int | float)})
    run.log_files(sorted(p for p in folder.iterdir() if p.suffix in {".csv", ".json"} and p.name != "model.json"))
    for picture in sorted(folder.glob("*.png")):
        run.log_figure(picture)
    run.log_model(lesson.network, card, example[list(card.inputs)].head(5), folder=folder)


def carry_over(
    settings: Settings,
    network: Any,
    card: Any,
    variant: str,
    sample: Sample,
    *,
    stage: str,
    output: Path,
    progress: bool,
) -> tuple[Any, Any, pd.DataFrame]:
    """
    Train the layers of a pretrained network that a variant frees, on labels an observer can give.

    Parameters
    ----------
    settings : Settings
        Transfer, training, seed.
    network : keras.Model
        The pretrained network; perhaps changed in place.
    card : ModelCard
        Its card.
    variant : str
        The way to transfer; ``"none"`` changes nothing.
    sample : Sample
        Labelled stars.
    stage : str
        Name of the stage, for the card.
    output : Path
        Folder the model will be written to; a training that was killed goes on.
    progress : bool
        Whether to show progress.

    Returns
    -------
    network : keras.Model
        The transferred network, under the Sun of the labelled stars.
    card : ModelCard
        Its card.
    history : DataFrame
        One row an epoch; empty for ``"none"``.
    """
    from exsitu.model.network import rebuilt
    from exsitu.model.transfer import transfer

    origin = {"pretrained_sha256": card.weights_sha256, "pretraining": card.provenance}
    provenance = {"stage": stage, "variant": variant, "sample_digest": sample.digest, "seed": settings.seed, **origin}
    told = told_of_suns(card, sample.training)
    taught = network if told is card else rebuilt(network, told)
    history = (
        pd.DataFrame()
        if variant == "none"
        else transfer(
            taught,
            variant,
            *labelled_stars(settings, sample, told, label_column(variant)),
            settings.training,
            learning_rate=settings.transfer.learning_rate,
            max_epochs=settings.epochs.transfer,
            seed=settings.seed,
            progress=progress,
            checkpoints=checkpoints_of(settings, output, stage, variant, sample.digest, card.weights_sha256),
        )
    )
    network, card = plainly(taught, told, sample.training)
    return network, replace(card, provenance=provenance), history
