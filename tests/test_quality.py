"""The quality cut is strict at both ends and keeps nothing that is not finite."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exsitu.quality import fractional_parallax_error, passes_parallax_cut


def test_only_positive_parallaxes_with_small_errors_pass():
    parallax = [1.0, 1.0, -1.0, np.nan, 1.0, 0.0, 1.0]
    error = [0.05, 0.1, 0.05, 0.05, np.nan, 0.0, 0.0]
    assert passes_parallax_cut(parallax, error, 0.1).tolist() == [True, False, False, False, False, False, False]


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True))
def test_what_passes_has_a_ratio_within_the_limit(parallax: float, error: float):
    with np.errstate(all="ignore"):
        passed = bool(passes_parallax_cut([parallax], [error], 0.1)[0])
        ratio = float(fractional_parallax_error([parallax], [error])[0])
    assert passed == (0.0 < ratio < 0.1)
    assert not passed or parallax > 0.0
