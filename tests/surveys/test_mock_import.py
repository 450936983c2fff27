"""A real ananke survey comes in as the built-in ones are written: cut, counted, with its labels."""

import json

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from exsitu.errors import InputError
from exsitu.phase_space import FRAMES, galactic_to_icrs
from exsitu.provenance import read_json
from exsitu.surveys.ananke import read_ananke
from exsitu.surveys.mock_files import UNCUT_COLUMNS, described_sun
from exsitu.surveys.mock_import import ImportCounts, import_mock
from exsitu.tables import read_parquet

N = 400
IDS = np.array([3, 8, 2**40], dtype=np.int64)


def write_slice(path, first_id, seed, *, without=()):
    """A radial slice in ananke's layout: a third of the stars within the cut, a quarter with a radial velocity."""
    rng = np.random.default_rng(seed)
    data = {name: rng.normal(0.0, 10.0, N) for name in ("pmra", "pmdec", "radial_velocity")}
    data["feh"] = rng.normal(-1.0, 0.5, N)
    data |= {f"{kind}{axis}_true": rng.normal(0.0, 1.0, N) for kind in "pv" for axis in "xyz"}
    data |= {f"phot_{band}_mean_mag": rng.uniform(16.0, 22.0, N) for band in ("g", "bp", "rp")}
    l, b = rng.uniform(0.0, 360.0, N), rng.uniform(-90.0, 90.0, N)  # noqa: E741 - the field's name
    data |= {"l": l, "b": b, "parallax_error": rng.uniform(0.01, 0.2, N)}
    data["ra"], data["dec"] = galactic_to_icrs(l, b)
    data["parallax"] = data["parallax_error"] / rng.uniform(-0.3, 0.3, N)
    data["parallax_over_error"] = data["parallax"] / data["parallax_error"]
    data["radial_velocity"][rng.random(N) < 0.75] = np.nan
    data["parentid"] = np.where(rng.random(N) < 0.1, rng.choice(IDS, N), rng.integers(100, 200, N))
    data["source_id"] = first_id + np.arange(N)
    with h5py.File(path, "w") as file:
        for name, values in data.items():
            if name not in without:
                file[name] = values
    return path


@pytest.fixture
def files(tmp_path):
    """Two slices and a list of particles."""
    folder = tmp_path / "ananke"
    folder.mkdir()
    slices = [write_slice(folder / f"lsr-1-rslice-{i}.m12i-res7100.hdf5", 2**60 + i * N, i) for i in (0, 1)]
    np.save(folder / "ids.npy", IDS)
    return slices, folder / "ids.npy"


def _import(tmp_path, files, **changes):
    options = {"survey": "m12i/lsr1", "max_fractional_parallax_error": 0.1, "chunk_rows": 150} | changes
    return import_mock(tmp_path / "m12i", *files, **options)


def test_the_stars_within_the_cut_are_written_with_the_labels(files, tmp_path):
    _import(tmp_path, files)
    whole = pd.concat(read_ananke(files[0]), ignore_index=True)
    ratio = whole["parallax_error"] / whole["parallax"]
    expected = whole[(ratio > 0.0) & (ratio < 0.1)].reset_index(drop=True)
    assert 100 < len(expected) < 200
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "m12i" / "lsr1.parquet"), expected)
    assert np.array_equal(np.load(tmp_path / "m12i" / "accreted_particle_ids.npy"), IDS)
    names = sorted(path.name for path in (tmp_path / "m12i").iterdir())
    assert names == ["accreted_particle_ids.npy", "lsr1.parquet", "lsr1.uncut.json"]


def test_counts_are_those_of_the_files(files, tmp_path):
    counts = _import(tmp_path, files)
    whole = pd.concat(read_ananke(files[0]), ignore_index=True)
    kept = read_parquet(tmp_path / "m12i" / "lsr1.parquet")
    accreted, rv = kept["parentid"].isin(IDS), kept["radial_velocity"].notna()
    assert counts == ImportCounts(
        read=2 * N,
        bright=int((whole["phot_g_mean_mag"] < 21.0).sum()),
        kept=len(kept),
        accreted=int(accreted.sum()),
        in_situ=int((~accreted).sum()),
        accreted_with_rv=int((accreted & rv).sum()),
        in_situ_with_rv=int((~accreted & rv).sum()),
    )
    assert 0 < counts.accreted_with_rv < counts.accreted < counts.in_situ


def test_what_is_no_measurement_is_said(files, tmp_path):
    with h5py.File(files[0][0], "a") as file:
        file["pmra"][:5] = -9999.0
    counts = _import(tmp_path, files)
    assert counts.not_physical == "values that are no measurements were taken as missing: pmra (-9999 in 5 rows)"


@pytest.mark.parametrize("chunk_rows", [37, 10_000])
def test_the_scalers_numbers_are_those_of_all_bright_stars(files, tmp_path, chunk_rows):
    _import(tmp_path, files, chunk_rows=chunk_rows)
    uncut = read_json(tmp_path / "m12i" / "lsr1.uncut.json")
    whole = pd.concat(read_ananke(files[0]), ignore_index=True)
    bright = whole[whole["phot_g_mean_mag"] < 21.0]
    assert uncut["survey"] == "m12i/lsr1"
    assert uncut["stars"] == uncut["expected_stars"] == len(bright)
    assert set(uncut["columns"]) == set(UNCUT_COLUMNS)
    for name, found in uncut["columns"].items():
        values = bright[name].dropna().to_numpy(float)
        assert found["count"] == len(values)
        assert found["mean"] == pytest.approx(values.mean(), rel=1e-10, abs=1e-12)
        assert found["std"] == pytest.approx(values.std(), rel=1e-10)


def test_the_file_says_where_it_was_seen_from(files, tmp_path):
    _import(tmp_path, files)
    about = {k.decode(): v.decode() for k, v in pq.read_schema(tmp_path / "m12i" / "lsr1.parquet").metadata.items()}
    assert {"survey": "m12i/lsr1", "galaxy": "m12i", "viewpoint": "1"}.items() <= about.items()
    assert json.loads(about["slices"]) == [path.name for path in files[0]]
    assert described_sun(about).v_sun_kms == FRAMES["m12i/lsr1"].v_sun_kms


def test_a_list_that_cannot_be_read_is_refused_before_the_slices_are(files, tmp_path, monkeypatch):
    monkeypatch.setattr("exsitu.surveys.mock_import.read_ananke", lambda *_, **__: pytest.fail("slices were read"))
    with pytest.raises(InputError, match="no file"):
        _import(tmp_path, (files[0], tmp_path / "none.npy"))
    np.save(tmp_path / "floats.npy", np.array([1.5]))
    with pytest.raises(InputError, match="not a list of integers"):
        _import(tmp_path, (files[0], tmp_path / "floats.npy"))


@pytest.mark.parametrize(
    ("survey", "message"), [("m12i", "no name of a mock survey"), ("m12q/lsr0", "no solar frame 'm12q/lsr0'")]
)
def test_a_survey_without_a_sun_is_refused(files, tmp_path, survey, message):
    with pytest.raises(InputError, match=message):
        _import(tmp_path, files, survey=survey)
    assert not (tmp_path / "m12i").exists()


def test_a_list_of_another_galaxy_is_refused_and_nothing_is_written(files, tmp_path):
    np.save(files[1], np.array([5, 6]))
    with pytest.raises(InputError, match=r"comes from one of the 2 particles of .*ids\.npy"):
        _import(tmp_path, files)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name == "m12i"]


def test_slices_that_share_stars_are_refused_and_nothing_is_written(files, tmp_path):
    with pytest.raises(InputError, match="repeated source_id"):
        _import(tmp_path, ([files[0][0], files[0][0]], files[1]))
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name == "m12i"]


def test_a_survey_without_light_or_velocities_still_comes_in(tmp_path):
    path = write_slice(tmp_path / "lsr-0-rslice-0.hdf5", 5, 2, without=("phot_g_mean_mag", "radial_velocity"))
    np.save(tmp_path / "ids.npy", IDS)
    counts = _import(tmp_path, ([path], tmp_path / "ids.npy"), survey="m12i/lsr0")
    assert (counts.bright, counts.accreted_with_rv, counts.in_situ_with_rv) == (0, 0, 0)
    assert counts.kept == counts.accreted + counts.in_situ > 0
    columns = read_json(tmp_path / "m12i" / "lsr0.uncut.json")["columns"]
    assert columns["feh"] == {"mean": None, "std": None, "count": 0}
