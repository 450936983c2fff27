"""A trial becomes a network on disk: the one function that processes of a run execute."""

import dataclasses
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from exsitu.errors import InputError
from exsitu.evaluation.planing import planing_weights
from exsitu.experiments.samples import Surveys
from exsitu.experiments.trial import Sample, Trial, trial_key
from exsitu.experiments.variables import VARIABLES
from exsitu.provenance import code_digest, publish_folder, write_json
from exsitu.settings import Settings, Training

log = logging.getLogger(__name__)

TRIALS = "trials"
"""Folder of finished trials, below that of the experiments; a folder a trial, named by its key."""

_UNFINISHED = "unfinished"
_ABOUT = "trial.json"


def trial_folder(kept: Path, key: str) -> Path:
    """
    Where a trial lies once it is finished.

    Parameters
    ----------
    kept : Path
        Folder of the experiments.
    key : str
        Of the trial.

    Returns
    -------
    Path
    """
    return kept / TRIALS / key


def is_finished(kept: Path, key: str) -> bool:
    """
    Whether a trial needs no training; its folder appears whole.

    Parameters
    ----------
    kept : Path
        Folder of the experiments.
    key : str
        Of the trial.

    Returns
    -------
    bool
    """
    return (trial_folder(kept, key) / _ABOUT).is_file()


def train_trial(trial: Trial, settings: Settings, data: Path, kept: Path) -> str:
    """
    Train a network, or leave it alone where it is finished; one that was stopped goes on.

    Parameters
    ----------
    trial : Trial
        What to train. What it goes on from is finished.
    settings : Settings
        Of the experiments and of training.
    data : Path
        What the stage ``data`` wrote.
    kept : Path
        Folder of the experiments.

    Returns
    -------
    str
        Key of the trial; its folder holds the network, ``history.csv`` and ``trial.json``.

    Raises
    ------
    InputError
        If a survey is missing, or the stars cannot teach a network: too few, or none of a class.
    """
    surveys = Surveys(settings, data, kept)
    key = key_of(trial, settings, surveys)
    if is_finished(kept, key):
        return key
    if trial.kind not in TRAINERS:
        raise InputError(f"no kind of trial {trial.kind!r}; known: {', '.join(TRAINERS)}")
    # A state goes on under the code that left it: other code could mean other draws, or refuse it.
    unfinished = kept / _UNFINISHED / f"{key}-{code_digest()[:8]}"
    with publish_folder(trial_folder(kept, key), replace=True) as folder:
        told = TRAINERS[trial.kind](trial, settings, surveys, kept, folder, unfinished)
        about = {"key": key, "says": trial.says, "trial": trial.to_json(), "code_digest": code_digest(), **told}
        write_json(folder / _ABOUT, about)
    for left in unfinished.parent.glob(f"{key}-*"):
        shutil.rmtree(left, ignore_errors=True)
    return key


def key_of(trial: Trial, settings: Settings, surveys: Surveys) -> str:
    """
    Name of a trial's network.

    Parameters
    ----------
    trial : Trial
        The trial.
    settings : Settings
        All settings.
    surveys : Surveys
        What it reads.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    names = {name for step in trial.lineage() for name in step.surveys}
    return trial_key(trial, settings, {name: surveys.digest(name) for name in names})


def _stars(trial: Trial, frame: pd.DataFrame, label: str, surveys: Surveys, survey: str) -> Any:
    """Stars of one survey as a training takes them."""
    from exsitu.model.inputs import input_columns, stars_from_frame
    from exsitu.samples import finite_rows

    usable = finite_rows(frame, input_columns(trial.input_set))
    if not usable.all():
        raise InputError(
            f"{trial.says}: {int((~usable).sum())} of {len(usable)} stars of {survey} lack an input; give the sample "
            "the filter radial_velocity"
        )
    stars = stars_from_frame(frame, trial.input_set, label, covariance=trial.noise == "covariance")
    if trial.noise == "none":
        stars = dataclasses.replace(stars, errors=np.zeros_like(stars.errors))
    if trial.planing:
        weights = planing_weights(VARIABLES[trial.planing](frame), frame[label].to_numpy())
        stars = dataclasses.replace(stars, weight=weights.astype(np.float32))
    if trial.representation != "rest_frame":
        return stars
    return stars.with_solar_motion(surveys.sun(survey).v_sun_kms)


def _sample(
    trial: Trial, sample: Sample, part: str, limit: int, label: str, surveys: Surveys, settings: Settings
) -> Any:
    from exsitu.model.inputs import joined

    drawn = surveys.drawn(sample, part, limit)
    if trial.flipped:
        drawn = {name: _flipped(frame, label, trial, settings) for name, frame in drawn.items()}
    return joined([_stars(trial, frame, label, surveys, name) for name, frame in drawn.items()])


def _flipped(frame: pd.DataFrame, label: str, trial: Trial, settings: Settings) -> pd.DataFrame:
    """Labels of which a share is wrong. A star's fate depends on its id: a larger share holds a smaller one."""
    from scipy.special import ndtri

    from exsitu.draws import normals

    seed = int(np.random.SeedSequence([settings.seed, trial.seed, 1]).generate_state(1)[0])
    fate = normals(frame["source_id"].to_numpy(np.int64, copy=True), 1, 1, seed=seed)[:, 0, 0]
    return frame.assign(**{label: frame[label].to_numpy() ^ (fate < ndtri(trial.flipped))})


def _plan(settings: Settings, n_stars: int) -> Training:
    """
    How the training is cut into epochs: so many draws each, never more of a star than the settings have it.

    One core, as others train beside it.
    """
    sizes, plan = settings.experiments, settings.training
    draws = min(plan.draws_per_star, max(1, round(sizes.draws_per_epoch / n_stars)))
    plateau = plan.plateau.model_copy(update={"patience": sizes.plateau_patience})
    return plan.model_copy(
        update={"draws_per_star": draws, "plateau": plateau, "stop_patience": sizes.stop_patience, "cores": 1}
    )


def most_epochs(trial: Trial, settings: Settings) -> int:
    """
    Epochs after which a training ends, whatever its loss does.

    Parameters
    ----------
    trial : Trial
        The trial.
    settings : Settings
        Of the experiments.

    Returns
    -------
    int
    """
    return settings.experiments.transfer_epochs if trial.start else settings.experiments.epochs


def _begun(trial: Trial, settings: Settings, surveys: Surveys, kept: Path, training: Any, seed: int) -> tuple[Any, Any]:
    """The network as the training finds it, and its card: of fresh weights, or of the trial it goes on from."""
    from exsitu.model.network import build_network, load_model, rebuilt, seen_from

    told = _card(trial, surveys, training, trial.hidden or settings.network.hidden)
    if not trial.start:
        return build_network(told, seed=seed), told
    network, card = load_model(trial_folder(kept, key_of(trial.start, settings, surveys)))
    told = seen_from(card, surveys.sun(trial.sample.surveys[0]), own_sun=True)
    return rebuilt(network, told), told


def _card(trial: Trial, surveys: Surveys, training: Any, hidden: tuple[int, ...]) -> Any:
    """Card of a fresh model that learns from these stars."""
    from exsitu.model.inputs import input_columns
    from exsitu.model.network import ModelCard, seen_from

    places = {(s.r_sun_kpc, s.z_sun_kpc) for s in map(surveys.sun, trial.surveys)}
    if trial.representation == "rest_frame" and len(places) > 1:
        raise InputError(
            f"{trial.says}: Suns at {sorted(places)} kpc; a rest_frame network learns from one radius alone"
        )
    low, high = training.ranges()
    card = ModelCard(
        input_set=trial.input_set,
        representation=trial.representation,
        hidden=hidden,
        domain={name: (low[name], high[name]) for name in input_columns(trial.input_set)},
    )
    return seen_from(card, surveys.sun(trial.sample.surveys[0]), own_sun=True)


def _samples(trial: Trial, settings: Settings, surveys: Surveys) -> tuple[Any, Any, dict[str, int]]:
    """Stars that teach and stars that stop the training, and how many there are of each."""
    sizes = settings.experiments
    most = trial.sample.stars or (sizes.transfer_stars if trial.start else sizes.training_stars)
    share = max(1, sizes.validation_stars // len(trial.stopping.surveys))
    if trial.validation and trial.validation.stars:
        share = min(share, trial.validation.stars)
    watched = trial.validation_label or trial.label
    training = _sample(trial, trial.sample, "training", most, trial.label, surveys, settings)
    validation = _sample(trial, trial.stopping, "validation", share, watched, surveys, settings)
    counts = {
        f"{part}_{kind}": int(number)
        for part, stars in (("training", training), ("validation", validation))
        for kind, number in (("stars", len(stars)), ("accreted", stars.accreted))
    }
    return training, validation, counts


def _seeds(trial: Trial, settings: Settings) -> list[int]:
    """Of the weights, and of the order of the stars and their draws."""
    return [int(s) for s in np.random.SeedSequence([settings.seed, trial.seed]).generate_state(2) >> 1]


def _told(counts: Mapping[str, int], history: pd.DataFrame, folder: Path) -> Mapping[str, Any]:
    """Write the epochs; what to tell of the training."""
    history.to_csv(folder / "history.csv", index=False, lineterminator="\n")
    best = history[history["best"]].iloc[0]
    return {**counts, "epochs": len(history), "best_epoch": int(best["epoch"]), "val_loss": float(best["val_loss"])}


def _train_network(
    trial: Trial, settings: Settings, surveys: Surveys, kept: Path, folder: Path, unfinished: Path
) -> Mapping[str, Any]:
    from exsitu.model.training import train

    training, validation, counts = _samples(trial, settings, surveys)
    seeds = _seeds(trial, settings)
    network, card = _begun(trial, settings, surveys, kept, training, seeds[0])
    if trial.stays and not trial.start:
        raise InputError(f"{trial.says}: a fresh network has nothing to stay at; leave stays out, or give it a start")
    if trial.stays and not all(0 < stars.accreted < len(stars) for stars in (training, validation)):
        _keep(folder, network, card, trial, counts, surveys)
        return {**counts, "epochs": 0, "best_epoch": 0, "val_loss": None}
    learning = set(trial.layers) or {layer.name for layer in network.layers}
    for layer in network.layers:
        layer.trainable = layer.name in learning
    history = train(
        network,
        training,
        validation,
        _plan(settings, len(training)),
        max_epochs=most_epochs(trial, settings),
        seed=seeds[1],
        learning_rate=settings.transfer.learning_rate if trial.start else None,
        progress=True,
        checkpoints=unfinished,
    )
    _keep(folder, network, card, trial, counts, surveys)
    return _told(counts, history, folder)


def _keep(folder: Path, network: Any, card: Any, trial: Trial, counts: Mapping[str, int], surveys: Surveys) -> None:
    """Write the network with plain inputs and its first survey's Sun."""
    from exsitu.model.network import rebuilt, save_model, seen_from

    plain = seen_from(card, surveys.sun(trial.sample.surveys[0]))
    provenance = {"stage": "experiment", "trial": trial.to_json(), **counts}
    save_model(folder, rebuilt(network, plain), dataclasses.replace(plain, provenance=provenance))


def _train_trees(
    trial: Trial, settings: Settings, surveys: Surveys, kept: Path, folder: Path, unfinished: Path
) -> Mapping[str, Any]:
    """Trees are grown in a minute or two: a training that is stopped begins anew."""
    from exsitu.model.network import seen_from
    from exsitu.model.trees import fit_trees, save_trees

    del kept, unfinished
    if trial.start or trial.hidden:
        raise InputError(f"{trial.says}: trees have no layers and go on from nothing; leave start, layers, hidden out")
    training, validation, counts = _samples(trial, settings, surveys)
    card = _card(trial, surveys, training, ())
    plan = _plan(settings, len(training))
    seed = _seeds(trial, settings)[1]
    booster, history = fit_trees(card, training, validation, plan, max_epochs=most_epochs(trial, settings), seed=seed)
    plain = seen_from(card, surveys.sun(trial.sample.surveys[0]))
    provenance = {"stage": "experiment", "trial": trial.to_json(), **counts}
    save_trees(folder, booster, dataclasses.replace(plain, provenance=provenance))
    return _told(counts, history, folder)


Trainer = Callable[[Trial, Settings, Surveys, Path, Path, Path], Mapping[str, Any]]
"""Takes a trial, settings, surveys, the experiments' folder, the folder to fill and one for checkpoints."""

TRAINERS: Mapping[str, Trainer] = MappingProxyType({"network": _train_network, "trees": _train_trees})
"""How a trial of each kind is trained; how its model scores stars says `exsitu.experiments.scoring`."""
