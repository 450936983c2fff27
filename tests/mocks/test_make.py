"""Whole mock surveys, as files."""

import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from exsitu.errors import InputError
from exsitu.mocks.galaxies import GALAXIES
from exsitu.mocks.make import GAIA_COLUMNS, MOCK_COLUMNS, first_source_id, make_mocks, make_standin
from exsitu.provenance import sha256_tree
from exsitu.settings import Galaxy, MilkyWay, Mocks
from exsitu.tables import read_parquet

MOCKS = Mocks(
    source="builtin",
    stars_per_viewpoint=20_000,
    particle_mass_msun=2.0e5,
    accreted_particle_mass_msun=4.0e5,
    error_profile="ananke",
)
STANDIN = MilkyWay(source="standin", gaia_stars=20_000, spectroscopic_stars=4_000)


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    """Two surveys of one galaxy."""
    folder = tmp_path_factory.mktemp("mocks")
    galaxy = Galaxy(galaxy="m12f", viewpoints=(0, 1))
    paths = make_mocks(folder, galaxy, MOCKS, seed=3, max_fractional_parallax_error=0.1, progress=False)
    return folder, paths


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    """The stand-in's four tables."""
    folder = tmp_path_factory.mktemp("standin")
    paths = make_standin(folder, STANDIN, MOCKS, seed=3, progress=False)
    return {path.stem: read_parquet(path) for path in paths}


def test_surveys_and_the_list_of_accreted_particles_are_written(mocks):
    folder, paths = mocks
    assert [path.relative_to(folder).as_posix() for path in paths] == [
        "m12f/lsr0.parquet",
        "m12f/lsr1.parquet",
        "m12f/accreted_particle_ids.npy",
    ]


def test_a_survey_has_the_columns_of_ananke_and_no_label(mocks):
    survey = read_parquet(mocks[1][0])
    assert tuple(survey.columns) == MOCK_COLUMNS
    assert survey["source_id"].dtype == np.int64
    assert "accreted" not in survey


def test_a_survey_holds_about_the_stars_asked_for_within_the_cut(mocks):
    for path in mocks[1][:2]:
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
    ids = np.concatenate([read_parquet(path, ["source_id"])["source_id"].to_numpy() for path in mocks[1][:2]])
    assert len(np.unique(ids)) == len(ids)
    assert ids.min() > 2**53
    assert len(np.unique(ids.astype(np.float64))) < len(ids)
    lowest = {first_source_id(model, n) for model in GALAXIES.values() for n in range(8)}
    assert len(lowest) == 8 * len(GALAXIES)
    assert max(lowest) < 2**63 - 2**55


def test_viewpoints_show_different_stars(mocks):
    first, second = (read_parquet(path, ["l", "parallax"]) for path in mocks[1][:2])
    assert not np.allclose(first["parallax"][:1000], second["parallax"][:1000])


def test_a_file_says_how_it_was_made(mocks):
    about = pq.read_schema(mocks[1][1]).metadata
    assert about[b"galaxy"] == b"m12f"
    assert about[b"solar_frame"] == b"m12f/lsr1"
    assert about[b"seed"] == b"3"
    assert 0.0 < float(about[b"sampling_fraction"]) < 1.0


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


def test_the_standins_gaia_table_has_the_archives_columns_and_no_truth(standin):
    gaia = standin["gaia"]
    assert tuple(gaia.columns) == GAIA_COLUMNS
    assert not {"feh", "parentid", "accreted", "px_true", "age"} & set(gaia.columns)
    assert gaia["source_id"].is_unique
    assert gaia["l"].between(0.0, 360.0).all()


def test_the_standin_has_stars_within_the_cut_and_a_share_beyond_it(standin):
    gaia = standin["gaia"]
    within = (gaia["parallax"] > 0) & (gaia["parallax_error"] < 0.1 * gaia["parallax"])
    assert within.sum() == pytest.approx(STANDIN.gaia_stars, rel=0.06)
    assert 0.15 < 1.0 - within.mean() < 0.4
    assert (gaia["parallax"] < 0).any()


def test_spectra_are_of_gaia_stars_in_the_southern_fields(standin):
    rave, neighbours, gaia = standin["rave"], standin["best_neighbour"], standin["gaia"]
    assert len(rave) == pytest.approx(STANDIN.spectroscopic_stars, rel=0.08)
    assert rave["dec"].max() < 3.0
    assert neighbours["source_id"].isin(gaia["source_id"]).all()
    assert neighbours["original_ext_source_id"].isin(rave["original_ext_source_id"]).all()
    assert rave["original_ext_source_id"].is_unique


def test_the_truth_is_apart_and_complete(standin):
    truth, gaia = standin["truth"], standin["gaia"]
    np.testing.assert_array_equal(truth["source_id"], gaia["source_id"])
    assert truth["accreted"].dtype == bool
    assert 0.001 < truth["accreted"].mean() < 0.03
    distance = np.sqrt(truth["px_true"] ** 2 + truth["py_true"] ** 2 + truth["pz_true"] ** 2)
    pull = (gaia["parallax"] - 1.0 / distance) / gaia["parallax_error"]
    assert pull.abs().median() < 0.9


def test_more_spectra_than_stars_are_refused(tmp_path):
    greedy = MilkyWay(source="standin", gaia_stars=100, spectroscopic_stars=90)
    with pytest.raises(InputError, match="spectroscopic_stars = 90"):
        make_standin(tmp_path, greedy, MOCKS, seed=1, progress=False)


SCRIPT = """
import sys
from pathlib import Path
from exsitu.mocks.make import make_mocks, make_standin
from exsitu.settings import Galaxy, MilkyWay, Mocks
mocks = Mocks(source="builtin", stars_per_viewpoint=3000, particle_mass_msun=1e6, accreted_particle_mass_msun=2e6,
              error_profile="ananke")
folder = Path(sys.argv[1])
make_mocks(folder, Galaxy(galaxy="m12i", viewpoints=(1,)), mocks, seed=8, max_fractional_parallax_error=0.1,
           progress=False)
make_standin(folder / "milkyway", MilkyWay(source="standin", gaia_stars=3000, spectroscopic_stars=500), mocks, seed=8,
             progress=False)
"""


def _optional_features() -> str:
    """What numpy may dispatch on here and can do without: AVX2, AVX-512 and newer, as far as the processor has them."""
    from numpy._core import _multiarray_umath

    has = _multiarray_umath.__cpu_features__
    return " ".join(name for name in _multiarray_umath.__cpu_dispatch__ if has.get(name))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_whatever_the_processor_offers(tmp_path):
    plain = os.environ | {"OMP_NUM_THREADS": "1"}
    runs = {"plain": plain, "reduced": plain | {"NPY_DISABLE_CPU_FEATURES": _optional_features()}}
    running = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / name)], env=environment)
        for name, environment in runs.items()
    ]
    assert [process.wait(timeout=300) for process in running] == [0, 0]
    plain_digest, reduced_digest = (sha256_tree(tmp_path / name) for name in runs)
    assert len(list((tmp_path / "plain").rglob("*.*"))) == 6
    assert plain_digest == reduced_digest
