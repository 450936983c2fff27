"""Arrays of a survey are the numbers `read_survey` gives, whatever the file."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exsitu.errors import InputError
from exsitu.phase_space import icrs_to_galactic
from exsitu.surveys.columnar import frame_columns, read_columns
from exsitu.surveys.missing import Replaced
from exsitu.surveys.reader import read_survey

NAMES = ("l", "b", "pmra", "pmdec", "parallax", "parallax_error")


@pytest.fixture
def table():
    """Stars on both sides of every branch, with what is missing missing."""
    rng = np.random.default_rng(3)
    rows = 500
    ra, dec = rng.uniform(-10.0, 360.0, rows), rng.uniform(-90.0, 90.0, rows)
    l, b = icrs_to_galactic(ra, dec)  # noqa: E741 - the field's name
    return pd.DataFrame(
        {
            "source_id": rng.permutation(rows) + (1 << 60),
            "ra": ra,
            "dec": dec,
            "l": l % 360.0,
            "b": b,
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


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_what_is_no_measurement_is_missing_counted_and_marked(tmp_path, table, suffix):
    table.loc[:4, "pmra"] = -999.0
    table.loc[[7, 8], ["ra", "dec"]] = -9999.0
    table.loc[20, "parallax_error"] = 0.0
    table = table.drop(columns=["l", "b"])
    path = tmp_path / f"stars.{suffix}"
    written(path, table) if suffix == "parquet" else table.to_csv(path, index=False)
    replaced = Replaced(NAMES)
    found = joined(read_columns(path, NAMES, chunk_rows=77, replaced=replaced))
    assert list(found) == [*NAMES, "not_physical"]
    assert np.flatnonzero(found["not_physical"]).tolist() == [0, 1, 2, 3, 4, 7, 8, 20]
    assert np.isnan(found["pmra"][:5]).all()
    assert np.isnan(found["l"][7:9]).all()
    assert replaced.as_dict() == {
        "ra": {"-9999": 2},
        "dec": {"-9999": 2},
        "pmra": {"-999": 5},
        "parallax_error": {"0": 1},
    }
    assert replaced.rows == 8
    one = frame_columns(table, NAMES, replaced=Replaced(NAMES))
    for name in found:
        np.testing.assert_allclose(one[name], found[name], rtol=1e-6)


def test_a_position_that_is_no_measurement_is_none_where_another_is_there(tmp_path, table):
    table.loc[[7, 8], "dec"] = 1e300
    table.loc[[9, 10], ["l", "b"]] = -9999.0
    path, replaced = written(tmp_path / "stars.parquet", table), [Replaced(NAMES) for _ in range(3)]
    found = joined(read_columns(path, NAMES, replaced=replaced[0]))
    assert np.flatnonzero(np.isnan(found["l"])).tolist() == np.flatnonzero(found["not_physical"]).tolist() == [7, 8]
    for same in (survey(path, list(NAMES), replaced=replaced[1]), frame_columns(table, NAMES, replaced=replaced[2])):
        np.testing.assert_array_equal(found["l"], same["l"])
        np.testing.assert_array_equal(found["not_physical"], same["not_physical"])


def test_it_is_said_where_nobody_asks(tmp_path, table, caplog):
    path = written(tmp_path / "stars.parquet", table.assign(pmra=table["pmra"].where(table.index > 2, 1e20)))
    joined(read_columns(path, NAMES))
    survey(path, list(NAMES))
    assert caplog.text.count("taken as missing: pmra (1e+20 in 3 rows)") == 2


def test_errors_are_made_from_the_parallax_over_them(tmp_path, table):
    ratio = (table["parallax"] / table["parallax_error"]).mask(table.index == 3, 0.0)
    path = written(tmp_path / "stars.parquet", table.drop(columns="parallax_error").assign(parallax_over_error=ratio))
    found = joined(read_columns(path, NAMES))
    assert np.isnan(found["parallax_error"][3])
    np.testing.assert_allclose(
        np.delete(found["parallax_error"], 3), np.delete(table["parallax_error"].mask(table["parallax"].isna()), 3)
    )
    np.testing.assert_array_equal(found["parallax_error"], survey(path, list(NAMES))["parallax_error"])
    np.testing.assert_array_equal(
        found["parallax_error"], frame_columns(pd.read_parquet(path), NAMES)["parallax_error"]
    )
    assert "parallax_error" in survey(path, None)


def test_positions_that_do_not_agree_are_refused(tmp_path, table):
    other = table.assign(b=table["b"].where(table.index < 400, 3.0))
    path = written(tmp_path / "stars.parquet", other)
    for reading in (lambda: joined(read_columns(path, NAMES)), lambda: frame_columns(other, NAMES)):
        with pytest.raises(InputError, match="'l', 'b' are not the Galactic coordinates of 'ra', 'dec'"):
            reading()


@pytest.mark.parametrize("reader", [frame_columns, None])
def test_two_columns_of_one_quantity_are_refused(tmp_path, table, reader):
    twice = table.assign(Plx=99.0)
    with pytest.raises(InputError, match="'parallax' and 'Plx', two columns for one quantity"):
        list(reader(twice, NAMES) if reader else read_columns(written(tmp_path / "stars.parquet", twice), NAMES))


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
