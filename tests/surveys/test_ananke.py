"""ananke's documented layout is read; labels come as lists of particles."""

import h5py
import numpy as np
import pandas as pd
import pytest

from exsitu.columns import column
from exsitu.errors import InputError
from exsitu.mocks.galaxies import GALAXIES
from exsitu.mocks.galaxy import make_particles
from exsitu.mocks.make import Plan, make_surveys
from exsitu.mocks.uncertainties import PROFILES
from exsitu.phase_space import icrs_to_galactic
from exsitu.surveys.ananke import read_ananke, read_particle_ids, write_ananke
from exsitu.tables import iter_parquet, read_parquet

FLOATS = [
    "l",
    "b",
    "ra",
    "dec",
    "parallax",
    "parallax_error",
    "parallax_over_error",
    "pmra",
    "pmra_error",
    "pmdec",
    "pmdec_error",
    "feh",
    "alpha",
    "age",
]
FLOATS += [
    "radial_velocity",
    "radial_velocity_error",
    "phot_g_mean_mag",
    "phot_g_mean_mag_error",
    "a_g_val",
    "pml",
    "pmb",
]
FLOATS += [f"{kind}{axis}_true" for kind in "pv" for axis in "xyz"]
SINGLE = ("l_true", "b_true", "logg", "logteff", "mini")


def write_slice(path, first_id, n_stars=50, *, without=()):
    """One radial slice exactly as FORMATS.md has it: flat f4, f8 and i8 datasets at the root."""
    rng = np.random.default_rng(first_id % 97)
    data = {name: rng.uniform(0.1, 1.0, n_stars) for name in FLOATS}
    data |= {name: rng.uniform(0.1, 1.0, n_stars).astype("f4") for name in SINGLE}
    data["ra"], data["dec"] = rng.uniform(0.0, 360.0, n_stars), rng.uniform(-90.0, 90.0, n_stars)
    data["l"], data["b"] = icrs_to_galactic(data["ra"], data["dec"])
    data["l"] %= 360.0
    data["parallax_over_error"] = data["parallax"] / data["parallax_error"]
    data["radial_velocity"][::2] = np.nan
    data["source_id"] = first_id + np.arange(n_stars)
    data["parentid"], data["partid"] = rng.integers(0, 10**8, n_stars), rng.integers(0, 2, n_stars)
    with h5py.File(path, "w") as file:
        for name, values in data.items():
            if name not in without:
                file[name] = values
    return path


def names(folder, **kwargs):
    return [
        write_slice(folder / f"lsr-0-rslice-{i}.m12i-res7100-md-sliced-gcat-dr2.hdf5", 2**60 + 1 + 50 * i, **kwargs)
        for i in (0, 1)
    ]


def test_slices_are_stacked_in_chunks(tmp_path):
    files = names(tmp_path)
    chunks = list(read_ananke(files, chunk_rows=30))
    assert [len(chunk) for chunk in chunks] == [30, 20, 30, 20]
    whole = pd.concat(chunks, ignore_index=True)
    assert np.array_equal(whole["source_id"], 2**60 + 1 + np.arange(100))
    assert whole["parentid"].dtype == np.int64
    assert whole["radial_velocity"].isna().sum() == 50
    with h5py.File(files[1]) as file:
        np.testing.assert_array_equal(whole["parallax"][50:], file["parallax"][:])
        np.testing.assert_array_equal(whole["px_true"][50:], file["px_true"][:].astype("f4"))
        np.testing.assert_allclose(np.mod(whole["l"][50:], 360.0), file["l"][:], rtol=1e-12)
    assert whole["l"].between(-180.0, 180.0).all()


def test_the_dr3_generation_without_ids_is_numbered_through(tmp_path):
    whole = pd.concat(read_ananke(names(tmp_path, without=("source_id",)), chunk_rows=30))
    assert whole["source_id"].tolist() == list(range(100))


def test_slices_that_share_ids_are_refused(tmp_path):
    files = [write_slice(tmp_path / f"{name}.hdf5", 7) for name in "ab"]
    with pytest.raises(InputError, match="50 repeated source_id"):
        list(read_ananke(files))


def test_ids_need_not_be_watched(tmp_path):
    files = [write_slice(tmp_path / f"{name}.hdf5", 7) for name in "ab"]
    assert sum(map(len, read_ananke(files, unique_ids=False))) == 100


@pytest.mark.parametrize("missing", ["parentid", "vx_true", "parallax_error"])
def test_a_slice_without_truth_or_errors_is_refused(missing, tmp_path):
    with pytest.raises(InputError, match=missing):
        list(read_ananke(names(tmp_path, without=(missing, "parallax_over_error"))))


def test_no_files_and_uneven_datasets_are_refused(tmp_path):
    with pytest.raises(InputError, match="no ananke file"):
        list(read_ananke([]))
    path = write_slice(tmp_path / "t.hdf5", 7)
    with h5py.File(path, "a") as file:
        file["odd"] = np.zeros(3)
    with pytest.raises(InputError, match=r"datasets of lengths \[3, 50\]"):
        list(read_ananke([path]))


def test_what_is_written_reads_back_the_same(tmp_path):
    whole = pd.concat(read_ananke(names(tmp_path)), ignore_index=True)
    write_ananke(tmp_path / "copy.hdf5", whole)
    pd.testing.assert_frame_equal(pd.concat(read_ananke([tmp_path / "copy.hdf5"])), whole)
    with h5py.File(tmp_path / "copy.hdf5") as file:
        kinds = {name: file[name].dtype.str for name in ("parentid", "logg", "parallax", "px_true")}
    assert kinds == {"parentid": "<i8", "logg": "<f4", "parallax": "<f8", "px_true": "<f8"}


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A survey as the generator writes it."""
    model = GALAXIES["m12i"]
    particles = make_particles(model, particle_mass_msun=2.0e6, accreted_particle_mass_msun=2.0e6, seed=3)
    plan = Plan(3_000, PROFILES["ananke"], 3, 0.1)
    return make_surveys(tmp_path_factory.mktemp("m12i"), model, particles, [0], plan, {}, progress=False)[0]


def test_a_made_survey_in_anankes_layout_reads_back_the_same(survey, tmp_path):
    made = read_parquet(survey)
    known = [name for name in made if column(name).name_in("ananke") is not None]
    assert set(made) - set(known) == {"parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr"}
    path = tmp_path / "lsr-0-rslice-0.m12i-res7100-md-sliced-gcat-dr2.hdf5"
    write_ananke(path, (frame[known] for frame in iter_parquet(survey, chunk_rows=700)))
    with h5py.File(path) as file:
        assert set(file) == {column(name).name_in("ananke") for name in known}
        assert {file[name].ndim for name in file} == {1}
    back = pd.concat(read_ananke([path], chunk_rows=1_100), ignore_index=True)
    assert set(back) == set(known)
    pd.testing.assert_frame_equal(back[known], made[known], check_exact=True)


def test_chunks_are_written_as_they_come(tmp_path):
    sizes = []

    def frames():
        for n in (3, 70_000, 5):
            sizes.append(n)
            yield pd.DataFrame({"source_id": np.arange(n) + sum(sizes), "ra": np.linspace(0.0, 1.0, n)})

    write_ananke(tmp_path / "chunks", frames())
    write_ananke(tmp_path / "whole", pd.concat(list(frames()), ignore_index=True))
    with h5py.File(tmp_path / "chunks") as chunks, h5py.File(tmp_path / "whole") as whole:
        assert chunks["ra"].shape == (70_008,)
        np.testing.assert_array_equal(chunks["ra"][:], whole["ra"][:])
        assert np.count_nonzero(chunks["source_id"][:]) == 70_008


def test_chunks_of_different_columns_are_refused_and_leave_nothing(tmp_path):
    frames = [pd.DataFrame({"source_id": [1], "ra": [0.5]}), pd.DataFrame({"source_id": [2]})]
    with pytest.raises(InputError, match=r"a chunk has columns \['source_id'\]"):
        write_ananke(tmp_path / "t.hdf5", iter(frames))
    with pytest.raises(InputError, match="0 rows"):
        write_ananke(tmp_path / "t.hdf5", iter([]))
    assert not list(tmp_path.iterdir())


def test_writing_the_same_rows_gives_the_same_bytes(tmp_path):
    frame = pd.DataFrame({"source_id": [1, 2], "ra": [0.5, 1.5]})
    for name in "ab":
        write_ananke(tmp_path / name, frame)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_ananke_has_not_is_not_written(tmp_path):
    with pytest.raises(InputError, match="no column 'score'"):
        write_ananke(tmp_path / "t.hdf5", pd.DataFrame({"score": [0.5]}))
    with pytest.raises(InputError, match="0 rows"):
        write_ananke(tmp_path / "t.hdf5", pd.DataFrame({"ra": []}))


def test_particle_ids_come_from_npy_and_csv(tmp_path):
    ids = np.array([3, 2**60 + 1, 5])
    np.save(tmp_path / "ids.npy", ids)
    pd.DataFrame({"id_stars": ids, "other": 1.5}).to_csv(tmp_path / "ids.csv", index=False)
    for name in ("ids.npy", "ids.csv"):
        found = read_particle_ids(tmp_path / name)
        assert found.dtype == np.int64
        assert np.array_equal(found, ids)


@pytest.mark.parametrize("bad", [np.array([1.0, 2.0]), np.array([[1, 2]]), np.array([], int)])
def test_particle_ids_that_are_no_list_of_integers_are_refused(bad, tmp_path):
    np.save(tmp_path / "ids.npy", bad)
    with pytest.raises(InputError, match=r"ids\.npy holds"):
        read_particle_ids(tmp_path / "ids.npy")


@pytest.mark.parametrize("mask", [np.array([True, False, True]), np.array([0, 1, 1, 0]), np.array([0.0, 1.0, 1.0])])
def test_a_mask_of_particles_is_refused_with_what_to_give(mask, tmp_path):
    np.save(tmp_path / "ids.npy", mask)
    with pytest.raises(InputError, match=r"ids\.npy is a mask of \d particles, .* give numpy\.flatnonzero\(mask\)"):
        read_particle_ids(tmp_path / "ids.npy")


def test_pickled_particle_ids_are_refused(tmp_path):
    np.save(tmp_path / "ids.npy", np.array([1, "a"], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="no NumPy array of numbers"):
        read_particle_ids(tmp_path / "ids.npy")


def test_absent_lists_and_columns_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_particle_ids(tmp_path / "ids.npy")
    (tmp_path / "ids.csv").write_text("id_star\n1\n")
    with pytest.raises(InputError, match="no column 'id_stars'; did you mean 'id_star'"):
        read_particle_ids(tmp_path / "ids.csv")
