"""The Milky Way's stars come as surveys of the experiments: cut, labelled, with the truth where there is one."""

import numpy as np
import pandas as pd
import pytest

from exsitu.experiments.experiment import Verdict
from exsitu.experiments.milky_way import GAIA, SPECTRA, counts, load_milky_way, sky_weights, truth_of
from exsitu.experiments.registry import experiment
from exsitu.experiments.samples import FILTERS, THIRDS, Surveys
from exsitu.experiments.trial import Sample
from exsitu.mocks.spectra import in_fields
from exsitu.phase_space import frame as solar_frame


@pytest.fixture(scope="module")
def surveys(settings, data, kept) -> Surveys:
    return Surveys(settings, data, kept)


def test_stars_with_spectra_have_labels_and_velocities_made_of_what_is_measured(surveys):
    stars = surveys.stars(SPECTRA)
    assert 0 < stars["label_zm"].sum() < 0.2 * len(stars)
    assert stars[["radial_velocity", "feh", "v_r", "v_phi", "v_z"]].notna().all(axis=None)
    assert abs(stars.loc[~stars["accreted"], "v_phi"].median() - 225.0) < 10.0


def test_gaias_stars_are_all_that_pass_the_cut_with_longitudes_as_networks_take_them(surveys):
    stars = surveys.stars(GAIA)
    assert len(stars) > 2 * len(surveys.stars(SPECTRA))
    assert stars["l"].between(-180.0, 180.0).all()
    assert (stars["parallax_error"] / stars["parallax"]).between(0.0, 0.1).all()
    moving = stars["radial_velocity"].notna()
    assert stars.loc[moving, "v_phi"].notna().all()
    assert stars.loc[~moving, "v_phi"].isna().all()


@pytest.mark.parametrize("survey", [GAIA, SPECTRA])
def test_the_truth_is_that_of_the_star(surveys, survey):
    stars = surveys.stars(survey)
    np.testing.assert_array_equal(truth_of(stars), stars["source_id"] >= 4000)
    np.testing.assert_array_equal(stars["parentid"], stars["source_id"] // 5)


def test_stars_of_fields_that_are_sampled_more_weigh_less(surveys):
    stars, path = surveys.stars(GAIA), surveys.path(GAIA)
    inside = in_fields(stars)
    assert 0 < inside.sum() < len(stars)
    np.testing.assert_allclose(sky_weights(path, stars), np.where(inside, 0.2, 1.0))


def test_a_real_survey_has_no_truth_and_all_its_stars_weigh_alike(settings, data, tmp_path):
    from exsitu.tables import read_parquet, write_parquet

    for name in ("gaia", "rave", "best_neighbour"):
        write_parquet(tmp_path / "milkyway" / f"{name}.parquet", [read_parquet(data / "milkyway" / f"{name}.parquet")])
    stars = load_milky_way(settings, tmp_path, GAIA)
    assert truth_of(stars) is None
    assert (sky_weights(tmp_path / "milkyway" / "gaia.parquet", stars) == 1.0).all()
    np.testing.assert_array_equal(stars["parentid"], stars["source_id"])


def test_no_star_is_kept_from_learning_for_a_test_that_thirds_make(surveys):
    assert not len(surveys.rows(SPECTRA, "test"))
    whole = [len(surveys.rows(SPECTRA, part)) for part in ("validation", "training")]
    assert sum(whole) == len(surveys.stars(SPECTRA))
    assert abs(whole[0] / sum(whole) - 0.2) < 0.01


def test_what_is_learnt_and_what_is_tested_of_the_thirds_share_no_star(surveys):
    stars = surveys.stars(SPECTRA)
    tested = [stars[FILTERS[f"third_{number}"](stars)] for number in range(THIRDS)]
    assert sorted(pd.concat(tested)["source_id"]) == sorted(stars["source_id"])
    for number, third in enumerate(tested):
        sample = Sample(surveys=(SPECTRA,), filters=(f"but_third_{number}",))
        for part in ("training", "validation"):
            taught = surveys.drawn(sample, part, 10**9)[SPECTRA]
            assert set(taught["source_id"]).isdisjoint(third["source_id"])
        assert abs(len(third) / len(stars) - 1 / 3) < 0.05


def test_the_sun_is_the_milky_ways_and_the_digest_that_of_all_files(surveys, settings, data, tmp_path):
    assert surveys.sun(GAIA) == solar_frame("milky_way")
    assert surveys.digest(GAIA) == surveys.digest(SPECTRA) != surveys.digest("m12i/lsr0")


def test_magnitudes_get_the_errors_that_are_expected(surveys):
    stars = surveys.stars(GAIA)
    bright, dim = stars["phot_bp_mean_mag"] < 14.0, stars["phot_bp_mean_mag"] > 17.0
    assert (stars.loc[bright, "phot_bp_mean_mag_error"] == 0.002).all()
    assert (stars.loc[dim, "phot_bp_mean_mag_error"] > 0.007).all()


def test_the_stars_of_each_cut_are_counted(surveys):
    table = counts(surveys.path(GAIA), surveys.stars(GAIA), surveys.stars(SPECTRA)).set_index("name")["stars"]
    assert table["all"] == 4200
    assert list(table) == sorted(table, reverse=True)
    assert table["... with spectra"] == len(surveys.stars(SPECTRA))


@pytest.mark.parametrize("name", ["E9", "E10", "E12"])
def test_rooms_of_a_real_survey_count_and_draw_and_say_nothing_of_purity(without_truth, name):
    bench = without_truth(name)
    measured = experiment(name).measure(bench)
    main = next(iter(measured.tables.values()))
    share = "accreted_share" if name == "E9" else "purity"
    assert main[share].isna().all()
    assert main["stars" if name == "E9" else "selected"].gt(0).any()
    assert experiment(name).draw(measured, bench.settings)
    unknown = [c for c in experiment(name).claims(measured.tables) if c.here == "not measured"]
    assert len(unknown) == {"E9": 1, "E10": 3, "E12": 0}[name]
    assert all(c.verdict == Verdict.OPEN for c in unknown)
