"""Whole mock surveys, as files."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from exsitu.errors import InputError
from exsitu.mocks import make, sampling
from exsitu.mocks import stars as st
from exsitu.mocks.galaxies import GALAXIES
from exsitu.mocks.make import MOCK_COLUMNS, Plan, first_source_id, make_mocks, make_surveys
from exsitu.mocks.uncertainties import PROFILES
from exsitu.provenance import read_json
from exsitu.settings import Galaxy, Mocks
from exsitu.surveys.mock_files import UNCUT_COLUMNS, described_sun
from exsitu.tables import read_parquet

MOCKS = Mocks(
    source="builtin",
    stars_per_viewpoint=20_000,
    particle_mass_msun=2.0e5,
    accreted_particle_mass_msun=4.0e5,
    error_profile="ananke",
)


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    """Two surveys of one galaxy."""
    folder = tmp_path_factory.mktemp("mocks")
    galaxy = Galaxy(galaxy="m12f", viewpoints=(0, 1))
    paths = make_mocks(folder, galaxy, MOCKS, seed=3, max_fractional_parallax_error=0.1, progress=False)
    return folder, paths


def _surveys(mocks):
    """Paths of the two surveys."""
    return [path for path in mocks[1] if path.suffix == ".parquet"]


def test_surveys_and_the_list_of_accreted_particles_are_written(mocks):
    folder, paths = mocks
    assert [path.relative_to(folder).as_posix() for path in paths] == [
        "m12f/lsr0.parquet",
        "m12f/lsr0.uncut.json",
        "m12f/lsr1.parquet",
        "m12f/lsr1.uncut.json",
        "m12f/accreted_particle_ids.npy",
    ]


def test_a_survey_has_the_columns_of_ananke_and_no_label(mocks):
    survey = read_parquet(mocks[1][0])
    assert tuple(survey.columns) == MOCK_COLUMNS
    assert survey["source_id"].dtype == np.int64
    assert "accreted" not in survey


def test_a_survey_holds_about_the_stars_asked_for_within_the_cut(mocks):
    for path in _surveys(mocks):
        survey = read_parquet(path)
        assert len(survey) == pytest.approx(MOCKS.stars_per_viewpoint, rel=0.05)
        assert (survey["parallax_error"] < 0.1 * survey["parallax"]).all()
        assert survey["radial_velocity"].isna().mean() > 0.5
        numbers = survey.drop(columns=["radial_velocity", "radial_velocity_error"])
        assert np.isfinite(numbers.to_numpy(float)).all()


def test_about_one_star_in_a_hundred_is_of_an_accreted_particle(mocks):
    ids = np.load(mocks[1][-1], allow_pickle=False)
    assert ids.dtype == np.int64
    accreted = np.isin(read_parquet(mocks[1][0])["parentid"], ids)
    assert 0.004 < accreted.mean() < 0.03


def test_source_ids_are_unique_across_surveys_and_too_large_for_a_float(mocks):
    ids = np.concatenate([read_parquet(path, ["source_id"])["source_id"].to_numpy() for path in _surveys(mocks)])
    assert len(np.unique(ids)) == len(ids)
    assert ids.min() > 2**53
    assert not np.array_equal(ids.astype(np.float64).astype(np.int64), ids)


def test_source_ids_are_far_apart_for_any_galaxy(m12i):
    codes = [*(model.code for model in GALAXIES.values()), 1000, 1001, 2**17 - 1]
    lowest = sorted(first_source_id(dataclasses.replace(m12i, code=code), n) for code in codes for n in range(8))
    assert np.diff(lowest).min() == 2**40
    assert lowest[0] > 2**53
    assert lowest[-1] + 2**40 < 2**63


def test_viewpoints_show_different_stars(mocks):
    first, second = (read_parquet(path, ["l", "parallax"]) for path in _surveys(mocks))
    assert not np.allclose(first["parallax"][:1000], second["parallax"][:1000])


def test_a_file_says_how_it_was_made(mocks):
    about = {key.decode(): value.decode() for key, value in pq.read_schema(_surveys(mocks)[1]).metadata.items()}
    said = {"survey": "m12f/lsr1", "galaxy": "m12f", "viewpoint": "1", "error_profile": "ananke", "seed": "3"}
    said |= {"solar_r_kpc": "8.2", "solar_z_kpc": "0.0", "particle_mass_msun": "200000.0"}
    assert said.items() <= about.items()
    assert json.loads(about["solar_velocity_kms"]) == [-3.4, 244.3, -5.1]
    assert 0.0 < float(about["sampling_fraction"]) < 1.0
    sun = described_sun(about)
    assert (sun.r_sun_kpc, sun.z_sun_kpc, sun.v_sun_kms) == (8.2, 0.0, (-3.4, 244.3, -5.1))


def test_beside_a_survey_stand_the_moments_of_all_its_stars(mocks):
    for path in _surveys(mocks):
        uncut = read_json(path.with_suffix(".uncut.json"))
        assert uncut["survey"] == f"m12f/{path.stem}"
        assert set(uncut["columns"]) == set(UNCUT_COLUMNS)
        assert uncut["stars"] == pytest.approx(make.UNCUT_STARS, rel=0.02)
        assert uncut["expected_stars"] > 100 * uncut["stars"]
        survey = read_parquet(path)
        # Without the cut stars are fainter and farther, and fewer have a radial velocity.
        columns = uncut["columns"]
        assert columns["phot_g_mean_mag"]["mean"] > survey["phot_g_mean_mag"].mean() + 1.0
        assert columns["parallax"]["mean"] < 0.8 * survey["parallax"].mean()
        assert columns["feh"]["count"] == uncut["stars"]
        share = columns["radial_velocity"]["count"] / uncut["stars"]
        assert share < 0.5 * survey["radial_velocity"].notna().mean()


def test_the_moments_are_those_of_a_sample_of_all_stars(particles, view, tmp_path, monkeypatch):
    monkeypatch.setattr(make, "UNCUT_STARS", 30_000)
    monkeypatch.setattr(sampling, "CHUNK", 9_000)
    plan = Plan(1_000, PROFILES["ananke"], 4, 0.1)
    make_surveys(tmp_path, view.model, particles, [0], plan, {}, progress=False)
    stratum = st.Stratum(make._UNCUT, st.any_parallax)
    prepared = st.prepare(particles, view, stratum, 4)
    shown = sampling.stars_shown(prepared, view, stratum, 4)
    uncut_share = sampling.share_of(30_000, shown)
    stars = pd.concat(sampling.observe([sampling.Sample(stratum, prepared, uncut_share)], view, 4))
    uncut = read_json(tmp_path / "lsr0.uncut.json")
    assert uncut["stars"] == len(stars)
    assert uncut["expected_stars"] == round(shown)
    for name, found in uncut["columns"].items():
        values = stars[name].dropna().to_numpy(float)
        assert found["count"] == len(values)
        assert found["mean"] == pytest.approx(values.mean(), rel=1e-9)
        assert found["std"] == pytest.approx(values.std(), rel=1e-9)


def test_a_galaxy_with_few_stars_shows_all_of_them(particles, view, tmp_path, monkeypatch):
    monkeypatch.setattr(make, "UNCUT_STARS", 10**12)
    few = particles.rows(np.arange(0, len(particles.mass), 2000))
    plan = Plan(10, PROFILES["ananke"], 4, 0.1)
    make_surveys(tmp_path, view.model, dataclasses.replace(few, mass=0.1 * few.mass), [0], plan, {}, progress=False)
    uncut = read_json(tmp_path / "lsr0.uncut.json")
    assert uncut["stars"] == pytest.approx(uncut["expected_stars"], rel=0.05)


def test_what_the_caller_knows_stands_in_the_files_too(particles, view, tmp_path):
    plan = Plan(500, PROFILES["dr3"], 4, 0.1)
    survey, *_ = make_surveys(tmp_path, view.model, particles, [2], plan, {"population": "7"}, progress=False)
    about = pq.read_schema(survey).metadata
    assert survey == tmp_path / "lsr2.parquet"
    assert about[b"population"] == b"7"
    assert about[b"error_profile"] == b"dr3"


def test_a_viewpoint_that_does_not_exist_is_refused_before_anything_is_made(tmp_path):
    galaxy = Galaxy(galaxy="m12f", viewpoints=(0, 2))
    with pytest.raises(InputError, match=r"no viewpoints \[2\]"):
        make_mocks(tmp_path, galaxy, MOCKS, seed=1, max_fractional_parallax_error=0.1, progress=False)
    assert not list(tmp_path.iterdir())


def test_mocks_from_files_are_not_made(tmp_path):
    mocks = Mocks(source="ananke", stars_per_viewpoint=10, root=tmp_path, error_profile="ananke")
    with pytest.raises(InputError, match="only 'builtin' mocks"):
        make_mocks(
            tmp_path, Galaxy(galaxy="m12i", viewpoints=(0,)), mocks, seed=1, max_fractional_parallax_error=0.1,
            progress=False,
        )  # fmt: skip
