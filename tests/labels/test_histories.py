import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.labels.histories import accreted_from_particles


def test_stars_of_accreted_particles_are_accreted():
    found = accreted_from_particles(np.array([5, 3, 5, 9, 2]), np.array([9, 5]))
    assert found.tolist() == [True, False, True, True, False]
    assert found.dtype == np.bool_


def test_ids_beyond_what_a_float_can_hold_stay_apart():
    big = (1 << 60) + np.arange(3)
    assert float(big[0]) == float(big[1])
    assert accreted_from_particles(big, [big[1]]).tolist() == [False, True, False]


def test_unsigned_and_short_integers_are_the_same_particles():
    assert accreted_from_particles(np.array([1, 2], np.int32), np.array([2], np.uint64)).tolist() == [False, True]


@pytest.mark.parametrize("empty", [[], np.empty(0, np.int64), np.empty(0)])
def test_an_empty_list_of_particles_is_refused(empty):
    with pytest.raises(InputError, match="list of accreted particles is empty"):
        accreted_from_particles([1, 2], empty)


def test_ids_that_are_floats_are_refused():
    with pytest.raises(InputError, match="parentid must be integers, not float64"):
        accreted_from_particles(np.array([1.0, 2.0]), [1])
    with pytest.raises(InputError, match="accreted particle ids must be integers, not float32"):
        accreted_from_particles([1, 2], np.array([1.0], np.float32))


def test_ids_no_int64_can_hold_are_refused():
    with pytest.raises(InputError, match="above the largest int64"):
        accreted_from_particles([1, 2], np.array([2**63], np.uint64))


def test_no_stars_have_no_labels():
    assert accreted_from_particles(np.empty(0, np.int64), [1]).shape == (0,)
