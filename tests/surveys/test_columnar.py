"""Arrays of a survey are the numbers `read_survey` gives, whatever the file."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exsitu.errors import InputError
from exsitu.surveys.columnar import read_columns
from exsitu.surveys.reader import read_survey

NAMES = ("l", "b", "pmra", "pmdec", "parallax", "parallax_error")


@pytest.fixture
def table():
    """Stars on both sides of every branch, with what is missing missing."""
    rng = np.random.default_rng(3)
    rows = 500
    return pd.DataFrame(
        {
            "source_id": rng.permutation(rows) + (1 << 60),
            "ra": rng.uniform(-10.0, 360.0, rows),
            "dec": rng.uniform(-90.0, 90.0, rows),
            "l": rng.uniform(0.0, 360.0, rows),
            "b": rng.uniform(-90.0, 90.0, rows),
            "pmra": rng.normal(0.0, 10.0, rows),
            "pmdec": rng.integers(-9, 9, rows),
            "parallax": np.where(rng.random(rows) < 0.1, np.nan, rng.uniform(0.1, 3.0, rows)),
            "parallax_error": rng.uniform(0.01, 0.1, rows).astype(np.float32),
        }
    )


def written(path, frame, units=()):
    """The frame as Parquet whose fields state some units."""
    found = pa.Table.from_pandas(frame, preserve_index=False)
    for name, unit in dict(units).items():
        i = found.schema.get_field_index(name)
        found = found.set_column(i, found.schema.field(i).with_metadata({"unit": unit}), found.column(i))
    pq.write_table(found, path, row_group_size=128)
    return path


def joined(chunks):
    chunks = list(chunks)
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def survey(path, names, **how):
    return pd.concat(read_survey(path, columns=names, unique_ids=False, **how), ignore_index=True)


@pytest.mark.parametrize("missing", [(), ("l", "b"), ("ra", "dec")])
@pytest.mark.parametrize("names", [NAMES, ("source_id", "ra", "dec", *NAMES)])
def test_columns_are_those_of_read_survey(tmp_path, table, missing, names):
    path = written(tmp_path / "stars.parquet", table.drop(columns=list(missing)), {"parallax": "uas", "pmra": "mas/yr"})
    found, expected = joined(read_columns(path, names, chunk_rows=77)), survey(path, list(names))
    assert list(found) == list(names)
    for name in names:
        np.testing.assert_array_equal(found[name], expected[name].to_numpy())


def test_gaias_own_names_are_understood_and_what_is_not_there_is_not_given(tmp_path, table):
    path = written(tmp_path / "stars.parquet", table.drop(columns="source_id").rename(columns={"pmra": "PMRA"}))
    found = joined(read_columns(path, NAMES, optional=("source_id", "pmra_error")))
    assert list(found) == list(NAMES)
    np.testing.assert_array_equal(found["pmra"], table["pmra"])


def test_other_formats_come_through_the_reader(tmp_path, table):
    table.to_csv(tmp_path / "stars.csv", index=False)
    found = joined(read_columns(tmp_path / "stars.csv", NAMES, optional=("source_id",), chunk_rows=90))
    np.testing.assert_array_equal(found["source_id"], table["source_id"])
    np.testing.assert_array_equal(found["parallax"], table["parallax"])


def test_missing_errors_are_refused_or_nan(tmp_path, table):
    path = written(tmp_path / "stars.parquet", table.drop(columns="parallax_error"))
    with pytest.raises(InputError, match="--allow-missing-errors"):
        list(read_columns(path, NAMES))
    assert np.isnan(joined(read_columns(path, NAMES, allow_missing_errors=True))["parallax_error"]).all()


def test_text_and_missing_ids_are_refused(tmp_path, table):
    path = written(tmp_path / "text.parquet", table.assign(pmra=table["pmra"].astype(str)))
    with pytest.raises(InputError, match="not numbers"):
        list(read_columns(path, NAMES))
    ids = table["source_id"].astype("Int64").mask(table.index == 3)
    path = written(tmp_path / "ids.parquet", table.assign(source_id=ids))
    with pytest.raises(InputError, match="missing in 1 rows"):
        list(read_columns(path, NAMES, optional=("source_id",), chunk_rows=1000))


def test_a_file_without_any_parallax_and_a_damaged_one_are_refused(tmp_path, table):
    path = written(tmp_path / "none.parquet", table.assign(parallax=np.nan))
    with pytest.raises(InputError, match="no finite parallax in 500 rows"):
        list(read_columns(path, NAMES))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="cannot be read"):
        list(read_columns(path, NAMES))
