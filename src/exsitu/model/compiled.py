"""A network compiled for blocks of one shape: many small matrix products in one compiled call."""

import functools
from typing import Any

import numpy as np

from exsitu.model.inputs import Float32s
from exsitu.model.runtime import tf

BLOCK_ROWS = 1024
"""Rows of one matrix product: its hidden layers (400 kB at a width of 100) stay in a core's second-level cache."""

CALL_BLOCKS = 64
"""Blocks a call takes at most; a short call computes no more blocks than it has."""

_CACHED = 8


class Blocks:
    """
    A network compiled for blocks of one shape, so that a row's score depends on the row alone.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it. Its weights are read at every call, its layers once.
    rows : int
        Rows of a block.

    Notes
    -----
    XLA joins standardisation, biases, activations and sigmoid to the matrix products, so that nothing is gained by
    folding constants into weights beforehand. What counts is the size of a block: a product of 16,384 rows leaves
    the cache between layers and is a third slower.
    """

    def __init__(self, network: Any, rows: int = BLOCK_ROWS) -> None:
        self._shape = (CALL_BLOCKS, rows, int(network.input_shape[1]))

        def scores(stars: Any, blocks: Any) -> Any:
            found = tf.TensorArray(tf.float32, size=CALL_BLOCKS, element_shape=(rows,))

            def one(i: Any, found: Any) -> tuple[Any, Any]:
                return i + 1, found.write(i, network(stars[i], training=False)[:, 0])

            return tf.while_loop(lambda i, _: i < blocks, one, (0, found))[1].stack()

        signature = [tf.TensorSpec(self._shape, tf.float32), tf.TensorSpec((), tf.int32)]
        self._compiled = tf.function(scores, input_signature=signature, jit_compile=True).get_concrete_function()

    @property
    def call_rows(self) -> int:
        """Rows of one full call."""
        return self._shape[0] * self._shape[1]

    def __call__(self, values: Float32s) -> Float32s:
        """
        Score rows.

        Parameters
        ----------
        values : ndarray of float32, shape (n_stars, n_inputs)
            Raw inputs; what is not finite spoils its own row alone.

        Returns
        -------
        ndarray of float32, shape (n_stars,)
        """
        scores = np.empty(len(values), np.float32)
        for start in range(0, len(values), self.call_rows):
            part = values[start : start + self.call_rows]
            rows, blocks = len(part), -(-len(part) // self._shape[1])
            if rows < self.call_rows:
                padded = np.zeros((self.call_rows, self._shape[2]), np.float32)
                padded[:rows] = part
                part = padded
            found = self._compiled(tf.constant(part.reshape(self._shape)), tf.constant(blocks))
            scores[start : start + rows] = found.numpy().reshape(-1)[:rows]
        return scores


@functools.lru_cache(maxsize=_CACHED)
def compiled(network: Any, rows: int = BLOCK_ROWS) -> Blocks:
    """
    Compile a network once.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it; the last few are held.
    rows : int
        Rows of a block.

    Returns
    -------
    Blocks
        The same for the same network. It follows changes of the weights.
    """
    return Blocks(network, rows)
