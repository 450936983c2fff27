"""Samples are cut, labelled and split as stated."""

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.phase_space import frame as solar_frame
from exsitu.phase_space import galactic_to_icrs, observables
from exsitu.samples import (
    finite_rows,
    measured_phase_space,
    passes_quality_cut,
    split,
    true_phase_space,
    with_labels,
    with_velocities,
)
from exsitu.settings import load_settings


def test_quality_cut_keeps_positive_small_fractional_errors_only():
    frame = pd.DataFrame(
        {"parallax": [1.0, 1.0, -1.0, np.nan, 1.0, 0.0], "parallax_error": [0.05, 0.1, 0.05, 0.05, np.nan, 0.0]}
    )
    assert passes_quality_cut(frame, 0.1).tolist() == [True, False, False, False, False, False]


def test_split_parts_are_disjoint_and_complete():
    parts = split(np.arange(1000), {"validation": 100, "test": 200}, rest="training", seed=(1, 2))
    assert {name: len(rows) for name, rows in parts.items()} == {"validation": 100, "test": 200, "training": 700}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(1000))


def test_split_draws_the_same_parts_for_the_same_seed_and_others_for_another():
    first, again, other = (split(np.arange(1000), {"test": 200}, rest="training", seed=(seed,)) for seed in (1, 1, 2))
    assert np.array_equal(first["test"], again["test"])
    assert not np.array_equal(first["test"], other["test"])


def test_split_refuses_parts_that_leave_nothing():
    with pytest.raises(InputError, match="only 100"):
        split(np.arange(100), {"validation": 50, "test": 50}, rest="training", seed=(1,))


@pytest.fixture
def mock_stars() -> pd.DataFrame:
    """Truth columns of a few thousand stars and the same stars observed without error."""
    rng = np.random.default_rng(3)
    n = 2000
    frame = pd.DataFrame({f"p{axis}_true": rng.normal(0, 1.5, n) for axis in "xyz"})
    frame = frame.assign(**{f"v{axis}_true": rng.normal(0, 80, n) for axis in "xyz"})
    solar = solar_frame("m12f/lsr0")
    seen = observables(true_phase_space(frame, solar), solar)
    return frame.assign(
        ra=seen.ra,
        dec=seen.dec,
        parallax=1 / seen.distance_kpc,
        pmra=seen.pmra,
        pmdec=seen.pmdec,
        radial_velocity=seen.radial_velocity,
        feh=rng.normal(-0.8, 0.6, n),
    )


def test_truth_and_error_free_measurement_agree(mock_stars: pd.DataFrame):
    solar = solar_frame("m12f/lsr0")
    truth, measured = true_phase_space(mock_stars, solar), measured_phase_space(mock_stars, solar)
    np.testing.assert_allclose(measured.z, truth.z, atol=1e-9)
    np.testing.assert_allclose(measured.v_phi, truth.v_phi, atol=1e-6)


def test_heliocentric_truth_points_where_the_star_is_seen(mock_stars: pd.DataFrame):
    x, y, z = (mock_stars[f"p{axis}_true"].to_numpy() for axis in "xyz")
    lon, lat = np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))
    ra, dec = galactic_to_icrs(lon, lat)
    # The mocks' Galactic axes and astropy's Galactocentric ones differ by their rounded constants alone.
    np.testing.assert_allclose(dec, mock_stars["dec"], atol=5e-5)
    offset = ((ra - mock_stars["ra"] + 180) % 360 - 180) * np.cos(np.radians(dec))
    assert np.abs(offset).max() < 3e-4


def test_truth_columns_refuse_a_tilted_frame(mock_stars: pd.DataFrame):
    with pytest.raises(InputError, match="z_sun = 0"):
        true_phase_space(mock_stars, solar_frame("milky_way"))


def test_labels_follow_height_and_metallicity(mock_stars: pd.DataFrame, repository):
    labels = load_settings(repository / "params.yaml").labels
    stars = measured_phase_space(mock_stars, solar_frame("m12f/lsr0"))
    labelled = with_labels(with_velocities(mock_stars, stars), stars, labels, seed=1)
    expected = (np.abs(stars.z) > 1.5) & (mock_stars["feh"] < -1.5)
    assert labelled["label_zm"].tolist() == expected.tolist()
    assert not labelled.loc[mock_stars["feh"] > -1, "label_vm"].any()


def test_finite_rows_refuse_nan_and_infinity():
    frame = pd.DataFrame({"a": [1.0, np.nan, np.inf], "b": [1.0, 1.0, 1.0]})
    assert finite_rows(frame, ("a", "b")).tolist() == [True, False, False]


def test_a_star_that_is_lost_takes_no_other_out_of_its_part():
    ids = np.random.default_rng(1).permutation(10**6)[:1000]
    parts, fewer = (split(some, {"test": 300}, rest="training", seed=(1,)) for some in (ids, np.delete(ids, 17)))
    before, after = set(ids[parts["training"]]), set(np.delete(ids, 17)[fewer["training"]])
    assert len(before ^ after) <= 2
