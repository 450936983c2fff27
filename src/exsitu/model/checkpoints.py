"""The state of a training after its last epoch, in one file, from which it goes on to the same bits.

One file, because a rename puts one file in place at once: weights and the numbers that belong to them never part.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exsitu.errors import InputError
from exsitu.model.blocks import ShuffledChunks
from exsitu.model.runtime import keras
from exsitu.provenance import publish_file

FILE = "checkpoint.npz"

_KEPT = {
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.EarlyStopping: ("best", "wait", "best_epoch", "stopped_epoch"),
}


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """
    Write the state after each epoch, and go on from it.

    Parameters
    ----------
    folder : Path
        Where the file is; made if need be.
    identity : mapping of str to str
        What the training is of, part by part.
    schedulers : sequence of keras.callbacks.Callback
        Those whose state decides how a training goes on: plateau and early stopping. Both, and whatever fills
        `history`, must come before this one in the callbacks.
    history : list of dict
        Numbers of each epoch; filled when a training goes on.
    chunks : ShuffledChunks
        What the training reads.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, str],
        schedulers: Sequence[Any],
        history: list[dict[str, float]],
        chunks: ShuffledChunks,
    ) -> None:
        super().__init__()
        self._path, self._identity = folder / FILE, dict(identity)
        self._schedulers, self._history, self._chunks = schedulers, history, chunks
        self._chunks_an_epoch = 0
        self._held: tuple[dict[str, Any], dict[str, Any]] | None = None

    def restore(self, model: Any, max_epochs: int, chunks_an_epoch: int) -> int:
        """
        Give a compiled model, the history and the reader the state they had, if there is one.

        Parameters
        ----------
        model : keras.Model
            What `fit` will train.
        max_epochs : int
            Most epochs of the training.
        chunks_an_epoch : int
            Chunks read in an epoch.

        Returns
        -------
        int
            Where `fit` begins: 0 without a state, `max_epochs` if the training had stopped.

        Raises
        ------
        InputError
            If the file is no checkpoint or is one of another training.
        """
        self._chunks_an_epoch = chunks_an_epoch
        if not self._path.exists():
            return 0
        state, arrays = _read(self._path)
        differing = [name for name, found in self._identity.items() if state["identity"].get(name) != found]
        if differing:
            raise InputError(
                f"{self._path} is of a training with other {', '.join(differing)}; remove it or name another folder"
            )
        if state["epoch"] > max_epochs:
            raise InputError(f"{self._path} is of epoch {state['epoch']}, past the {max_epochs} asked for; remove it")
        model.optimizer.build(model.trainable_variables)
        model.set_weights(_numbered(arrays, "weights"))
        for variable, value in zip(model.optimizer.variables, _numbered(arrays, "optimizer"), strict=True):
            variable.assign(value)
        self._history[:] = state["history"]
        self._chunks.go_on(state["order"])
        self._held = state, arrays
        return max_epochs if state["stopped"] else int(state["epoch"])

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Give the schedulers their state: Keras has just cleared it."""
        del logs
        if self._held is None:
            return
        state, arrays = self._held
        for scheduler in self._schedulers:
            for name, value in state["schedulers"][type(scheduler).__name__].items():
                setattr(scheduler, name, value)
            if isinstance(scheduler, keras.callbacks.EarlyStopping):
                scheduler.best_weights = _numbered(arrays, "best") or None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the state."""
        del logs
        state = {
            "identity": self._identity,
            "epoch": epoch + 1,
            "stopped": bool(self.model.stop_training),
            "history": self._history,
            "order": self._chunks.state_at((epoch + 1) * self._chunks_an_epoch),
            "schedulers": {
                type(s).__name__: {name: getattr(s, name) for name in _KEPT[type(s)]} for s in self._schedulers
            },
        }
        best = next((s.best_weights for s in self._schedulers if isinstance(s, keras.callbacks.EarlyStopping)), None)
        arrays = {
            f"{group}/{i}": np.asarray(array)
            for group, held in (
                ("weights", self.model.get_weights()),
                ("optimizer", [keras.ops.convert_to_numpy(v) for v in self.model.optimizer.variables]),
                ("best", best or []),
            )
            for i, array in enumerate(held)
        }
        with publish_file(self._path) as staged:
            np.savez(staged, allow_pickle=False, state=np.array(json.dumps(state)), **arrays)


def _numbered(arrays: Mapping[str, Any], group: str) -> list[Any]:
    """Arrays of a group, in order."""
    count = sum(name.startswith(f"{group}/") for name in arrays)
    return [arrays[f"{group}/{i}"] for i in range(count)]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """State and arrays of a file; pickled objects are refused, never run."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return json.loads(str(arrays.pop("state"))), arrays
    except (ValueError, OSError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a checkpoint ({error}); remove it to train from the start") from None
