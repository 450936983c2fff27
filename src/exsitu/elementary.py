"""Elementary functions made of IEEE 754 arithmetic alone, so that no library and no processor changes their bits.

The C library's ``sin``, ``log`` and the like differ in the last bit between its versions and between the variants that
it picks for a processor; NumPy's own differ likewise. A mock galaxy's orbits make a last bit grow: some satellites'
stars end kiloparsecs from where they would have been. What makes mock data uses these functions instead. They are
sums, products, quotients and square roots, which IEEE 754 rounds in one way only, and LLVM neither reorders nor fuses
them here. Each is right to a few units in the last place.

The functions take and return float64 arrays (or scalars) and broadcast like NumPy's; what has no value is NaN. Those
named ``compiled_...`` take one number each and are for loops that numba compiles. Angles are in radians.
"""

import functools
import math
from collections.abc import Callable
from typing import cast

import numpy as np
from numba import njit, vectorize
from numpy.typing import ArrayLike, NDArray

Unary = Callable[[ArrayLike], NDArray[np.float64]]
Binary = Callable[[ArrayLike, ArrayLike], NDArray[np.float64]]
Number = Callable[[float], float]

# Constants in parts of 32 bits: a small integer times the first part is exact.
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
_HALF_PI_HIGH, _HALF_PI_MIDDLE, _HALF_PI_LOW = 1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21
_PER_LN2, _PER_HALF_PI, _PER_LN10 = 1.4426950408889634, 0.6366197723675814, 0.4342944819032518
_LN10 = 2.302585092994046

_SMALLEST = 2.2250738585072014e-308
"""Smallest number with a full mantissa."""

# The bits of a float64: where the exponent begins, its bias, the mantissa, and the square root of a half.
_EXPONENT, _BIAS = np.int64(52), np.int64(1023)
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_ROOT_HALF = np.int64(0x3FE6A09E667F3BCD)


def _log(x: float) -> float:
    """x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh s of s = (m - 1) / (m + 1), as its power series."""
    subnormal = x < _SMALLEST
    bits = np.int64(np.float64(x * (2.0**54 if subnormal else 1.0)).view(np.int64) - _ROOT_HALF)
    k = np.float64(bits >> _EXPONENT) - (54.0 if subnormal else 0.0)
    m = np.int64((bits & _MANTISSA) + _ROOT_HALF).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * (1 / 13 + z * (
        1 / 15 + z * (1 / 17 + z * (1 / 19 + z * (1 / 21))))))))))  # fmt: skip
    found = k * _LN2_HIGH + (2.0 * s + (2.0 * s * series + k * _LN2_LOW))
    if x > 0.0:
        return found if x < math.inf else x
    return -math.inf if x == 0.0 else math.nan


def _exp(x: float) -> float:
    """x = k log 2 + r; the power series of exp r, times 2^k in two steps, so that the smallest results are exact."""
    inside = min(max(x, -746.0), 710.0) if x == x else 0.0  # noqa: PLR0124 - NaN, which has no integer part
    k = np.floor(inside * _PER_LN2 + 0.5)
    r = (inside - k * _LN2_HIGH) - k * _LN2_LOW
    series = 1.0 + r * (1.0 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (
        1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r * (
            1 / 479001600 + r * (1 / 6227020800)))))))))))))  # fmt: skip
    first = np.int64(np.floor(0.5 * k))
    second = np.int64(k) - first
    found = series * np.int64((first + _BIAS) << _EXPONENT).view(np.float64)
    found = found * np.int64((second + _BIAS) << _EXPONENT).view(np.float64)
    return found if x == x else x  # noqa: PLR0124


def _sine_and_cosine(x: float) -> tuple[float, float]:
    """x = k pi / 2 + r; the power series of sin r and cos r, given to sine and cosine by the quadrant."""
    k = np.floor(x * _PER_HALF_PI + 0.5)
    r = ((x - k * _HALF_PI_HIGH) - k * _HALF_PI_MIDDLE) - k * _HALF_PI_LOW
    z = r * r
    sine = r + r * (z * (-1 / 6 + z * (1 / 120 + z * (-1 / 5040 + z * (1 / 362880 + z * (-1 / 39916800 + z * (
        1 / 6227020800 + z * (-1 / 1307674368000 + z * (1 / 355687428096000)))))))))  # fmt: skip
    cosine = 1.0 - z * (1 / 2 + z * (-1 / 24 + z * (1 / 720 + z * (-1 / 40320 + z * (1 / 3628800 + z * (
        -1 / 479001600 + z * (1 / 87178291200 + z * (-1 / 20922789888000))))))))  # fmt: skip
    quadrant = k - 4.0 * np.floor(0.25 * k)
    odd = quadrant - 2.0 * np.floor(0.5 * quadrant) == 1.0
    s, c = (cosine, sine) if odd else (sine, cosine)
    return (-s if quadrant >= 2.0 else s), (-c if abs(quadrant - 1.5) < 1.0 else c)


def _arctan2(y: float, x: float) -> float:
    """The angle folded into [0, pi / 4], halved twice by square roots, and the power series of its tangent."""
    flat, steep = abs(x), abs(y)
    longer, shorter = max(flat, steep), min(flat, steep)
    t = shorter / longer if longer > 0.0 else 0.0
    t = t / (1.0 + math.sqrt(1.0 + t * t))
    t = t / (1.0 + math.sqrt(1.0 + t * t))
    z = t * t
    series = z * (-1 / 3 + z * (1 / 5 + z * (-1 / 7 + z * (1 / 9 + z * (-1 / 11 + z * (1 / 13 + z * (-1 / 15 + z * (
        1 / 17 + z * (-1 / 19 + z * (1 / 21))))))))))  # fmt: skip
    angle = 4.0 * (t + t * series)
    angle = 0.5 * math.pi - angle if steep > flat else angle
    angle = math.pi - angle if math.copysign(1.0, x) < 0.0 else angle
    return math.copysign(angle, y) if x == x and y == y else math.nan  # noqa: PLR0124


compiled_log = cast("Number", njit("float64(float64)", cache=True, error_model="numpy")(_log))
compiled_exp = cast("Number", njit("float64(float64)", cache=True)(_exp))
compiled_sine_and_cosine = cast(
    "Callable[[float], tuple[float, float]]", njit("UniTuple(float64, 2)(float64)", cache=True)(_sine_and_cosine)
)
compiled_arctan2 = cast(
    "Callable[[float, float], float]", njit("float64(float64, float64)", cache=True, error_model="numpy")(_arctan2)
)


def _unary(function: Number) -> Unary:
    """Compile a function of one number, element by element; NaN in, NaN out, without a warning."""
    compiled = vectorize(["float64(float64)"], cache=True)(function)

    @functools.wraps(function)
    def called(x: ArrayLike) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return cast("NDArray[np.float64]", compiled(x))

    return called


def _binary(function: Callable[[float, float], float]) -> Binary:
    """Compile a function of two numbers, element by element; NaN in, NaN out, without a warning."""
    compiled = vectorize(["float64(float64, float64)"], cache=True)(function)

    @functools.wraps(function)
    def called(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return cast("NDArray[np.float64]", compiled(x, y))

    return called


@_unary
def sin(x: float) -> float:
    """Sine of an angle in radians."""
    return compiled_sine_and_cosine(x)[0]


@_unary
def cos(x: float) -> float:
    """Cosine of an angle in radians."""
    return compiled_sine_and_cosine(x)[1]


@_unary
def tan(x: float) -> float:
    """Tangent of an angle in radians."""
    sine, cosine = compiled_sine_and_cosine(x)
    return sine / cosine


@_unary
def arcsin(x: float) -> float:
    """Inverse sine, argument clipped to [-1, 1] so that rounding at a pole cannot make a NaN."""
    inside = min(1.0, max(-1.0, x)) if x == x else x  # noqa: PLR0124
    return compiled_arctan2(inside, math.sqrt((1.0 - inside) * (1.0 + inside)))


@_binary
def arctan2(y: float, x: float) -> float:
    """Angle of the point (x, y) in radians, in (-pi, pi]."""
    return compiled_arctan2(y, x)


@_unary
def arctanh(x: float) -> float:
    """Inverse hyperbolic tangent."""
    u = 2.0 * abs(x) / (1.0 - abs(x))
    w = 1.0 + u  # what rounding takes from w, it takes from both log w and w - 1
    return math.copysign(0.5 * u if w == 1.0 else 0.5 * compiled_log(w) * (u / (w - 1.0)), x)


@_unary
def cosh(x: float) -> float:
    """Hyperbolic cosine."""
    growing = compiled_exp(abs(x))
    return 0.5 * (growing + 1.0 / growing)


@_unary
def exp(x: float) -> float:
    """Natural exponential."""
    return compiled_exp(x)


@_unary
def log(x: float) -> float:
    """Natural logarithm of a positive number."""
    return compiled_log(x)


@_unary
def log10(x: float) -> float:
    """Decimal logarithm of a positive number."""
    return compiled_log(x) * _PER_LN10


@_binary
def power(x: float, y: float) -> float:
    """``x``, not negative, to the power ``y``."""
    return 1.0 if y == 0.0 else compiled_exp(y * compiled_log(x))


@_unary
def exp10(x: float) -> float:
    """Ten to the power ``x``."""
    return compiled_exp(x * _LN10)
