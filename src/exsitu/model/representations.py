"""The network's first layer: parameter-free, from raw physical columns to what the dense layers take.

A representation is exchangeable: `measured` is the paper's; another is added by registering a layer of the same shape.
Its constants live in its configuration, travel with the model and are part of its digest, so that a scaler can be
neither lost nor swapped. Errors are drawn on the measured numbers, before this layer.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from exsitu.columns import nearest
from exsitu.errors import InputError
from exsitu.model.inputs import TABLE_2
from exsitu.model.runtime import keras


class Representation(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """
    A parameter-free first layer.

    Parameters
    ----------
    columns : sequence of str
        Raw inputs, in order.
    **kwargs
        Keras's own (`name`, `dtype`, ...).
    """

    kind = ""

    def __init__(self, columns: Sequence[str], **kwargs: Any) -> None:
        super().__init__(trainable=False, **{k: v for k, v in kwargs.items() if k != "trainable"})
        self.columns = tuple(columns)

    @classmethod
    def for_inputs(cls, columns: Sequence[str]) -> "Representation":
        """
        Make the layer with its default constants.

        Parameters
        ----------
        columns : sequence of str
            Raw inputs, in order.

        Returns
        -------
        Representation
        """
        return cls(columns, name="representation")

    @property
    def constants(self) -> dict[str, Any]:
        """Everything that decides what the layer computes, as JSON can hold it."""
        return {"columns": list(self.columns)}

    def get_config(self) -> dict[str, Any]:
        """
        Configuration from which Keras can make the layer again.

        Returns
        -------
        dict
        """
        return {**super().get_config(), **self.constants}


@keras.saving.register_keras_serializable(package="exsitu")
class Measured(Representation):
    """
    The measured numbers, standardised: (x - mean) / sigma.

    Parameters
    ----------
    columns : sequence of str
        Raw inputs, in order.
    mean, sigma : sequence of float
        Constants of each input, in the column's unit.
    **kwargs
        Keras's own.

    Notes
    -----
    Paper, Sec. 4.2 and Table 2: the constants are those of m12i LSR0 on every data set.
    """

    kind = "measured"

    def __init__(self, columns: Sequence[str], mean: Sequence[float], sigma: Sequence[float], **kwargs: Any) -> None:
        super().__init__(columns, **kwargs)
        self._mean = np.asarray(mean, np.float64)
        self._sigma = np.asarray(sigma, np.float64)
        if not self._mean.shape == self._sigma.shape == (len(self.columns),) or not np.all(self._sigma > 0):
            raise InputError(
                f"{len(self.columns)} columns need as many means and positive sigmas, not {list(mean)}, {list(sigma)}"
            )

    @classmethod
    def for_inputs(cls, columns: Sequence[str]) -> "Measured":
        """
        Make the layer with the constants of Table 2.

        Parameters
        ----------
        columns : sequence of str
            Raw inputs, in order.

        Returns
        -------
        Measured
        """
        mean, sigma = zip(*(TABLE_2[name] for name in columns), strict=True)
        return cls(columns, mean, sigma, name="representation")

    @property
    def constants(self) -> dict[str, Any]:
        """Columns, means and sigmas."""
        return {**super().constants, "mean": self._mean.tolist(), "sigma": self._sigma.tolist()}

    def call(self, inputs: Any) -> Any:
        """
        Standardise.

        Parameters
        ----------
        inputs : tensor, shape (n_stars, n_inputs)
            Raw columns.

        Returns
        -------
        tensor, shape (n_stars, n_inputs)
        """
        return (inputs - self._mean.astype(np.float32)) / self._sigma.astype(np.float32)


REPRESENTATIONS: Mapping[str, type[Representation]] = MappingProxyType({Measured.kind: Measured})
"""Representations by name."""


def representation(name: str) -> type[Representation]:
    """
    Look a representation up.

    Parameters
    ----------
    name : str
        A key of ``REPRESENTATIONS``.

    Returns
    -------
    type

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in REPRESENTATIONS:
        known = ", ".join(REPRESENTATIONS)
        raise InputError(f"no representation {name!r}{nearest(name, REPRESENTATIONS)}; known: {known}")
    return REPRESENTATIONS[name]
