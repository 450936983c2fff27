"""Training as the paper does it (Sec. 4.2), in chunks of optimiser steps that run compiled.

Each epoch passes `draws_per_star` times over the stars. Every pass shuffles them anew and gives every star a fresh draw
of its measured inputs, Normal(observed, error), errors uncorrelated. The rows of a pass follow those of the one before
without a gap, so that batches all have the same size and no star is left out. ``Model.fit`` drives; each of its "steps"
is up to 64 optimiser steps in one XLA-compiled loop, because a call into TensorFlow costs more than a batch.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from exsitu.errors import InputError
from exsitu.model.inputs import Float32s, Stars
from exsitu.model.network import require_inputs
from exsitu.model.runtime import keras, tf
from exsitu.settings import Training

OnEpoch = Callable[[int, dict[str, float]], None]

_STEPS_PER_CHUNK = 64
_ROWS_PER_CHUNK = 1 << 17  # holds a chunk of unusually large batches to some ten MB
_VALIDATION_ROWS = 1 << 13


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


def schedule(stars: Stars, plan: Training) -> Schedule:
    """
    Cut a sample into batches that hold a stated number of accreted stars on average.

    Parameters
    ----------
    stars : Stars
        Training sample with stars of both classes.
    plan : Training
        Draws a star and accreted stars a batch.

    Returns
    -------
    Schedule

    Notes
    -----
    Paper, Sec. 4.2: batch = accreted_per_batch * N / N_accreted (565 without line-of-sight velocities, 915 with), here
    never above N. An epoch is the nearest whole number of chunks to `draws_per_star` passes, and at least one: of a
    very small sample it can hold more draws than asked for.
    """
    n = len(stars)
    batch = min(n, max(1, round(plan.accreted_per_batch * n / stars.accreted)))
    steps = max(1, round(plan.draws_per_star * n / batch))
    longest = max(1, min(_STEPS_PER_CHUNK, _ROWS_PER_CHUNK // batch))
    chunks = math.ceil(steps / longest)
    return Schedule(batch, math.ceil(steps / chunks), chunks)


def class_weights(stars: Stars, plan: Training) -> tuple[float, float]:
    """
    Weights of in-situ and accreted stars in the loss.

    Parameters
    ----------
    stars : Stars
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


def _require_both_classes(stars: Stars, name: str) -> None:
    for count, what in ((stars.accreted, "accreted"), (len(stars) - stars.accreted, "in situ")):
        if count == 0:
            raise InputError(
                f"{name}: 0 of {len(stars)} stars are labelled {what}; a network needs some of both: take more stars "
                "(samples in params.yaml) or a selection that finds some (labels)"
            )


def _table(stars: Stars, weights: tuple[float, float], exact: int) -> Float32s:
    """Rows a chunk is cut from: inputs, errors of all but the first `exact` inputs, label, weight in the loss."""
    weight = np.where(stars.label > 0, np.float32(weights[1]), np.float32(weights[0]))
    if stars.weight is not None:
        weight = weight * stars.weight
    values = stars.values  # noqa: PD011 - no pandas here
    return np.concatenate(
        [values, stars.errors[:, exact:], stars.label[:, None], weight[:, None]], axis=1, dtype=np.float32
    )


def _shuffled(n: int, size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Row numbers in pieces of one size, pass after pass without end, each pass in an order of its own."""
    rng = np.random.default_rng(seed)
    waiting = np.empty(0, np.int64)
    while True:
        while len(waiting) < size:
            waiting = np.concatenate([waiting, rng.permutation(n)])
        yield waiting[:size]
        waiting = waiting[size:]


def _training_chunks(table: Float32s, cut: Schedule, seed: int) -> Iterator[tuple[Float32s, np.int32]]:
    """Rows of each chunk and the number of its first optimiser step."""
    for chunk, rows in enumerate(_shuffled(len(table), cut.rows, seed)):
        yield table[rows], np.int32(chunk * cut.steps_per_chunk)


def _validation_blocks(table: Float32s, draws: int) -> Iterator[tuple[Float32s, np.int32, np.int32]]:
    """Rows of each block (the last one of an epoch filled up), its running number, and how many rows count."""
    total, number = draws * len(table), 0
    while True:
        for start in range(0, total, _VALIDATION_ROWS):
            rows = np.arange(start, start + _VALIDATION_ROWS) % len(table)
            yield table[rows], np.int32(number), np.int32(min(_VALIDATION_ROWS, total - start))
            number += 1


def _draw(rows: Any, width: int, exact: int, seed: Any) -> Any:
    """
    One draw of each star's inputs from its errors.

    Rows are as `_table` makes them, of `width` inputs of which the first `exact` have no errors; the seed is two
    integers, and the same seed gives the same draws.
    """
    noise = tf.random.stateless_normal([rows.shape[0], width - exact], seed, alg="philox")
    drawn = rows[:, exact:width] + rows[:, width : 2 * width - exact] * noise
    return tf.concat([rows[:, :exact], drawn], axis=1)


class _Chunked(keras.Model):  # type: ignore[misc]  # Keras ships no types
    """The network up to its logit, trained a chunk of steps at a call; shares its layers with the network."""

    def __init__(self, network: Any, cut: Schedule, exact: int, seeds: tuple[int, int]) -> None:
        super().__init__(inputs=network.inputs, outputs=network.get_layer("last").output, name="chunked")
        self._cut = cut
        self._width = network.input_shape[1]
        self._exact = exact
        self._training_seed, self._validation_seed = seeds
        self._mean_loss = keras.metrics.Mean(name="loss")

    @property
    def metrics(self) -> list[Any]:
        """What Keras resets between epochs."""
        return [self._mean_loss]

    def _weighted_losses(self, rows: Any, seed: Any, *, training: bool) -> Any:
        """Weighted cross-entropy (paper, Eq. 4) of one draw of each row, from logits; shape (n_rows, 1)."""
        logits = self(_draw(rows, self._width, self._exact, seed), training=training)
        return rows[:, -1:] * tf.nn.sigmoid_cross_entropy_with_logits(rows[:, -2:-1], logits)

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Take the optimiser steps of a chunk."""
        rows, first = data
        batches = tf.reshape(rows, [self._cut.steps_per_chunk, self._cut.batch, -1])
        batches.set_shape([None, None, rows.shape[1]])
        variables = self.trainable_variables

        def step(i: Any, total: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(
                    self._weighted_losses(batches[i], tf.stack([self._training_seed, first + i]), training=True)
                )
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            return i + 1, total + loss

        count = self._cut.steps_per_chunk
        _, total = tf.while_loop(
            lambda i, _: i < count, step, (tf.constant(0), tf.constant(0.0)), parallel_iterations=1
        )
        self._mean_loss.update_state(total / count)
        return {"loss": self._mean_loss.result()}

    def test_step(self, data: tuple[Any, Any, Any]) -> dict[str, Any]:
        """Average the loss over a block of validation rows."""
        rows, number, counted = data
        losses = self._weighted_losses(rows, tf.stack([self._validation_seed, number]), training=False)[:, 0]
        real = tf.cast(tf.range(rows.shape[0]) < counted, tf.float32)
        stars = tf.cast(counted, tf.float32)
        self._mean_loss.update_state(tf.reduce_sum(losses * real) / stars, sample_weight=stars)
        return {"loss": self._mean_loss.result()}


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """A bar over all epochs, counted in draws."""

    def __init__(self, cut: Schedule, max_epochs: int, *, shown: bool) -> None:
        super().__init__()
        total = max_epochs * cut.chunks * cut.rows
        self._rows = cut.rows
        self._bar = tqdm(total=total, unit="draw", unit_scale=True, desc="training", disable=not shown)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Advance."""
        del batch, logs
        self._bar.update(self._rows)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show the losses."""
        self._bar.set_postfix({"epoch": epoch + 1, **{k: f"{v:.4g}" for k, v in (logs or {}).items()}})

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


def _dataset(chunks: Callable[[], Iterator[Any]], rows: int, columns: int, counters: int) -> Any:
    """Chunks as TensorFlow takes them: a block of rows of fixed shape, then integers."""
    signature = (tf.TensorSpec((rows, columns), tf.float32), *itertools.repeat(tf.TensorSpec((), tf.int32), counters))
    return tf.data.Dataset.from_generator(chunks, output_signature=signature).prefetch(1)


def train(
    network: Any,
    training: Stars,
    validation: Stars,
    plan: Training,
    *,
    max_epochs: int,
    seed: int,
    learning_rate: float | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """
    Train a network in place; it ends with the weights of the epoch of least validation loss.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it; layers that are not trainable stay as they are.
    training, validation : Stars
        Raw inputs with errors and labels.
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

    Returns
    -------
    DataFrame
        One row an epoch: epoch, loss, val_loss, learning_rate, best (True for the epoch whose weights were kept).

    Raises
    ------
    InputError
        If a sample is not finite, lacks a class or has other columns than the network, or the loss diverges.

    Notes
    -----
    Paper, Sec. 4.2. Loss: Eq. 4 with the weights of Eq. 5, from logits. Adam; the learning rate falls on a plateau of
    the validation loss. Validation stars are drawn as often as training stars, anew each epoch, and weighted as the
    training sample's classes are, so that the two losses compare.
    """
    for stars, name in ((training, "training"), (validation, "validation")):
        require_inputs(network, stars)
        stars.require_usable(name)
        _require_both_classes(stars, name)
    cut, weights = schedule(training, plan), class_weights(training, plan)
    exact = _leading_exact(training, validation)
    tables = [_table(stars, weights, exact) for stars in (training, validation)]
    order, *noise = (int(s) for s in np.random.SeedSequence(seed).generate_state(3) >> 1)
    model = _Chunked(network, cut, exact, (noise[0], noise[1]))
    model.compile(optimizer=keras.optimizers.Adam(learning_rate or plan.learning_rate), jit_compile=True)
    record = _Record(on_epoch)
    columns = tables[0].shape[1]
    model.fit(
        _dataset(lambda: _training_chunks(tables[0], cut, order), cut.rows, columns, 1),
        steps_per_epoch=cut.chunks,
        validation_data=_dataset(
            lambda: _validation_blocks(tables[1], plan.draws_per_star), _VALIDATION_ROWS, columns, 2
        ),
        validation_steps=math.ceil(plan.draws_per_star * len(validation) / _VALIDATION_ROWS),
        epochs=max_epochs,
        callbacks=[*_schedulers(plan), record, _Progress(cut, max_epochs, shown=progress)],
        shuffle=False,
        verbose=0,
    )
    history = pd.DataFrame(record.rows)
    return history.assign(best=history["val_loss"].index == history["val_loss"].idxmin())


def _leading_exact(*samples: Stars) -> int:
    """How many inputs, counted from the first, no sample has an error of: these need no draws."""
    uncertain = np.any([stars.errors.any(axis=0) for stars in samples], axis=0)
    return int(np.argmax(uncertain)) if uncertain.any() else len(uncertain)


def _schedulers(plan: Training) -> list[Any]:
    """Keras's callbacks that lower the learning rate and that stop."""
    plateau = plan.plateau
    return [
        keras.callbacks.ReduceLROnPlateau(
            "val_loss", factor=plateau.factor, patience=plateau.patience, min_lr=plateau.floor, min_delta=0.0
        ),
        keras.callbacks.EarlyStopping("val_loss", patience=plan.stop_patience, restore_best_weights=True, mode="min"),
    ]
