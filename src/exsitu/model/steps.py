"""Optimiser steps on arrays, compiled by JAX: draws, loss, gradient and Adam, a chunk of steps a call.

Keras holds the network, its weights and its callbacks, and `fit` drives (`exsitu.model.training`); what a step does to
numbers is here. JAX, because its compiler makes the step a sixth faster than TensorFlow's on the same core, and because
it cuts the batches of one network between cores without a copy of the data in each (benchmarks/RESULTS.md).
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.model.blocks import VALIDATION_ROWS, Table

# One thread for each core a training was given, not one for each core of the machine: XLA reads this once.
os.environ["NPROC"] = "1"

import jax
import jax.numpy as jnp
from jax.extend.backend import clear_backends
from jax.flatten_util import ravel_pytree
from jax.sharding import NamedSharding, PartitionSpec

_CORES = "cores"
_VALIDATION_BLOCK = 1024
"""Rows of one matrix product of the validation: they stay in a core's second-level cache."""

Arrays = Sequence[Any]
State = tuple[Arrays, Arrays, Arrays]
"""Weights that learn, and Adam's first and second moments of them, in the order of Keras's `trainable_variables`."""


def _devices(cores: int) -> list[Any]:
    """As many devices: JAX's number of CPU devices is fixed while it runs, and one too many makes the others slower."""
    if jax.config.jax_num_cpu_devices != cores:
        clear_backends()
        jax.config.update("jax_num_cpu_devices", cores)
    found = jax.devices()
    if len(found) < cores:
        raise InputError(f"a training on {cores} cores: JAX has {len(found)} devices here; lower training.cores")
    return list(found[:cores])


def draw(rows: Any, layout: Table, key: Any) -> Any:
    """
    Draw each star's inputs once from its errors, or from its covariance where rows hold one.

    Parameters
    ----------
    rows : array, shape (n_rows, width)
        Stars as `exsitu.model.blocks` lays them out.
    layout : Table
        The table they are of.
    key : jax.Array
        Seed; the same key gives the same draws.

    Returns
    -------
    array, shape (n_rows, n_inputs)
        Normal(observed, error), in physical units (paper, Sec. 4.2).
    """
    width, exact = len(layout.columns), layout.exact
    normal = jax.random.normal(key, (width - exact, rows.shape[0]))
    inputs = [rows[:, i] for i in range(width)]
    for i in range(exact, width):
        inputs[i] += rows[:, width + i - exact] * normal[i - exact]
    for k, (i, j) in enumerate(layout.pairs):
        inputs[i] += rows[:, 2 * width - exact + k] * normal[j - exact]
    return jnp.stack(inputs, axis=1)


class Steps:
    """
    What a training computes.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it, and an optimiser that is Keras's Adam.
    optimizer : keras.optimizers.Adam
        Its constants count; state and learning rate are handed over.
    layout : Table
        How rows are laid out.
    weights : (float, float)
        Of in-situ and accreted stars in the loss (paper, Eq. 5).
    seeds : (int, int)
        Of the draws in training and in validation.
    cores : int
        Devices that share each batch. The draws of each are its own: another number of them, other draws.

    Attributes
    ----------
    state : State
        After the last step.
    done : int
        Steps the optimiser has taken.

    Raises
    ------
    InputError
        If there are fewer devices.
    """

    state: State
    done: int

    def __init__(
        self,
        network: Any,
        optimizer: Any,
        layout: Table,
        weights: tuple[float, float],
        seeds: tuple[int, int],
        cores: int = 1,
    ) -> None:
        mesh = jax.make_mesh((cores,), (_CORES,), devices=_devices(cores))  # before any array: these live on devices
        self._represent = network.get_layer("representation").represent
        self._learns = [layer.trainable for layer in network.layers if layer.weights]
        self._adam = optimizer.beta_1, optimizer.beta_2, optimizer.epsilon
        self._layout, self._weights = layout, weights
        self._training_key, self._validation_key = (jax.random.key(seed) for seed in seeds)
        self._shared = NamedSharding(mesh, PartitionSpec(None, _CORES))
        everywhere, split = PartitionSpec(), PartitionSpec(None, _CORES)
        chunk = jax.shard_map(
            self._chunk, mesh=mesh, in_specs=(everywhere, everywhere, split, everywhere, everywhere, everywhere),
            out_specs=(everywhere, everywhere), check_vma=False,
        )  # fmt: skip
        self._compiled_chunk, self._compiled_losses = jax.jit(chunk), jax.jit(self._losses_of_blocks)

    def begin(self, state: State, fixed: Arrays, done: int) -> None:
        """
        Go on from a state.

        Parameters
        ----------
        state : State
            Before the next step.
        fixed : sequence of array
            Weights that do not learn, in the order of Keras's `non_trainable_variables`.
        done : int
            Steps the optimiser has taken.
        """
        self.state, self.done, self._fixed = state, done, fixed

    def take(self, batches: NDArray[np.float32], first: int, learning_rate: float) -> Any:
        """
        Take the optimiser steps of a chunk.

        Parameters
        ----------
        batches : ndarray of float32, shape (n_steps, batch, width)
            Stars of each step.
        first : int
            Number of the first step of all: the seed of its draws.
        learning_rate : float
            Of Adam.

        Returns
        -------
        jax.Array
            Mean loss over the steps; whoever turns it into a number waits for them.
        """
        rows, numbers = jax.device_put(batches, self._shared), np.array([first, self.done], np.int32)
        self.state, loss = self._compiled_chunk(
            self.state, self._fixed, rows, numbers, np.float32(learning_rate), self._training_key
        )
        self.done += len(batches)
        return loss

    def losses(self, rows: NDArray[np.float32], number: int) -> NDArray[np.float32]:
        """
        Weighted cross-entropy of one draw of each validation row.

        Parameters
        ----------
        rows : ndarray of float32, shape (VALIDATION_ROWS, width)
            Stars.
        number : int
            Of the block of rows: the seed of its draws.

        Returns
        -------
        ndarray of float32, shape (VALIDATION_ROWS,)
        """
        found = self._compiled_losses(self.state[0], self._fixed, rows, np.int32(number), self._validation_key)
        return np.asarray(found)

    def _logits(self, learnt: Arrays, fixed: Arrays, inputs: Any) -> Any:
        """The network up to its last sum; kernels and biases that learn come apart from those that do not."""
        sources = {True: iter(learnt), False: iter(fixed)}
        signal = self._represent(inputs, jnp).T  # a star is a column: gradients of weights are cheaper so
        for number, learns in enumerate(self._learns):
            kernel, bias = next(sources[learns]), next(sources[learns])
            signal = kernel.T @ (jax.nn.relu(signal) if number else signal) + bias[:, None]
        return signal[0]

    def _losses(self, learnt: Arrays, fixed: Arrays, rows: Any, key: Any) -> Any:
        """Weighted cross-entropy (paper, Eq. 4) of one draw of each row, from logits."""
        logits = self._logits(learnt, fixed, draw(rows, self._layout, key))
        label, weight = rows[:, -2], rows[:, -1]
        in_situ, accreted = self._weights
        entropy = jnp.maximum(logits, 0.0) - logits * label + jnp.log1p(jnp.exp(-jnp.abs(logits)))
        return jnp.where(label > 0, accreted, in_situ) * weight * entropy

    def _losses_of_blocks(self, learnt: Arrays, fixed: Arrays, rows: Any, number: Any, key: Any) -> Any:
        blocks = rows.reshape(VALIDATION_ROWS // _VALIDATION_BLOCK, _VALIDATION_BLOCK, -1)
        keys = jax.random.split(jax.random.fold_in(key, number), len(blocks))
        return jax.lax.map(lambda part: self._losses(learnt, fixed, *part), (blocks, keys)).reshape(-1)

    def _chunk(
        self, state: State, fixed: Arrays, batches: Any, numbers: Any, learning_rate: Any, key: Any
    ) -> tuple[State, Any]:
        """All steps, on the part of each batch that this core has."""
        first, done = numbers
        own = jax.random.fold_in(key, jax.lax.axis_index(_CORES))
        stars = batches.shape[1] * jax.lax.axis_size(_CORES)

        def step(state: State, given: tuple[Any, Any]) -> tuple[State, Any]:
            i, rows = given
            draws = jax.random.fold_in(own, first + i)

            def loss(learnt: Arrays) -> Any:
                return self._losses(learnt, fixed, rows, draws).sum() / stars

            found, gradient = jax.value_and_grad(loss)(state[0])
            total, gradient = _over_cores((found, gradient))
            return self._updated(state, gradient, (done + i + 1).astype(jnp.float32), learning_rate), total

        state, losses = jax.lax.scan(step, state, (jnp.arange(len(batches)), batches))
        return state, losses.mean()

    def _updated(self, state: State, gradient: Arrays, number: Any, learning_rate: Any) -> State:
        """Adam (Kingma & Ba 2015), as Keras writes it; steps are numbered from 1."""
        beta_1, beta_2, epsilon = self._adam
        rate = learning_rate * jnp.sqrt(1.0 - beta_2**number) / (1.0 - beta_1**number)
        learnt, first, second = state
        first = [m + (1.0 - beta_1) * (g - m) for m, g in zip(first, gradient, strict=True)]
        second = [v + (1.0 - beta_2) * (g * g - v) for v, g in zip(second, gradient, strict=True)]
        moved = [w - rate * m / (jnp.sqrt(v) + epsilon) for w, m, v in zip(learnt, first, second, strict=True)]
        return moved, first, second


def _over_cores(tree: Any) -> Any:
    """Sums over all cores, in one message: a message for each array would cost more than the step gains."""
    flat, unravel = ravel_pytree(tree)
    return unravel(jax.lax.psum(flat, _CORES))
