"""What is no measurement becomes missing, is counted and said; what was measured stays, however extreme."""

import numpy as np
import pytest

from exsitu.columns import column
from exsitu.errors import InputError
from exsitu.surveys.missing import SENTINELS, Physical, Replaced

ROWS = 400


def values(name="pmra", seed=1, **changed):
    found = np.random.default_rng(seed).normal(0.0, 40.0, ROWS)
    for row, value in changed.items():
        found[int(row[1:])] = value
    return found


def taken(name, found, factor=1.0, replaced=None):
    return Physical(replaced).taken(column(name), np.asarray(found), factor, f"file: {name}")


@pytest.mark.parametrize(
    "value", [-9999.0, 9999.0, -999.0, 999.0, -9999.99, 999.9, 1e20, -1e30, np.inf, -np.inf, 1e300]
)
def test_one_sentinel_alone_is_no_proper_motion(value):
    replaced = Replaced()
    found = taken("pmra", values(r3=value), replaced=replaced)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]
    assert replaced.as_dict() == {"pmra": {f"{value:.10g}": 1}}


@pytest.mark.parametrize(
    ("name", "real"),
    [
        ("pmdec", 10393.3),  # Barnard's star
        ("pmdec", 10362.394),
        ("pmra", -998.7),
        ("pmra", 6491.2),  # Kapteyn's star
        ("parallax", 768.0665),  # Proxima
        ("parallax", -258.45),
        ("parallax_error", 259.41),
        ("radial_velocity", -385.9),
        ("radial_velocity", 1017.0),  # S5-HVS1
        ("feh", -6.5),
        ("parallax_over_error", 1943.0),
    ],
)
def test_an_extreme_star_keeps_its_measurement(name, real):
    replaced = Replaced()
    extreme = np.array([real, 1.0, np.nan])
    assert taken(name, extreme, replaced=replaced) is extreme
    assert not replaced
    assert replaced.sentence() == ""


def test_a_smaller_sentinel_needs_more_rows_than_its_neighbours():
    one = values(r3=99.0)
    assert np.array_equal(taken("pmra", one), one)
    several = values(**{f"r{row}": 99.0 for row in range(30)})
    assert np.flatnonzero(np.isnan(taken("pmra", several))).tolist() == list(range(30))
    whole = np.repeat(np.arange(90.0, 110.0), 20)
    assert np.array_equal(taken("pmra", whole), whole)


def test_what_the_first_rows_show_holds_for_all_chunks():
    physical = Physical()
    physical.taken(column("parallax"), np.array([99.0, 99.0, 1.0, 2.0]), 1.0, "file")
    later = physical.taken(column("parallax"), np.array([99.0, 3.0]), 1.0, "file")
    assert np.isnan(later).tolist() == [True, False]


def test_real_stars_near_a_sentinel_in_the_files_unit_stay():
    arcsec = np.array([0.999, 0.099, 0.099, -0.999])
    assert np.array_equal(taken("pmra", arcsec, 1000.0), arcsec)
    micro = np.linspace(-1500.0, 1500.0, 3001)
    assert np.array_equal(taken("parallax", micro, 0.001), micro)
    assert np.isnan(taken("parallax", np.array([-9999.0, 0.001]), 1000.0)).tolist() == [True, False]


def test_single_precision_is_compared_in_single_precision():
    found = taken("parallax_error", np.array([0.1, 999.9, 0.2], np.float32))
    assert found.dtype == np.float32
    assert np.isnan(found).tolist() == [False, True, False]


@pytest.mark.parametrize("value", [0.0, -1.0, -99.0, -9999.0, -999.9])
def test_an_error_of_zero_or_a_placeholder_is_none(value):
    assert np.isnan(taken("parallax_error", np.array([0.1, value]))).tolist() == [False, True]


def test_signed_errors_are_refused():
    with pytest.raises(InputError, match=r"file: pmra_error holds 2 negative numbers, such as -0\.02.*_Sig"):
        taken("pmra_error", np.array([0.1, -0.02, -0.3, -9999.0]))


@pytest.mark.parametrize(
    ("name", "bad"), [("dec", 1e300), ("dec", -9999.0), ("ra", -9999.0), ("l", 999.0), ("b", 99.0)]
)
def test_a_position_off_the_sky_is_none(name, bad):
    assert np.isnan(taken(name, np.array([10.0, bad]))).tolist() == [False, True]


def test_a_position_at_ninety_nine_degrees_is_one():
    where = np.array([99.0, 99.0, 99.0, -99.0, -99.0])
    assert np.array_equal(taken("l", where), where)


def test_ids_and_text_are_left_alone():
    ids = np.array([-9999, 1])
    assert taken("source_id", ids) is ids


def test_counts_are_said_in_one_sentence():
    replaced = Replaced()
    taken("pmra", values(r3=-999.0, r4=-999.0), replaced=replaced)
    taken("dec", np.array([91.0, 92.0, 93.0, 94.0, 94.0]), replaced=replaced)
    replaced.rows = 3
    assert replaced.sentence() == (
        "values that are no measurements were taken as missing: pmra (-999 in 2 rows), "
        "dec (94 in 2 rows, 91 in 1 row, 92 in 1 row, others in 1 row); 3 rows flagged not_physical"
    )
    many = Replaced()
    taken("dec", np.linspace(100.0, 200.0, 50), replaced=many)
    assert len(many.as_dict()["dec"]) == 21
    assert many.as_dict()["dec"]["others"] == 30


def test_rows_are_marked_where_a_deciding_column_was_taken():
    physical = Physical(Replaced(("pmra", "l", "b", "parallax_error")))
    for name, column_values in {
        "pmra": [1.0, -999.0, 2.0],
        "feh": [-9999.0, -1.0, -1.0],
        "dec": [1.0, 2.0, 95.0],
    }.items():
        physical.taken(column(name), np.array(column_values), 1.0, name)
    found = {"l": np.array([1.0, 2.0, np.nan]), "b": np.zeros(3)}
    assert physical.rows(found, 3).tolist() == [False, True, True]
    assert physical.replaced.rows == 2
    assert not physical.rows(found, 3).any()


def test_a_position_that_the_other_pair_gives_is_known():
    physical = Physical(Replaced(("l", "b")))
    physical.taken(column("ra"), np.array([-9999.0, 1.0]), 1.0, "ra")
    assert not physical.rows({"l": np.zeros(2), "b": np.zeros(2)}, 2).any()


def test_sentinels_are_distinct():
    assert len(set(SENTINELS)) == len(SENTINELS) == 24
