"""The network's first layer: parameter-free, from raw physical columns to what the dense layers take.

A representation is exchangeable: `measured` is the paper's, `rest_frame` takes the Sun's place and motion out; another
is added by registering a layer of the same shape. Its constants live in its configuration, travel with the model and
are part of its digest, so that a scaler can be neither lost nor swapped. Errors are drawn on the measured numbers,
before this layer.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from exsitu.columns import nearest
from exsitu.errors import InputError
from exsitu.model.inputs import TABLE_2
from exsitu.model.runtime import keras
from exsitu.phase_space import ICRS_TO_GALACTIC, KMS_PER_KPC_MASYR, SOLAR_MOTION, SolarFrame
from exsitu.phase_space import frame as solar_frame


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

    def represent(self, inputs: Any, ops: Any) -> Any:
        """
        Compute the layer's output.

        Parameters
        ----------
        inputs : tensor, shape (n_stars, n_inputs)
            Raw columns.
        ops : module
            What computes: ``keras.ops`` or ``jax.numpy``, whose functions have the same names.

        Returns
        -------
        tensor, shape (n_stars, n_outputs)
        """
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """
        Compute the layer's output, as Keras asks for it.

        Parameters
        ----------
        inputs : tensor, shape (n_stars, n_inputs)
            Raw columns.

        Returns
        -------
        tensor, shape (n_stars, n_outputs)
        """
        return self.represent(inputs, keras.ops)

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

    def represent(self, inputs: Any, ops: Any) -> Any:
        """
        Standardise.

        Parameters
        ----------
        inputs : tensor, shape (n_stars, n_inputs)
            Raw columns.
        ops : module
            Not needed.

        Returns
        -------
        tensor, shape (n_stars, n_inputs)
        """
        del ops
        return (inputs - self._mean.astype(np.float32)) / self._sigma.astype(np.float32)


_KINEMATIC = ("l", "b", "pmra", "pmdec", "parallax")
_SMALLEST_PARALLAX_MAS = 0.02
"""Draws of a parallax do not get smaller than this (50 kpc): 1 / parallax has to stay finite."""

_SCALE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "r_kpc": (8.0, 1.1),
        "z_kpc": (0.0, 0.5),
        "log_distance": (0.1, 0.7),
        "v_r_kms": (0.0, 75.0),
        "v_phi_kms": (110.0, 75.0),
        "v_z_kms": (0.0, 55.0),
    }
)
"""Mean and spread of the rest-frame numbers over m12i LSR0 stars with parallax_error / parallax < 0.1, rounded."""


@keras.saving.register_keras_serializable(package="exsitu")
class RestFrame(Representation):
    """
    Where a star is in its galaxy, and the part of its rest-frame velocity that is measured.

    Parameters
    ----------
    columns : sequence of str
        Raw inputs, in order: ``l, b, pmra, pmdec, parallax``, perhaps `radial_velocity`, magnitudes and [Fe/H]; the
        columns `SOLAR_MOTION` first where each star has a Sun of its own.
    r_sun_kpc, z_sun_kpc : float
        Place of the Sun, kpc.
    v_sun_kms : sequence of float
        Galactocentric velocity of the Sun, km/s; not looked at where the stars bring their own.
    scale : mapping of str to (float, float)
        Mean and spread by which each rest-frame number is standardised.
    **kwargs
        Keras's own.

    Notes
    -----
    Its output: R, z, ln d, then v_R, v_phi, v_z, then the direction of the line of sight, n_R, n_phi, n_z, then
    whatever else came in, standardised as `Measured` does. Directions and velocities are cylindrical at the star. The
    velocity is k d (pmra e_ra + pmdec e_dec) + v_sun - (v_sun . n) n: that of the star but for its component along n.
    With a radial velocity it is the star's whole velocity, rv n + k d (...) + v_sun. The Sun is a constant of the
    survey, so the same weights serve every survey under that survey's constants (`exsitu.model.network.seen_from`).
    """

    kind = "rest_frame"

    def __init__(
        self,
        columns: Sequence[str],
        r_sun_kpc: float,
        z_sun_kpc: float,
        v_sun_kms: Sequence[float],
        scale: Mapping[str, Sequence[float]] = _SCALE,
        **kwargs: Any,
    ) -> None:
        super().__init__(columns, **kwargs)
        missing = [name for name in _KINEMATIC if name not in self.columns]
        own = self.columns[:3] == SOLAR_MOTION
        if missing or (not own and set(SOLAR_MOTION) & set(self.columns)):
            raise InputError(
                f"rest_frame needs {', '.join(_KINEMATIC)}, and {', '.join(SOLAR_MOTION)} in front or not at all; it "
                f"got {', '.join(self.columns)}: take the input set 5D or 6D, or the representation measured"
            )
        inward, ahead, up = (float(v) for v in v_sun_kms)
        self._sun = SolarFrame(float(r_sun_kpc), float(z_sun_kpc), (inward, ahead, up), "a network's constants")
        self._scale = {name: (float(mean), float(spread)) for name, (mean, spread) in scale.items()}
        self._own_sun = own
        self._others = [n for n in self.columns if n not in {*_KINEMATIC, *SOLAR_MOTION, "radial_velocity"}]

    @classmethod
    def for_inputs(cls, columns: Sequence[str]) -> "RestFrame":
        """
        Make the layer for the Milky Way's Sun.

        Parameters
        ----------
        columns : sequence of str
            Raw inputs, in order.

        Returns
        -------
        RestFrame
        """
        return cls.at(columns, solar_frame("milky_way"))

    @classmethod
    def at(cls, columns: Sequence[str], solar: SolarFrame) -> "RestFrame":
        """
        Make the layer for a Sun.

        Parameters
        ----------
        columns : sequence of str
            Raw inputs, in order.
        solar : SolarFrame
            The Sun of the survey.

        Returns
        -------
        RestFrame
        """
        return cls(columns, solar.r_sun_kpc, solar.z_sun_kpc, solar.v_sun_kms, name="representation")

    @property
    def constants(self) -> dict[str, Any]:
        """Columns, the Sun and the scale."""
        return {
            **super().constants,
            "r_sun_kpc": self._sun.r_sun_kpc,
            "z_sun_kpc": self._sun.z_sun_kpc,
            "v_sun_kms": list(self._sun.v_sun_kms),
            "scale": {name: list(pair) for name, pair in self._scale.items()},
        }

    def represent(self, inputs: Any, ops: Any) -> Any:
        """
        Go over to the rest frame.

        Parameters
        ----------
        inputs : tensor, shape (n_stars, n_inputs)
            Raw columns.
        ops : module
            What computes.

        Returns
        -------
        tensor, shape (n_stars, 9 + n_others)
        """
        given = {name: inputs[:, i] for i, name in enumerate(self.columns)}
        constant = [np.float32(v) for v in self._sun.v_sun_kms]
        sun = [given[name] for name in SOLAR_MOTION] if self._own_sun else constant
        distance = 1.0 / ops.maximum(given["parallax"], np.float32(_SMALLEST_PARALLAX_MAS))
        sight, velocity = self._towards(given, distance, ops)
        if "radial_velocity" not in given:
            along = sum(v * n for v, n in zip(sun, sight, strict=True))
            sun = [v - along * n for v, n in zip(sun, sight, strict=True)]
        velocity = [v + s for v, s in zip(velocity, sun, strict=True)]
        place = [distance * n + np.float32(p) for n, p in zip(sight, self._sun.position, strict=True)]
        radius = ops.sqrt(place[0] * place[0] + place[1] * place[1])
        numbers = (radius, place[2], ops.log(distance), *_cylindrical(place, radius, velocity))
        found = [_standard(x, *self._scale[name]) for name, x in zip(_SCALE, numbers, strict=True)]
        found += _cylindrical(place, radius, sight)
        found += [_standard(given[name], *TABLE_2[name]) for name in self._others]
        return ops.stack(found, axis=1)

    def _towards(self, given: Mapping[str, Any], distance: Any, ops: Any) -> tuple[list[Any], list[Any]]:
        """Direction to the star and its velocity as measured from the Sun, both along Galactocentric axes."""
        to_centre = self._sun.matrix
        lon, lat = (given[name] * np.float32(np.pi / 180.0) for name in ("l", "b"))
        cos_b = ops.cos(lat)
        galactic = [cos_b * ops.cos(lon), cos_b * ops.sin(lon), ops.sin(lat)]
        x, y, z = _turned(ICRS_TO_GALACTIC.T, galactic)
        cos_dec = ops.maximum(ops.sqrt(x * x + y * y), np.float32(1e-12))
        east, sine = (-y / cos_dec, x / cos_dec), z
        motion = [KMS_PER_KPC_MASYR * distance * given[name] for name in ("pmra", "pmdec")]
        moving = [
            motion[0] * east[0] - motion[1] * sine * east[1],
            motion[0] * east[1] + motion[1] * sine * east[0],
            motion[1] * cos_dec,
        ]
        if "radial_velocity" in given:
            moving = [m + given["radial_velocity"] * u for m, u in zip(moving, (x, y, z), strict=True)]
        return _turned(to_centre, [x, y, z]), _turned(to_centre, moving)


def _turned(matrix: Any, vector: Sequence[Any]) -> list[Any]:
    return [sum(np.float32(m) * v for m, v in zip(row, vector, strict=True)) for row in matrix]


def _cylindrical(place: Sequence[Any], radius: Any, vector: Sequence[Any]) -> list[Any]:
    """Components outwards, along the disc's rotation (clockwise in this frame) and upwards, at a place."""
    x, y = place[0] / radius, place[1] / radius
    return [x * vector[0] + y * vector[1], y * vector[0] - x * vector[1], vector[2]]


def _standard(values: Any, mean: float, spread: float) -> Any:
    return (values - np.float32(mean)) / np.float32(spread)


REPRESENTATIONS: Mapping[str, type[Representation]] = MappingProxyType(
    {kind.kind: kind for kind in (Measured, RestFrame)}
)
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
