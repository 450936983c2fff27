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


REAL = RNG.uniform(-10, 10, 100_000)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sin", REAL),
        ("cos", REAL),
        ("exp", 70.0 * REAL),
        ("log", 10 ** (30.0 * REAL)),
        ("log", 1.0 + 1e-3 * REAL),
        ("log10", 10 ** (30.0 * REAL)),
        ("arctanh", REAL / 10.01),
        ("cosh", REAL),
        ("arcsin", REAL / 10.0),
    ],
)
def test_results_are_right_to_a_few_units_in_the_last_place(name: str, values: np.ndarray):
    right = getattr(np, name)(values.astype(np.longdouble))
    off = np.abs(getattr(el, name)(values) - right) / np.spacing(np.abs(right).astype(np.float64))
    assert float(off.max()) < 8.0


def test_missing_numbers_stay_missing_without_a_warning_and_edges_are_the_c_librarys():
    missing = np.full(9, np.nan)
    for name in ("sin", "cos", "tan", "arcsin", "arctanh", "cosh", "exp", "log", "log10", "exp10"):
        assert np.isnan(getattr(el, name)(missing)).all(), name
    assert np.isnan(el.arctan2(missing, 1.0)).all()
    assert (float(el.exp(-800.0)), float(el.exp(710.0)), float(el.log(0.0))) == (0.0, np.inf, -np.inf)
    assert float(el.log(np.inf)) == np.inf
    assert np.isnan(el.log(-1.0))
    assert float(el.log(1e-320)) == pytest.approx(np.log(1e-320))
    for y in (0.0, -0.0, 1.0, -1.0):
        for x in (0.0, -0.0, 1.0, -1.0):
            assert float(el.arctan2(y, x)) == pytest.approx(np.arctan2(y, x), rel=1e-15)
            assert np.signbit(el.arctan2(y, x)) == np.signbit(np.arctan2(y, x))
