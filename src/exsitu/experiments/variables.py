"""Variables of a star that experiments plane away, bin by and draw; truth, not measurement."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_R_SUN_KPC = 8.2
"""Every mock's Sun is there (paper, Sec. 2.1), at phi = 0."""


def _true(name: str) -> Callable[[pd.DataFrame], Floats]:
    return lambda frame: frame[name].to_numpy(np.float64)


def _in_plane(frame: pd.DataFrame) -> tuple[Floats, Floats]:
    """Galactocentric, kpc, the Sun at negative x."""
    return frame["px_true"].to_numpy(np.float64) - _R_SUN_KPC, frame["py_true"].to_numpy(np.float64)


def _radius(frame: pd.DataFrame) -> Floats:
    x, y = _in_plane(frame)
    return np.hypot(x, y)


def _azimuth(frame: pd.DataFrame) -> Floats:
    """Degrees from the Sun's azimuth, along the disc's rotation."""
    x, y = _in_plane(frame)
    return np.degrees(np.arctan2(y, -x))


VARIABLES: Mapping[str, Callable[[pd.DataFrame], Floats]] = MappingProxyType(
    {
        "phi": _azimuth,
        "R": _radius,
        "z": _true("pz_true"),
        "v_z": _true("v_z"),
        "v_R": _true("v_r"),
        "v_phi": _true("v_phi"),
    }
)
"""By the paper's names (Table 5): degrees, kpc, km/s."""
