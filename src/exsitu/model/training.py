"""Training as the paper does it (Sec. 4.2), in chunks of optimiser steps that run compiled.

Each epoch passes `draws_per_star` times over the stars. Every pass shuffles them anew and gives every star a fresh draw
of its measured inputs, Normal(observed, error), errors uncorrelated unless the stars carry correlations. The rows of a
pass follow those of the one before without a gap, so that batches all have the same size and no star is left out.
``Model.fit`` drives; each of its "steps" is up to 128 optimiser steps in one compiled loop, because a call costs more
than a batch (`exsitu.model.steps`).
"""

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from exsitu.errors import InputError
from exsitu.model.blocks import ShuffledChunks, Table, ValidationBlocks, leading_exact, table
from exsitu.model.checkpoints import Checkpoint
from exsitu.model.inputs import Float32s, Stars
from exsitu.model.network import require_inputs, weights_of
from exsitu.model.runtime import keras, tf
from exsitu.model.steps import Steps
from exsitu.progress import bar
from exsitu.provenance import sha256_json
from exsitu.settings import Training

OnEpoch = Callable[[int, dict[str, float]], None]

_STEPS_PER_CHUNK = 128
_ROWS_PER_CHUNK = 1 << 17  # holds a chunk of unusually large batches to some ten MB


@dataclass(frozen=True)
class Schedule:
    """
    How a sample is cut into optimiser steps.

    Parameters
    ----------
    batch : int
        Stars in an optimiser step.
    steps_per_chunk : int
        Optimiser steps in a compiled chunk.
    chunks : int
        Chunks in an epoch.
    """

    batch: int
    steps_per_chunk: int
    chunks: int

    @property
    def rows(self) -> int:
        """Stars in a chunk."""
        return self.batch * self.steps_per_chunk


def schedule(stars: Stars | Table, plan: Training) -> Schedule:
    """
    Cut a sample into batches that hold a stated number of accreted stars on average.

    Parameters
    ----------
    stars : Stars or Table
        Training sample with stars of both classes.
    plan : Training
        Draws a star and accreted stars a batch.

    Returns
    -------
    Schedule

    Raises
    ------
    InputError
        If there are fewer stars than cores.

    Notes
    -----
    Paper, Sec. 4.2: batch = accreted_per_batch * N / N_accreted (565 without line-of-sight velocities, 915 with), here
    never above N, and a multiple of the cores that share it. An epoch is the nearest whole number of chunks to
    `draws_per_star` passes, and at least one: of a very small sample it can hold more draws than asked for.
    """
    n, cores = len(stars), plan.cores
    if cores > n:
        raise InputError(f"{cores} cores for {n} stars; lower training.cores")
    batch = cores * min(n // cores, max(1, round(plan.accreted_per_batch * n / stars.accreted / cores)))
    steps = max(1, round(plan.draws_per_star * n / batch))
    longest = max(1, min(_STEPS_PER_CHUNK, _ROWS_PER_CHUNK // batch))
    chunks = math.ceil(steps / longest)
    return Schedule(batch, math.ceil(steps / chunks), chunks)


def class_weights(stars: Stars | Table, plan: Training) -> tuple[float, float]:
    """
    Weights of in-situ and accreted stars in the loss.

    Parameters
    ----------
    stars : Stars or Table
        Training sample with stars of both classes.
    plan : Training
        Holds the factor of the accreted class.

    Returns
    -------
    in_situ, accreted : float
        N / N_in_situ and accreted_weight * N / N_accreted (paper, Eq. 5).
    """
    n = len(stars)
    return n / (n - stars.accreted), plan.accreted_weight * n / stars.accreted


def _require_both_classes(stars: Stars | Table, name: str) -> None:
    for count, what in ((stars.accreted, "accreted"), (len(stars) - stars.accreted, "in situ")):
        if count == 0:
            raise InputError(
                f"{name}: 0 of {len(stars)} stars are labelled {what}; a network needs some of both: take more stars "
                "(samples in params.yaml) or a selection that finds some (labels)"
            )


class _Mean:
    """The mean of an epoch's losses so far: Keras takes the last one it is told for the epoch's."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def with_(self, mean: float, count: int) -> float:
        """Take more losses in, by their mean and number."""
        self._sum, self._count = self._sum + mean * count, self._count + count
        return self._sum / self._count


class _Chunked(keras.Model):  # type: ignore[misc]  # Keras ships no types
    """The network up to its logit, trained a chunk of steps at a call; shares its layers with the network."""

    steps: Steps
    chunks: Iterator[tuple[int, Float32s]]
    blocks: Iterator[tuple[Float32s, int, int]]

    def __init__(self, network: Any, cut: Schedule) -> None:
        super().__init__(inputs=network.inputs, outputs=network.get_layer("last").output, name="chunked")
        self._cut = cut
        self._ahead: Any = None

    @property
    def metrics(self) -> list[Any]:
        """None: Keras would put its own mean in the place of what a step returns."""
        return []

    def _changed(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Keras's variables that steps change: weights, and Adam's moments of them."""
        return self.trainable_variables, self.optimizer._momentums, self.optimizer._velocities  # noqa: SLF001

    def take_over(self) -> None:
        """Begin an epoch with what Keras's variables hold."""
        learnt, first, second = ([v.numpy() for v in part] for part in self._changed())
        fixed = [v.numpy() for v in self.non_trainable_variables]
        self.steps.begin((learnt, first, second), fixed, int(self.optimizer.iterations))
        self._learning_rate, self._losses = float(self.optimizer.learning_rate), _Mean()

    def begin_validation(self) -> None:
        """Forget the losses of training."""
        self._losses = _Mean()

    def hand_back(self) -> None:
        """End an epoch: what Keras's callbacks read and write are its variables."""
        for variable, value in zip(itertools.chain(*self._changed()), itertools.chain(*self.steps.state), strict=True):
            variable.assign(value)
        self.optimizer.iterations.assign(self.steps.done)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take the optimiser steps of the next chunk."""
        del data  # its number alone: TensorFlow need not copy the rows
        number, rows = self._ahead or next(self.chunks)
        count = self._cut.steps_per_chunk
        loss = self.steps.take(rows.reshape(count, self._cut.batch, -1), number * count, self._learning_rate)
        self._ahead = next(self.chunks)  # while the steps are being computed
        return {"loss": self._losses.with_(float(loss), count)}

    def test_step(self, data: Any) -> dict[str, Any]:
        """Average the loss over the next block of validation rows."""
        del data
        rows, number, counted = next(self.blocks)
        losses = self.steps.losses(rows, number)
        return {"loss": self._losses.with_(losses[:counted].mean(dtype=np.float64), counted)}


class _Epochs(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Give each epoch Keras's variables and blocks of validation rows, and Keras what became of them; comes first."""

    def __init__(self, blocks: ValidationBlocks) -> None:
        super().__init__()
        self._blocks = blocks

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Begin."""
        del logs
        self.model.take_over()
        self.model.blocks = self._blocks(epoch)

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Keep losses of validation apart from those of training."""
        del logs
        self.model.begin_validation()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """End."""
        del epoch, logs
        self.model.hand_back()


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """A bar over all epochs with draws a second and the time left, if training does not stop early."""

    def __init__(self, cut: Schedule, max_epochs: int, *, shown: bool, done: int = 0) -> None:
        super().__init__()
        epoch = cut.chunks * cut.rows
        self._rows = cut.rows
        self._bar = bar(max_epochs * epoch, "training", unit="draw", shown=shown, done=done * epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Advance."""
        del batch, logs
        self._bar.update(self._rows)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show the losses."""
        numbers = (f"{name} {value:.4g}" for name, value in (logs or {}).items())
        self._bar.set_postfix_str(", ".join((f"epoch {epoch + 1}", *numbers)))

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Leave the bar as it stands."""
        del logs
        self._bar.close()


class _Record(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Collect the epochs, hand each on, stop on a loss that is not finite."""

    def __init__(self, on_epoch: OnEpoch | None) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []
        self._on_epoch = on_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keep the epoch's numbers."""
        numbers = {name: float((logs or {})[name]) for name in ("loss", "val_loss", "learning_rate")}
        if not all(math.isfinite(v) for v in numbers.values()):
            raise InputError(
                f"training diverged in epoch {epoch + 1}: {numbers}; lower the learning rate or look for extreme inputs"
            )
        self.rows.append({"epoch": epoch + 1, **numbers})
        if self._on_epoch is not None:
            self._on_epoch(epoch + 1, numbers)


def train(
    network: Any,
    training: Stars | Table,
    validation: Stars,
    plan: Training,
    *,
    max_epochs: int,
    seed: int,
    learning_rate: float | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = False,
    checkpoints: Path | None = None,
) -> pd.DataFrame:
    """
    Train a network in place; it ends with the weights of the epoch of least validation loss.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it; layers that are not trainable stay as they are.
    training : Stars or Table
        Raw inputs with errors and labels; a table, if memory does not hold them (`write_table`).
    validation : Stars
        Likewise.
    plan : Training
        Draws, batch, weights, learning rate, patience.
    max_epochs : int
        Most epochs.
    seed : int
        Order of the stars and draws of their errors. The same seed, data and machine give the same bits.
    learning_rate : float, optional
        Instead of the plan's.
    on_epoch : callable, optional
        Called after each epoch with its number, from 1, and its loss, validation loss and learning rate.
    progress : bool
        Show a progress bar on standard error.
    checkpoints : Path, optional
        Folder to keep the state of the training in, written after each epoch. A training that finds one there goes on
        after its last epoch and ends with the bits it would have ended with; `on_epoch` is not called again for epochs
        that are done.

    Returns
    -------
    DataFrame
        One row an epoch: epoch, loss, val_loss, learning_rate, best (True for the epoch whose weights were kept).

    Raises
    ------
    InputError
        If a sample is not finite, lacks a class or has other columns than the network, a covariance is not positive
        definite, one sample has correlations and the other has none, the checkpoint is of another training, or the
        loss diverges.

    Notes
    -----
    Paper, Sec. 4.2. Loss: Eq. 4 with the weights of Eq. 5, from logits. Adam; the learning rate falls on a plateau of
    the validation loss. Validation stars are drawn as often as training stars, anew each epoch, and weighted as the
    training sample's classes are, so that the two losses compare.
    """
    for stars, name in ((training, "training"), (validation, "validation")):
        require_inputs(network, cast("Stars", stars))  # asks for the columns alone
        if isinstance(stars, Stars):
            stars.require_usable(name)
        _require_both_classes(stars, name)
    cut, weights = schedule(training, plan), class_weights(training, plan)
    order, *noise = (int(s) for s in np.random.SeedSequence(seed).generate_state(3) >> 1)
    tables = _tables(training, validation, order)
    model = _Chunked(network, cut)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate or plan.learning_rate), run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    model.steps = Steps(network, model.optimizer, tables[0], weights, (noise[0], noise[1]), plan.cores)
    shuffled, blocks = ShuffledChunks(tables[0], cut.rows, order), ValidationBlocks(tables[1], plan.draws_per_star)
    schedulers, record = _schedulers(plan), _Record(on_epoch)
    saving, done = [], 0
    if checkpoints is not None:
        rate = learning_rate or plan.learning_rate
        saver = Checkpoint(checkpoints, _identity(network, tables, plan, rate, seed), schedulers, record.rows, shuffled)
        done = saver.restore(model, max_epochs, cut.chunks)
        saving = [saver]
    model.chunks = shuffled()
    model.chunks = shuffled()
    model.fit(
        tf.data.Dataset.range(max_epochs * cut.chunks),
        steps_per_epoch=cut.chunks,
        validation_data=tf.data.Dataset.range(blocks.count),
        validation_steps=blocks.count,
        initial_epoch=done,
        epochs=max_epochs,
        callbacks=[
            _Epochs(blocks),
            *schedulers,
            record,
            *saving,
            _Progress(cut, max_epochs, shown=progress, done=done),
        ],
        shuffle=False,
        verbose=0,
    )
    history = pd.DataFrame(record.rows)
    return history.assign(best=history["val_loss"].index == history["val_loss"].idxmin())


def _tables(training: Stars | Table, validation: Stars, seed: int) -> tuple[Table, Table]:
    """Rows of both samples, laid out alike."""
    held = training
    if isinstance(held, Stars):
        held = table(held, leading_exact(held, validation), seed=seed)
    checked = table(validation, held.exact)
    if held.covariance != checked.covariance:
        has = {True: "correlations", False: "none"}
        raise InputError(
            f"training stars have {has[held.covariance]}, validation stars {has[checked.covariance]}; their noise must "
            "be drawn alike: load both with the same `covariance`"
        )
    return held, checked


def _identity(
    network: Any, tables: tuple[Table, Table], plan: Training, learning_rate: float, seed: int
) -> dict[str, str]:
    """What two trainings must share for one to go on where the other was stopped, by name."""
    start = hashlib.sha256()
    for name, weights in sorted(weights_of(network).items()):
        start.update(name.encode() + weights.tobytes())
    return {
        "training stars": tables[0].sha256,
        "validation stars": tables[1].sha256,
        "network": start.hexdigest(),
        "trained layers": sha256_json([layer.name for layer in network.layers if layer.trainable]),
        "plan": sha256_json({**plan.model_dump(mode="json"), "learning_rate": learning_rate}),
        "seed": str(seed),
    }


def _schedulers(plan: Training) -> list[Any]:
    """Keras's callbacks that lower the learning rate and that stop."""
    plateau = plan.plateau
    return [
        keras.callbacks.ReduceLROnPlateau(
            "val_loss", factor=plateau.factor, patience=plateau.patience, min_lr=plateau.floor, min_delta=0.0
        ),
        keras.callbacks.EarlyStopping("val_loss", patience=plan.stop_patience, restore_best_weights=True, mode="min"),
    ]
