"""Parquet: units and masks that stand beside the columns, folders of files, integers beyond int64."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exsitu.errors import InputError
from exsitu.surveys.columnar import read_columns
from exsitu.tables import describe, read_frames

NAMES = ("ra", "dec", "parallax", "parallax_error", "pmra", "pmdec")


def stars(rows=6):
    return pd.DataFrame({n: np.linspace(0.1, 1.0, rows) for n in NAMES}).assign(source_id=np.arange(rows))


def read(path):
    return pd.concat(read_frames(path), ignore_index=True)


def test_masks_of_astropy_are_honoured_by_every_reader(tmp_path):
    from astropy.table import Table

    table = Table.from_pandas(stars())
    table = Table(table, masked=True)
    table["parallax"].mask = [True, False, True, False, False, False]
    path = tmp_path / "t.parquet"
    table.write(path)
    missing = [True, False, True, False, False, False]
    assert describe(path).masks == {"parallax": "parallax.mask"}
    assert "parallax.mask" not in describe(path).columns
    assert read(path)["parallax"].isna().tolist() == missing
    assert next(read_frames(path, columns=["parallax"]))["parallax"].isna().tolist() == missing
    assert np.isnan(next(read_columns(path, NAMES))["parallax"]).tolist() == missing


def votable(unit, status="OK"):
    fields = f'<FIELD name="parallax" datatype="double" unit="{unit}"/>'
    info = f'<INFO name="QUERY_STATUS" value="{status}"/>'
    return f'<VOTABLE version="1.4"><RESOURCE>{info}<TABLE>{fields}</TABLE></RESOURCE></VOTABLE>'


@pytest.mark.parametrize("status", ["OK", "OVERFLOW"])
def test_the_embedded_votable_states_units_and_overflow(status, tmp_path):
    table = pa.table({"parallax": [1.0, 2.0]})
    content = {"IVOA.VOTable-Parquet.version": "1.0", "IVOA.VOTable-Parquet.content": votable("arcsec", status)}
    pq.write_table(table.replace_schema_metadata(content), tmp_path / "t.parquet")
    info = describe(tmp_path / "t.parquet")
    assert info.columns == {"parallax": "arcsec"}
    assert info.truncated == (status == "OVERFLOW")


def test_a_folder_of_files_is_one_table(tmp_path):
    frame = stars()
    (tmp_path / "parts").mkdir()
    frame[:4].to_parquet(tmp_path / "parts" / "part.0.parquet")
    frame[4:].to_parquet(tmp_path / "parts" / "part.1.parquet")
    (tmp_path / "parts" / "_metadata").touch()
    pd.testing.assert_frame_equal(read(tmp_path / "parts"), frame)
    columns = list(read_columns(tmp_path / "parts", NAMES))
    assert np.concatenate([c["parallax"] for c in columns]).tolist() == frame["parallax"].tolist()
    frame[["ra"]].to_parquet(tmp_path / "parts" / "part.2.parquet")
    with pytest.raises(InputError, match=r"part\.2\.parquet has other columns"):
        describe(tmp_path / "parts")


@pytest.mark.parametrize("reader", [read, lambda p: list(read_columns(p, ("source_id", *NAMES)))])
def test_ids_beyond_int64_are_refused(reader, tmp_path):
    frame = stars(2).assign(source_id=np.array([5, 2**63 + 7], np.uint64))
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=rf"source_id goes up to {2**63 + 7}, beyond 2\^63 - 1"):
        reader(tmp_path / "t.parquet")


def test_nested_columns_are_left_out_and_repeated_names_refused(tmp_path):
    pq.write_table(pa.table({"ra": [1.0], "spectrum": [[1.0, 2.0]]}), tmp_path / "t.parquet")
    assert list(describe(tmp_path / "t.parquet").columns) == ["ra"]
    pq.write_table(pa.Table.from_arrays([pa.array([1.0])] * 2, names=["ra", "ra"]), tmp_path / "two.parquet")
    with pytest.raises(InputError, match="column 'ra' more than once"):
        describe(tmp_path / "two.parquet")


def test_a_mask_that_is_not_true_or_false_is_refused(tmp_path):
    pd.DataFrame({"ra": [1.0, 2.0], "ra.mask": ["yes", "no"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"ra\.mask is str, not true or false"):
        read(tmp_path / "t.parquet")


def test_a_hats_catalog_is_called_by_its_name(tmp_path):
    (tmp_path / "properties").touch()
    with pytest.raises(InputError, match="is a HATS catalog"):
        describe(tmp_path)
