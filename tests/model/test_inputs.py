import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from exsitu.columns import COLUMNS
from exsitu.errors import InputError
from exsitu.model.inputs import INPUT_SETS, TABLE_2, Stars, error_column, input_columns, stars_from_frame


def test_there_are_nine_input_sets_of_known_standardised_columns():
    assert len(INPUT_SETS) == 9
    for columns in INPUT_SETS.values():
        assert len(set(columns)) == len(columns)
        assert set(columns) <= set(TABLE_2) & set(COLUMNS)


def test_inputs_stand_in_the_order_of_the_paper():
    phot = ("phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag")
    assert input_columns("4D") == ("l", "b", "pmra", "pmdec")
    assert input_columns("5D+phot") == ("l", "b", "pmra", "pmdec", "parallax", *phot)
    assert input_columns("6D+feh") == ("l", "b", "pmra", "pmdec", "parallax", "radial_velocity", "feh")


def test_an_unknown_input_set_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean '5D'"):
        input_columns("5d")


def test_only_positions_on_the_sky_have_no_error_column():
    assert [name for name in TABLE_2 if error_column(name) is None] == ["l", "b"]
    assert all(error_column(name) in COLUMNS for name in TABLE_2 if error_column(name))


def test_stars_are_raw_and_in_the_networks_order_whatever_the_tables(make_survey):
    frame = make_survey(50, 3)
    stars = stars_from_frame(frame[sorted(frame.columns, reverse=True)], "5D", "accreted")
    assert stars.columns == input_columns("5D")
    np.testing.assert_array_equal(stars.values, frame[list(stars.columns)].to_numpy(np.float32))
    np.testing.assert_array_equal(stars.errors[:, :2], 0.0)
    np.testing.assert_array_equal(stars.errors[:, 4], frame["parallax_error"].to_numpy(np.float32))
    assert {a.dtype for a in (stars.values, stars.errors, stars.label)} == {np.dtype(np.float32)}  # noqa: PD011 - no pandas
    assert stars.accreted == frame["accreted"].sum()


def test_metallicity_without_an_error_column_counts_as_exact(make_survey):
    assert not stars_from_frame(make_survey(50, 3), "5D+feh", "accreted").errors[:, -1].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("column", ["pmdec", "parallax_error"])
def test_what_is_not_finite_is_refused_with_its_column_and_count(make_survey, column, bad):
    frame = make_survey(50, 3)
    frame.loc[[4, 17], column] = bad
    with pytest.raises(InputError, match=rf"{column} is .*not finite in 2 of 50 stars"):
        stars_from_frame(frame, "5D", "accreted")


def test_a_negative_error_is_refused(make_survey):
    with pytest.raises(InputError, match="pmra_error is negative or not finite in 50 of 50"):
        stars_from_frame(make_survey(50, 3).assign(pmra_error=-1.0), "5D", "accreted")


def test_a_masked_value_is_refused(make_survey):
    frame = make_survey(50, 3).astype({"pmra": "Float64"})
    frame.loc[3, "pmra"] = pd.NA
    with pytest.raises(InputError, match="pmra is not finite in 1 of 50"):
        stars_from_frame(frame, "5D", "accreted")


def test_longitudes_up_to_360_degrees_are_refused(make_survey):
    frame = make_survey(50, 3)
    with pytest.raises(InputError, match=r"l reaches 3\d\d.* subtract 360"):
        stars_from_frame(frame.assign(l=frame["l"] % 360.0), "5D", "accreted")


def test_a_missing_column_is_named(make_survey):
    with pytest.raises(InputError, match="no column 'parallax_error'; did you mean"):
        stars_from_frame(make_survey(50, 3).drop(columns="parallax_error"), "5D", "accreted")
    with pytest.raises(InputError, match="no column 'label_zm'"):
        stars_from_frame(make_survey(50, 3), "5D", "label_zm")


def test_missing_errors_become_zero_only_where_allowed(make_survey):
    frame = make_survey(50, 3).drop(columns="pmra_error")
    frame.loc[7, "parallax_error"] = np.nan
    stars = stars_from_frame(frame, "5D", "accreted", allow_missing_errors=True)
    assert not stars.errors[:, 2].any()
    assert list(np.flatnonzero(stars.errors[:, 4] == 0)) == [7]


def test_labels_may_be_an_array_but_must_be_boolean(make_survey):
    frame = make_survey(50, 3)
    assert stars_from_frame(frame, "5D", np.arange(50) < 7).accreted == 7
    with pytest.raises(InputError, match="labels must be boolean, not int64"):
        stars_from_frame(frame, "5D", np.arange(50))


def test_arrays_of_different_stars_do_not_go_together():
    four = np.zeros((4, 1), np.float32)
    with pytest.raises(InputError, match="3 labels and 1 columns do not fit"):
        Stars(four, four, np.zeros(3, np.float32), ("l",))


def test_taking_rows_takes_everything_of_them(make_survey):
    stars = stars_from_frame(make_survey(50, 3), "5D", "accreted")
    weighted = Stars(stars.values, stars.errors, stars.label, stars.columns, np.arange(50, dtype=np.float32))
    taken = weighted.take(np.array([5, 2]))
    np.testing.assert_array_equal(taken.values, stars.values[[5, 2]])  # noqa: PD011 - no pandas
    assert list(taken.weight) == [5.0, 2.0]


def test_a_weight_that_is_not_finite_is_refused(make_survey):
    stars = stars_from_frame(make_survey(50, 3), "5D", "accreted")
    weighted = Stars(stars.values, stars.errors, stars.label, stars.columns, np.full(50, np.nan, np.float32))
    with pytest.raises(InputError, match="weight is negative or not finite in 50 of 50"):
        weighted.require_usable("stars")


def test_inputs_are_known_without_tensorflow():
    code = "import sys, exsitu.model.inputs, exsitu.labels.selections; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
