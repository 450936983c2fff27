"""Data are made once, left alone while current, and never used when they are not what was written."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from exsitu.errors import GateError, InputError
from exsitu.provenance import read_json, sha256_file, write_json
from exsitu.settings import Settings, load_settings
from exsitu.stages import data as stage
from exsitu.stages import data_record
from exsitu.stages.data import make_data
from exsitu.stages.data_record import (
    data_identity,
    data_settings,
    is_current,
    record_of,
    verified_digest,
    verify_data,
)
from exsitu.surveys.ananke import _REQUIRED as REQUIRED
from exsitu.surveys.ananke import write_ananke
from exsitu.tables import read_parquet, write_parquet


@pytest.fixture
def settings(repository: Path) -> Settings:
    return load_settings(repository / "params.yaml")


@pytest.fixture
def written(tmp_path: Path, settings: Settings) -> Path:
    """A folder of data as the stage leaves it, of one small file."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "stars.bin").write_bytes(bytes(range(256)) * 40)
    write_json(folder / "data.json", record_of(folder, settings))
    return folder


def test_current_data_are_left_alone(written: Path, settings: Settings, tmp_path: Path):
    before = (written / "stars.bin").stat().st_mtime_ns
    assert not make_data(settings, output=written, reports=tmp_path, suites=tmp_path, progress=False)
    assert (written / "stars.bin").stat().st_mtime_ns == before


def test_identity_changes_with_the_size_of_the_mocks_and_not_with_training(settings: Settings):
    larger = settings.model_copy(update={"mocks": settings.mocks.model_copy(update={"stars_per_viewpoint": 1})})
    other = settings.model_copy(update={"training": settings.training.model_copy(update={"draws_per_star": 3})})
    assert data_identity(larger) != data_identity(settings)
    assert data_identity(other) == data_identity(settings)


def test_identity_changes_with_the_generator_and_not_with_what_python_caches(settings: Settings, tmp_path, monkeypatch):
    package = shutil.copytree(data_record._PACKAGE, tmp_path / "exsitu", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(data_record, "_PACKAGE", package)
    before = data_identity(settings)
    (package / "mocks" / "__pycache__").mkdir()
    (package / "mocks" / "__pycache__" / "stars.cpython-311.pyc").write_bytes(b"cached")
    assert data_identity(settings) == before
    with (package / "mocks" / "galaxies.py").open("a") as source:
        source.write("# changed\n")
    assert data_identity(settings) != before


def other(settings: Settings, **changes) -> Settings:
    """Settings of which some rooms differ: ``data={"galaxy_seed": 12}``."""
    rooms = {room: getattr(settings, room).model_copy(update=change) for room, change in changes.items()}
    return settings.model_copy(update=rooms)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"galaxy_seed": 12}}, "data.galaxy_seed = 12, made with 11"),
        ({"mocks": {"particle_mass_msun": 15000.0}}, "mocks.particle_mass_msun = 15000.0, made with 14000.0"),
        ({"quality": {"max_fractional_parallax_error": 0.2}}, "quality.max_fractional_parallax_error = 0.2, made with"),
    ],
)
def test_data_of_other_settings_are_never_read(written: Path, settings: Settings, changes, words):
    changed = other(settings, **changes)
    assert not is_current(written, changed)
    for read in (lambda: verify_data(written, changed), lambda: verified_digest(written / "stars.bin", changed)):
        with pytest.raises(InputError, match="is not of these settings") as refusal:
            read()
        assert words in str(refusal.value)
        assert "`exsitu data` and `dvc add" in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_data_of_other_code_are_read_and_that_is_said(written: Path, settings: Settings, caplog):
    write_json(written / "data.json", {**read_json(written / "data.json"), "identity": "older"})
    assert not is_current(written, settings)
    assert len(verify_data(written, settings)) == 64
    assert "was made by other code" in caplog.text


def test_data_that_do_not_state_their_settings_are_read_only_where_all_is_as_it_was(written: Path, settings: Settings):
    record = {name: held for name, held in read_json(written / "data.json").items() if name != "settings"}
    write_json(written / "data.json", record)
    assert len(verify_data(written, settings)) == 64
    with pytest.raises(InputError, match="do not state by which settings"):
        verify_data(written, other(settings, data={"galaxy_seed": 12}))


def test_what_is_recorded_are_the_settings_that_decide_and_no_others(written: Path, settings: Settings):
    assert read_json(written / "data.json")["settings"] == data_settings(settings)
    assert len(verify_data(written, other(settings, training={"draws_per_star": 3}))) == 64


def test_dvc_asks_prepare_again_where_a_setting_that_decides_the_data_changed(repository: Path, settings: Settings):
    asked = yaml.safe_load((repository / "dvc.yaml").read_text())["stages"]["prepare"]["params"]
    for room in data_settings(settings):
        assert room in asked or f"profiles.${{profile}}.{room}" in asked, room


def test_a_broken_record_is_no_reason_not_to_make_the_data_anew(written: Path, settings: Settings):
    (written / "data.json").write_text("{")
    assert not is_current(written, settings)


def test_a_flipped_bit_is_found_and_the_file_named(written: Path, settings: Settings):
    content = bytearray((written / "stars.bin").read_bytes())
    content[5000] ^= 4
    (written / "stars.bin").write_bytes(content)
    with pytest.raises(InputError, match=r"stars\.bin"):
        verify_data(written, settings)


def test_a_survey_of_the_data_is_hashed_against_what_was_written_and_others_are_just_hashed(
    written: Path, tmp_path: Path, settings: Settings
):
    (tmp_path / "mine.bin").write_bytes(b"mine")
    assert verified_digest(tmp_path / "mine.bin", settings) == sha256_file(tmp_path / "mine.bin")
    assert verified_digest(written / "stars.bin", settings) == sha256_file(written / "stars.bin")
    (written / "stars.bin").write_bytes(b"other")
    with pytest.raises(InputError, match=r"stars\.bin is not as when the data were made"):
        verified_digest(written / "stars.bin", settings)


@pytest.mark.parametrize("change", ["removed", "added"])
def test_a_file_removed_or_added_is_found(written: Path, settings: Settings, change: str):
    if change == "removed":
        (written / "stars.bin").unlink()
    else:
        (written / "more.bin").write_bytes(b"x")
    with pytest.raises(InputError, match=r"\.bin"):
        verify_data(written, settings)


def test_untouched_data_verify_to_one_digest(written: Path, settings: Settings):
    assert verify_data(written, settings) == verify_data(written, settings)
    assert len(verify_data(written, settings)) == 64


def test_missing_data_say_what_to_run(tmp_path: Path, settings: Settings):
    with pytest.raises(InputError, match="exsitu data"):
        verify_data(tmp_path / "data", settings)


def test_a_maker_that_fails_leaves_the_old_data(written: Path, settings: Settings, tmp_path: Path, monkeypatch):
    manifest = read_json(written / "data.json")
    write_json(written / "data.json", {**manifest, "identity": "older"})

    def fail(*_: object, progress: bool) -> None:
        raise InputError("no galaxy")

    monkeypatch.setattr(stage, "run_jobs", fail)
    with pytest.raises(InputError, match="no galaxy"):
        make_data(settings, output=written, reports=tmp_path, suites=tmp_path, progress=False)
    assert read_json(written / "data.json")["identity"] == "older"
    assert sorted(p.name for p in written.iterdir()) == ["data.json", "stars.bin"]
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_a_table_that_fails_its_gate_is_never_published_and_leaves_a_report(
    settings: Settings, tmp_path: Path, repository: Path, monkeypatch
):
    def make(jobs: list, **_: object) -> None:
        folder = jobs[0].arguments["folder"]
        stars = pd.DataFrame({"source_id": [1, 1, 2], "ra": [1.0, 2.0, np.nan], "parallax": [0.001, 0.002, 0.003]})
        write_parquet(folder / "mocks" / "m12i" / "lsr0.parquet", [stars])

    monkeypatch.setattr(stage, "run_jobs", make)
    with pytest.raises(GateError, match="mock_survey"):
        make_data(
            settings,
            output=tmp_path / "data",
            reports=tmp_path / "reports",
            suites=repository / "expectations",
            progress=False,
        )
    assert not (tmp_path / "data").exists()
    assert (tmp_path / "reports" / "mock_survey-m12i-lsr0.json").is_file()


def test_ananke_without_a_root_says_which_key_is_missing(settings: Settings, tmp_path: Path):
    ananke = settings.model_copy(update={"mocks": settings.mocks.model_copy(update={"source": "ananke"})})
    with pytest.raises(InputError, match=r"mocks\.root"):
        stage._make_mocks(ananke, ananke.mocks, settings.data.pretraining, None, tmp_path)


def test_ananke_slices_are_imported_with_the_cut_and_their_labels(settings: Settings, tmp_path: Path):
    rng = np.random.default_rng(1)
    root = tmp_path / "ananke"
    galaxy = settings.data.target.model_copy(update={"viewpoints": (0,)})
    for number in (0, 1, 2):
        n = 100
        frame = pd.DataFrame({name: rng.uniform(0, 1, n) for name in (*REQUIRED, "ra", "dec", "pmra", "pmdec")}).assign(
            source_id=np.arange(n) + 1000 * number,
            parentid=rng.integers(0, 50, n),
            parallax=np.where(np.arange(n) % 2, 1.0, 0.1),
            parallax_error=0.05,
        )
        path = root / "m12f" / "lsr_0" / f"lsr-0-rslice-{number}.m12f-res7100-md-sliced-gcat-dr2.hdf5"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ananke(path, frame)
    np.save(tmp_path / "ids.npy", np.array([3, 7], dtype=np.int64))
    mocks = settings.mocks.model_copy(
        update={"source": "ananke", "root": root, "labels": {"m12f": tmp_path / "ids.npy"}}
    )
    stage._make_mocks(settings.model_copy(update={"mocks": mocks}), mocks, galaxy, None, tmp_path / "data")
    stars = read_parquet(tmp_path / "data" / "mocks" / "m12f" / "lsr0.parquet")
    assert len(stars) == 100  # half of two slices; the third is not stacked
    assert stars["source_id"].max() < 2000
    assert np.load(tmp_path / "data" / "mocks" / "m12f" / "accreted_particle_ids.npy").tolist() == [3, 7]
