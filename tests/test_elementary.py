"""The portable functions agree with NumPy to the last bits, broadcast, and survive rounding at the edges."""

import numpy as np
import pytest

from exsitu import elementary as el

RNG = np.random.default_rng(0)
ANGLES = RNG.uniform(-10, 10, 1000)
POSITIVE = 10 ** RNG.uniform(-5, 5, 1000)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sin", ANGLES),
        ("cos", ANGLES),
        ("tan", ANGLES),
        ("cosh", ANGLES),
        ("exp", ANGLES),
        ("log", POSITIVE),
        ("log10", POSITIVE),
        ("arctanh", RNG.uniform(-0.99, 0.99, 1000)),
        ("arcsin", RNG.uniform(-1, 1, 1000)),
    ],
)
def test_functions_of_one_number_agree_with_numpy(name: str, values: np.ndarray):
    np.testing.assert_allclose(getattr(el, name)(values), getattr(np, name)(values), rtol=1e-14, atol=1e-300)


def test_functions_of_two_numbers_broadcast():
    column = POSITIVE[:5, None]
    np.testing.assert_allclose(el.power(column, np.array([0.5, 2.0])), column ** np.array([0.5, 2.0]), rtol=1e-14)
    np.testing.assert_allclose(el.arctan2(column, -column), np.full((5, 1), 0.75 * np.pi), rtol=1e-14)


def test_ten_to_a_power_agrees_with_numpy():
    np.testing.assert_allclose(el.exp10(np.array([-3.0, 0.0, 2.5])), 10 ** np.array([-3.0, 0.0, 2.5]), rtol=1e-14)


def test_arcsin_of_a_number_just_beyond_one_is_the_pole_and_not_nan():
    assert el.arcsin(1.0 + 1e-15) == pytest.approx(np.pi / 2)
    assert el.arcsin(-1.0 - 1e-15) == pytest.approx(-np.pi / 2)
