"""Transfer to another galaxy (paper, Sec. 7): some layers learn on, from labels that the galaxy itself gives."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from exsitu.columns import nearest
from exsitu.errors import InputError
from exsitu.model.inputs import Stars
from exsitu.model.training import OnEpoch, train
from exsitu.settings import Training

_LAYERS = {"first": ("first",), "last": ("last",), "first_last": ("first", "last")}

TRAINABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"none": (), **{f"{label}_{name}": layers for label in ("vm", "zm") for name, layers in _LAYERS.items()}}
)
"""Layers that learn in each variant; the part of its name before the first underscore says whose labels it takes."""


def label_source(variant: str) -> str | None:
    """
    Selection whose labels a variant takes.

    Parameters
    ----------
    variant : str
        A key of ``TRAINABLE``.

    Returns
    -------
    str or None
        ``"vm"`` or ``"zm"``; None where nothing is learnt.

    Raises
    ------
    InputError
        If there is no such variant.
    """
    if variant not in TRAINABLE:
        known = ", ".join(TRAINABLE)
        raise InputError(f"no transfer variant {variant!r}{nearest(variant, TRAINABLE)}; known: {known}")
    return variant.split("_", maxsplit=1)[0] if TRAINABLE[variant] else None


def transfer(
    network: Any,
    variant: str,
    training: Stars,
    validation: Stars,
    plan: Training,
    *,
    learning_rate: float,
    max_epochs: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
    progress: bool = False,
    checkpoints: Path | None = None,
) -> pd.DataFrame:
    """
    Go on training some layers in place; all others keep every bit.

    Parameters
    ----------
    network : keras.Model
        A pretrained network.
    variant : str
        A key of ``TRAINABLE``; ``"none"`` leaves the network alone.
    training, validation : Stars
        Stars of the new galaxy; their labels come from the selection the variant names.
    plan : Training
        As for `train`: the batch follows from the labels as it does there, N / N_labelled stars for each of
        `accreted_per_batch`. A smaller one lets the first layer forget what it learnt.
    learning_rate : float
        Initial learning rate; the paper's is 1e-4.
    max_epochs : int
        Most epochs.
    seed : int
        Order of the stars and draws of their errors.
    on_epoch : callable, optional
        As for `train`.
    progress : bool
        Show a progress bar on standard error.
    checkpoints : Path, optional
        As for `train`.

    Returns
    -------
    DataFrame
        As `train` returns it; empty for ``"none"``.

    Raises
    ------
    InputError
        If there is no such variant, or `train` refuses the samples.

    Notes
    -----
    Paper, Sec. 7.2. The representation is never trained: its constants stay those of the pretraining.
    """
    if label_source(variant) is None:
        return pd.DataFrame(columns=["epoch", "loss", "val_loss", "learning_rate", "best"])
    before = {layer.name: layer.trainable for layer in network.layers}
    try:
        for layer in network.layers:
            layer.trainable = layer.name in TRAINABLE[variant]
        return train(
            network,
            training,
            validation,
            plan,
            max_epochs=max_epochs,
            seed=seed,
            learning_rate=learning_rate,
            on_epoch=on_epoch,
            progress=progress,
            checkpoints=checkpoints,
        )
    finally:
        for layer in network.layers:
            layer.trainable = before[layer.name]
