"""Elementary functions that give the same bits on every x86-64 processor.

NumPy picks its own polynomial for ``sin``, ``exp`` and the like by what the processor offers (AVX2, AVX-512), and the
last bit differs between them. Mock surveys are versioned by digest, so everything on their way uses these instead:
the C library's scalar functions, compiled element by element. Arithmetic, ``sqrt`` and comparisons are exact in
IEEE 754 and stay NumPy's.

Every function takes and returns float64 arrays (or scalars) and broadcasts like a NumPy ufunc. Angles are in radians.
"""

import math

from numba import vectorize

_UNARY = ["float64(float64)"]
_BINARY = ["float64(float64, float64)"]


@vectorize(_UNARY, cache=True)
def sin(x):  # type: ignore[no-untyped-def]
    """Sine of an angle in radians."""
    return math.sin(x)


@vectorize(_UNARY, cache=True)
def cos(x):  # type: ignore[no-untyped-def]
    """Cosine of an angle in radians."""
    return math.cos(x)


@vectorize(_UNARY, cache=True)
def tan(x):  # type: ignore[no-untyped-def]
    """Tangent of an angle in radians."""
    return math.tan(x)


@vectorize(_UNARY, cache=True)
def arcsin(x):  # type: ignore[no-untyped-def]
    """Inverse sine, argument clipped to [-1, 1] so that rounding at a pole cannot make a NaN."""
    return math.asin(min(1.0, max(-1.0, x)))


@vectorize(_BINARY, cache=True)
def arctan2(y, x):  # type: ignore[no-untyped-def]
    """Angle of the point (x, y) in radians, in (-pi, pi]."""
    return math.atan2(y, x)


@vectorize(_UNARY, cache=True)
def arctanh(x):  # type: ignore[no-untyped-def]
    """Inverse hyperbolic tangent."""
    return math.atanh(x)


@vectorize(_UNARY, cache=True)
def cosh(x):  # type: ignore[no-untyped-def]
    """Hyperbolic cosine."""
    return math.cosh(x)


@vectorize(_UNARY, cache=True)
def exp(x):  # type: ignore[no-untyped-def]
    """Natural exponential."""
    return math.exp(x)


@vectorize(_UNARY, cache=True)
def log(x):  # type: ignore[no-untyped-def]
    """Natural logarithm of a positive number."""
    return math.log(x)


@vectorize(_UNARY, cache=True)
def log10(x):  # type: ignore[no-untyped-def]
    """Decimal logarithm of a positive number."""
    return math.log10(x)


@vectorize(_BINARY, cache=True)
def power(x, y):  # type: ignore[no-untyped-def]
    """``x`` to the power ``y``."""
    return math.pow(x, y)


@vectorize(_UNARY, cache=True)
def exp10(x):  # type: ignore[no-untyped-def]
    """Ten to the power ``x``."""
    return math.pow(10.0, x)
