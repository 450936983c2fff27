"""Elementary functions that give the same bits on every x86-64 processor of the last ten years (x86-64-v3).

NumPy picks its own polynomial for ``sin``, ``exp`` and the like by what the processor offers (AVX2, AVX-512), and the
last bit differs between them. Mock surveys are versioned by digest, so everything on their way uses these instead:
the C library's scalar functions, compiled element by element (processors without fused multiply-add get other bits
from the C library itself). Arithmetic, ``sqrt`` and comparisons are exact in IEEE 754 and stay NumPy's.

Every function takes and returns float64 arrays (or scalars) and broadcasts like a NumPy ufunc. Angles are in radians.
"""

import math
from collections.abc import Callable
from typing import cast

import numpy as np
from numba import vectorize
from numpy.typing import ArrayLike, NDArray

Unary = Callable[[ArrayLike], NDArray[np.float64]]
Binary = Callable[[ArrayLike, ArrayLike], NDArray[np.float64]]


def _unary(function: Callable[[float], float]) -> Unary:
    """Compile a function of one number, element by element."""
    return cast("Unary", vectorize(["float64(float64)"], cache=True)(function))


def _binary(function: Callable[[float, float], float]) -> Binary:
    """Compile a function of two numbers, element by element."""
    return cast("Binary", vectorize(["float64(float64, float64)"], cache=True)(function))


@_unary
def sin(x: float) -> float:
    """Sine of an angle in radians."""
    return math.sin(x)


@_unary
def cos(x: float) -> float:
    """Cosine of an angle in radians."""
    return math.cos(x)


@_unary
def tan(x: float) -> float:
    """Tangent of an angle in radians."""
    return math.tan(x)


@_unary
def arcsin(x: float) -> float:
    """Inverse sine, argument clipped to [-1, 1] so that rounding at a pole cannot make a NaN."""
    return math.asin(min(1.0, max(-1.0, x)))


@_binary
def arctan2(y: float, x: float) -> float:
    """Angle of the point (x, y) in radians, in (-pi, pi]."""
    return math.atan2(y, x)


@_unary
def arctanh(x: float) -> float:
    """Inverse hyperbolic tangent."""
    return math.atanh(x)


@_unary
def cosh(x: float) -> float:
    """Hyperbolic cosine."""
    return math.cosh(x)


@_unary
def exp(x: float) -> float:
    """Natural exponential."""
    return math.exp(x)


@_unary
def log(x: float) -> float:
    """Natural logarithm of a positive number."""
    return math.log(x)


@_unary
def log10(x: float) -> float:
    """Decimal logarithm of a positive number."""
    return math.log10(x)


@_binary
def power(x: float, y: float) -> float:
    """``x`` to the power ``y``."""
    return math.pow(x, y)


@_unary
def exp10(x: float) -> float:
    """Ten to the power ``x``."""
    return math.pow(10.0, x)
