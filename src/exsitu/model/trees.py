"""Gradient-boosted trees in the network's place: the same stars, weights, draws of the errors and representation."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.model.inputs import Float32s, Stars, correlated_pairs
from exsitu.model.network import CARD, ModelCard
from exsitu.model.representations import representation
from exsitu.model.training import class_weights
from exsitu.provenance import publish_file, read_json, write_json
from exsitu.settings import Training

TREES = "trees.json"

TREES_PER_EPOCH = 50
_GROWTH: Mapping[str, Any] = MappingProxyType(
    {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 6, "eta": 0.1, "min_child_weight": 20.0}
)
"""A star's draws weigh one star together, so that a leaf holds more than the draws of a single one."""

_MOST_DRAWS = 1 << 23
"""An epoch's draws lie in memory at once."""


def fit_trees(
    card: ModelCard, training: Stars, validation: Stars, plan: Training, *, max_epochs: int, seed: int
) -> tuple[Any, pd.DataFrame]:
    """
    Grow trees on draws of the stars' errors.

    Parameters
    ----------
    card : ModelCard
        Representation and inputs; it has no hidden layers.
    training, validation : Stars
        Raw inputs with errors and labels; the second say when to stop.
    plan : Training
        Draws a star and epoch, class weights, patience.
    max_epochs : int
        Most epochs; each grows `TREES_PER_EPOCH` trees more, on draws of its own.
    seed : int
        Of the draws. The same seed, stars and machine give the same trees.

    Returns
    -------
    booster : xgboost.Booster
        The trees up to the epoch of least validation loss.
    history : DataFrame
        As `exsitu.model.training.train` gives it, without a learning rate.

    Raises
    ------
    InputError
        If a sample is not finite or lacks a class.

    Notes
    -----
    XGBoost (Chen & Guestrin 2016). Weights and loss are the network's (paper, Eqs. 4 and 5).
    """
    import xgboost

    for stars, name in ((training, "training"), (validation, "validation")):
        stars.require_usable(name)
        if stars.accreted in {0, len(stars)}:
            raise InputError(f"{name}: {stars.accreted} of {len(stars)} stars are labelled accreted; take more stars")
    layer, rng = representation(card.representation)(**card.constants), np.random.default_rng(seed)
    weights, grown = class_weights(training, plan), dict(_GROWTH, seed=seed & 0x7FFFFFFF, nthread=1)
    booster, best, rows = None, None, []
    for epoch in range(1, max_epochs + 1):
        taught = _matrix(layer, training, plan.draws_per_star, weights, rng)
        watched = _matrix(layer, validation, plan.draws_per_star, weights, rng, like=taught)
        booster = xgboost.train(grown, taught, TREES_PER_EPOCH, xgb_model=booster)
        loss, val_loss = _loss(booster, taught) / len(training), _loss(booster, watched) / len(validation)
        rows.append({"epoch": epoch, "loss": loss, "val_loss": val_loss})
        losses = [row["val_loss"] for row in rows]
        if losses[-1] == min(losses):
            best = booster
        elif epoch - 1 - int(np.argmin(losses)) >= plan.stop_patience:
            break
    history = pd.DataFrame(rows)
    return best, history.assign(best=history.index == history["val_loss"].idxmin())


def _matrix(
    layer: Any,
    stars: Stars,
    draws: int,
    weights: tuple[float, float],
    rng: np.random.Generator,
    like: Any = None,
) -> Any:
    """Draws of the stars as the trees take them, each star weighing as in the network's loss."""
    import xgboost

    count = max(1, min(draws, _MOST_DRAWS // len(stars)))
    features = np.concatenate([_features(layer, _drawn(stars, rng)) for _ in range(count)])
    each = np.where(stars.label > 0, weights[1], weights[0]) * (1.0 if stars.weight is None else stars.weight) / count
    return xgboost.QuantileDMatrix(
        features, label=np.tile(stars.label, count), weight=np.tile(each, count), ref=like, nthread=1
    )


def _drawn(stars: Stars, rng: np.random.Generator) -> Float32s:
    """One draw of each star from its errors, or from its covariance where it has one."""
    diagonal, below = stars.factor()
    noise = rng.standard_normal(diagonal.shape, np.float32)
    drawn = stars.values + diagonal * noise  # noqa: PD011 - not a table's
    for k, (i, j) in enumerate(correlated_pairs(stars.columns) if below.shape[1] else ()):
        drawn[:, i] += below[:, k] * noise[:, j]
    return drawn


def _features(layer: Any, values: Float32s) -> Float32s:
    found: Float32s = np.asarray(layer(values), np.float32)
    return found


def _loss(booster: Any, matrix: Any) -> float:
    """Weighted cross-entropy (paper, Eq. 4), summed over stars: the draws of one weigh one together."""
    logit = booster.predict(matrix, output_margin=True).astype(np.float64)
    label, weight = matrix.get_label(), matrix.get_weight().astype(np.float64)
    return float(np.sum(weight * (np.logaddexp(0.0, logit) - label * logit)))


def save_trees(folder: Path, booster: Any, card: ModelCard) -> ModelCard:
    """
    Write ``trees.json`` and then ``model.json``, each atomically.

    Parameters
    ----------
    folder : Path
        Where to write.
    booster : xgboost.Booster
        The trees.
    card : ModelCard
        Their card.

    Returns
    -------
    ModelCard
        The card with the SHA-256 of the trees.
    """
    content = bytes(booster.save_raw("json"))
    with publish_file(folder / TREES) as staged:
        staged.write_bytes(content)
    saved = dataclasses.replace(card, weights_sha256=hashlib.sha256(content).hexdigest())
    write_json(folder / CARD, {**saved.to_json(), "digest": saved.digest})
    return saved


def load_trees(folder: Path) -> tuple[Any, ModelCard]:
    """
    Read trees, once their digest is right.

    Parameters
    ----------
    folder : Path
        As `save_trees` wrote it.

    Returns
    -------
    booster : xgboost.Booster
        The trees.
    card : ModelCard
        Their card.

    Raises
    ------
    InputError
        If a file is missing or was changed.
    """
    import xgboost

    try:
        held, content = read_json(folder / CARD), (folder / TREES).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"no trees in {folder}: {Path(error.filename).name} is missing; train them first") from None
    card = ModelCard.from_json(held)
    found = hashlib.sha256(content).hexdigest()
    if (held.get("digest"), card.weights_sha256) != (card.digest, found):
        raise InputError(f"{folder}: {TREES} or {CARD} was changed after it was written; train the trees again")
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    return booster, card


def tree_scores(booster: Any, card: ModelCard, values: NDArray[np.float32]) -> Float32s:
    """
    Scores of stars given as an array.

    Parameters
    ----------
    booster : xgboost.Booster
        As `load_trees` gives it.
    card : ModelCard
        Its card, or that which `exsitu.model.network.seen_from` makes of it for another survey.
    values : ndarray of float32, shape (n_stars, n_inputs)
        Raw inputs in the card's order.

    Returns
    -------
    ndarray of float32, shape (n_stars,)
        NaN where an input is not finite.
    """
    layer = representation(card.representation)(**card.constants)
    scores = np.asarray(booster.inplace_predict(_features(layer, values)), np.float32)
    scores[~np.isfinite(values).all(axis=1)] = np.nan
    return scores
