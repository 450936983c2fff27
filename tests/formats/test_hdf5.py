"""HDF5 layouts of ananke, vaex, astropy and PyTables; nothing outside the file is followed."""

import h5py
import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.formats import hdf5
from exsitu.tables import describe, read_frames

IDS = np.arange(4) + 2**62


def read(path):
    return pd.concat(read_frames(path), ignore_index=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.hdf5"


@pytest.mark.parametrize("place", ["", "stars/", "a/b/"])
@pytest.mark.parametrize("attribute", ["unit", "units", "UNIT"])
def test_flat_columns_are_found_in_any_group_with_their_units(place, attribute, path):
    with h5py.File(path, "w") as file:
        file[f"{place}source_id"] = IDS
        file[f"{place}parallax"] = np.ones(4)
        file[f"{place}parallax"].attrs[attribute] = "arcsec"
    assert describe(path).columns == {"source_id": None, "parallax": "arcsec"}
    assert read(path)["source_id"].tolist() == IDS.tolist()


def test_text_in_latin_1_is_read(path):
    with h5py.File(path, "w") as file:
        file["observer"] = np.array(["Müller".encode("latin-1"), b"Li"])
        file["source_id"] = IDS[:2]
    assert read(path)["observer"].tolist() == ["Müller", "Li"]


def test_columns_of_vaex_are_read_with_their_masks(path):
    with h5py.File(path, "w") as file:
        columns = file.create_group("table/columns")
        columns["source_id/data"] = IDS
        columns["ra/data"] = np.arange(4.0)
        columns["ra/mask"] = np.array([0, 1, 0, 0], np.uint8)
    frame = read(path)
    assert frame["source_id"].tolist() == IDS.tolist()
    assert frame["ra"].isna().tolist() == [False, True, False, False]


def test_tables_of_astropy_are_read_with_units_and_masks(path):
    from astropy.table import MaskedColumn, Table

    table = Table({"source_id": IDS, "ra": MaskedColumn(np.arange(4.0), mask=[0, 1, 0, 0], unit="deg")})
    table.write(path, path="stars", serialize_meta=True)
    assert describe(path).columns == {"source_id": None, "ra": "deg"}
    assert read(path)["ra"].isna().tolist() == [False, True, False, False]


def test_one_of_several_tables_can_be_named(path):
    with h5py.File(path, "w") as file:
        for group in ("a", "b"):
            file[f"{group}/source_id"] = IDS
    with pytest.raises(InputError, match=r"could be meant: 1 '/a' \(1 columns\), 2 '/b' \(1 columns\); name one"):
        describe(path)
    assert describe(path, table="/b").table == "2"


def test_links_and_rows_in_other_files_are_refused(path, tmp_path):
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["ra"] = np.arange(4.0)
    layout = h5py.VirtualLayout(shape=(4,), dtype=float)
    layout[:] = h5py.VirtualSource(tmp_path / "other.hdf5", "ra", shape=(4,))
    made = {
        "external link": lambda file: file.__setitem__("ra", h5py.ExternalLink("other.hdf5", "/ra")),
        "soft link": lambda file: file.__setitem__("ra", h5py.SoftLink("/dec")),
        "external storage": lambda file: file.create_dataset("ra", (4,), float, external=[("/etc/passwd", 0, 32)]),
        "virtual": lambda file: file.create_virtual_dataset("ra", layout),
    }
    for kind, make in made.items():
        with h5py.File(path, "w") as file:
            file["source_id"] = IDS
            make(file)
        with pytest.raises(InputError, match=r"not followed|in other files"):
            describe(path)
        assert kind


def test_rows_that_the_file_cannot_hold_are_refused(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("ra", (10**12,), float, chunks=(1000,))
    with pytest.raises(InputError, match=r"states 1000000000000 rows and is \d+ bytes long"):
        describe(path)


def test_the_layout_of_pandas_is_refused_by_its_name(path):
    with h5py.File(path, "w") as file:
        file.create_group("df").attrs["pandas_type"] = "frame"
    with pytest.raises(InputError, match=r"/df has the layout of pandas' to_hdf"):
        describe(path)


def test_an_image_is_no_table(path):
    with h5py.File(path, "w") as file:
        file["image"] = np.zeros((4, 4))
    with pytest.raises(InputError, match="holds no table: no datasets of one dimension; image"):
        describe(path)


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "import os; os.abort()"])
def test_a_file_in_which_the_library_hangs_or_crashes_is_refused(code, path, monkeypatch):
    with h5py.File(path, "w") as file:
        file["source_id"] = IDS
    monkeypatch.setattr(hdf5, "_PROBE", code)
    monkeypatch.setattr(hdf5, "_PROBE_SECONDS", 1)
    with pytest.raises(InputError, match="the HDF5 library does not end"):
        describe(path)
