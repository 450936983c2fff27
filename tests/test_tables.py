"""Reading every format in chunks with exact ids, and Parquet that is deterministic and notices its own damage."""

import gzip
import hashlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exsitu.columns import COLUMNS, column
from exsitu.errors import InputError
from exsitu.tables import describe, iter_parquet, read_frames, read_parquet, write_parquet

# Above 2^53 neighbouring ids fall onto one float64.
FIRST_ID = 2**62 + 1


def stars(n_stars=500, seed=1):
    rng = np.random.default_rng(seed)
    velocity = rng.normal(0.0, 50.0, n_stars)
    velocity[::3] = np.nan
    return pd.DataFrame(
        {
            "source_id": FIRST_ID + np.arange(n_stars),
            "ra": rng.uniform(0.0, 360.0, n_stars),
            "parallax": rng.normal(1.0, 0.5, n_stars),
            "radial_velocity": velocity,
            "original_ext_source_id": pd.Series([f"20030411_{i:04d}" for i in range(n_stars)], dtype="str"),
            "accreted": rng.random(n_stars) < 0.1,
        }
    )


def write_as(frame, form, folder):
    """The frame as a file of any format, made by the format's own library."""
    from astropy.table import Table

    path = folder / f"stars.{form}"
    if form in ("csv", "csv.gz"):
        frame.to_csv(path, index=False)
    elif form == "parquet":
        frame.to_parquet(path)
    elif form == "hdf5":
        import h5py

        with h5py.File(path, "w") as file:
            for name in frame:
                values = frame[name].to_numpy()
                file[name] = values.astype("S") if values.dtype == object else values
    else:
        table = Table({n: frame[n].to_numpy().astype("U") if frame[n].dtype == "str" else frame[n] for n in frame})
        table["ra"].unit, table["parallax"].unit = "deg", "mas"
        written = {"fits": "fits", "fits.gz": "fits", "vot": "votable", "vot.gz": "votable"}
        table.write(path.with_suffix("") if form == "vot.gz" else path, format=written.get(form, "ascii.ecsv"))
        if form == "vot.gz":
            path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    return path


FORMS = {"fits": "fits", "fits.gz": "fits", "vot": "votable", "vot.gz": "votable", "ecsv": "ecsv", "csv": "csv"}
FORMS |= {"csv.gz": "csv", "parquet": "parquet", "hdf5": "hdf5"}


@pytest.mark.parametrize("form", FORMS)
def test_every_format_comes_back_in_chunks_with_exact_ids(form, tmp_path):
    frame = stars()
    path = write_as(frame, form, tmp_path)
    chunks = list(read_frames(path, chunk_rows=200))
    assert [len(chunk) for chunk in chunks] == [200, 200, 100]
    whole = pd.concat(chunks, ignore_index=True)
    assert sorted(whole) == sorted(frame)
    assert whole["source_id"].dtype == np.int64
    assert np.array_equal(whole["source_id"], frame["source_id"])
    for name in ("ra", "parallax", "radial_velocity"):
        assert whole[name].dtype == np.float64
        np.testing.assert_array_equal(whole[name], frame[name])
    assert whole["original_ext_source_id"].dtype == "str"
    assert list(whole["original_ext_source_id"]) == list(frame["original_ext_source_id"])
    assert np.array_equal(whole["accreted"].to_numpy(bool), frame["accreted"])
    info = describe(path)
    assert info.format == FORMS[form]
    assert info.rows in (len(frame), None)


@pytest.mark.parametrize("form", FORMS)
def test_columns_are_read_in_the_order_asked_for(form, tmp_path):
    path = write_as(stars(), form, tmp_path)
    assert list(next(read_frames(path, columns=["parallax", "source_id"]))) == ["parallax", "source_id"]


@pytest.mark.parametrize("form", ["fits", "vot", "ecsv"])
def test_units_are_told_as_the_file_states_them(form, tmp_path):
    columns = describe(write_as(stars(), form, tmp_path)).columns
    assert (columns["parallax"], columns["radial_velocity"]) == ("mas", None)


def test_units_of_parquet_written_by_astropy_are_told(tmp_path):
    from astropy.table import Table

    table = Table({"parallax": [1.0, 2.0]})
    table["parallax"].unit = "arcsec"
    table.write(tmp_path / "t.parquet")
    assert describe(tmp_path / "t.parquet").columns == {"parallax": "arcsec"}


@pytest.mark.parametrize("form", ["fits", "vot", "ecsv", "csv", "parquet"])
def test_missing_integers_stay_integers(form, tmp_path):
    from astropy.table import MaskedColumn, Table

    path = tmp_path / f"t.{form}"
    table = Table({"source_id": MaskedColumn([FIRST_ID, 0, FIRST_ID + 2], mask=[False, True, False])})
    table["x"] = MaskedColumn([1.0, 2.0, 3.0], mask=[True, False, False])
    if form in ("csv", "parquet"):
        frame = table.to_pandas()
        frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    else:
        table.write(path, format={"vot": "votable", "ecsv": "ascii.ecsv"}.get(form, form))
    frame = pd.concat(read_frames(path))
    assert str(frame["source_id"].dtype) == "Int64"
    assert frame["source_id"].isna().tolist() == [False, True, False]
    assert frame["source_id"][2] == FIRST_ID + 2
    assert np.isnan(frame["x"][0])
    assert frame["x"].dtype == np.float64


def test_big_endian_fits_arrays_become_native(tmp_path):
    frame = next(read_frames(write_as(stars(), "fits", tmp_path)))
    assert all(frame[name].to_numpy().dtype.isnative for name in ("source_id", "ra"))
    frame.sort_values("ra").groupby("accreted").mean(numeric_only=True)


def test_ecsv_of_the_gaia_archive_with_commas_and_null_is_read(tmp_path):
    head = "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n# - {name: source_id, datatype: int64}\n"
    head += "# - {name: pmra, datatype: float64, unit: mas.yr-1}\n# - {name: random_index, datatype: int64}\n"
    text = head + f"source_id,pmra,random_index\n{FIRST_ID},null,7\n{FIRST_ID + 1},1.5,null\n"
    path = tmp_path / "GaiaSource.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert describe(path).columns["pmra"] == "mas.yr-1"
    frame = next(read_frames(path))
    assert frame["source_id"].tolist() == [FIRST_ID, FIRST_ID + 1]
    assert np.isnan(frame["pmra"][0])
    assert frame["random_index"][0] == 7


@pytest.mark.parametrize("text", ["1.0", "4.6e18", "99999999999999999999", "abc"])
def test_ids_in_csv_never_pass_through_a_float(text, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"source_id,ra\n5,1.0\n{text},2.0\n")
    with pytest.raises(InputError, match=rf"source_id holds '{text}'.*export the column as integers"):
        list(read_frames(path))


def test_spaces_around_csv_names_do_not_matter(tmp_path):
    (tmp_path / "t.csv").write_text(f"source_id, ra ,dec\n{FIRST_ID},1.5,2\n")
    frame = next(read_frames(tmp_path / "t.csv", columns=["ra", "source_id"]))
    assert frame.to_dict("list") == {"ra": [1.5], "source_id": [FIRST_ID]}


def test_vector_columns_of_fits_are_left_out(tmp_path):
    from astropy.table import Table

    Table({"a": [1.0, 2.0], "v": np.zeros((2, 11))}).write(tmp_path / "t.fits")
    assert list(describe(tmp_path / "t.fits").columns) == ["a"]


def test_a_missing_column_names_the_nearest(tmp_path):
    path = write_as(stars(), "parquet", tmp_path)
    with pytest.raises(InputError, match="no column 'paralax'; did you mean 'parallax'"):
        read_frames(path, columns=["paralax"])


@pytest.mark.parametrize("form", ["fits", "parquet", "hdf5", "fits.gz", "csv.gz", "vot", "csv"])
def test_a_file_cut_short_is_refused(form, tmp_path):
    path = write_as(stars(5000), form, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.7)])
    with pytest.raises(InputError, match="cut short"):
        list(read_frames(path))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"source_id,ra\n", "is empty"),
        ("t.txt", b"something, or other\n1,2\n", "no known format"),
        ("t.csv", b"\x00\x01", "no known format"),
        ("t.csv", b"ra,ra\n1,2\n", "more than once"),
    ],
)
def test_what_is_no_table_is_refused(name, data, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        list(read_frames(path))


def test_a_folder_and_an_absent_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder without Parquet files"):
        describe(tmp_path)
    with pytest.raises(InputError, match="no file"):
        describe(tmp_path / "absent.fits")


@pytest.mark.parametrize("form", ["fits", "vot", "parquet"])
def test_zero_rows_are_refused(form, tmp_path):
    with pytest.raises(InputError, match="is empty"):
        list(read_frames(write_as(stars()[:0], form, tmp_path)))


def test_fits_without_a_table_is_refused(tmp_path):
    from astropy.io import fits

    fits.writeto(tmp_path / "image.fits", np.zeros((4, 4)))
    with pytest.raises(InputError, match="no FITS table"):
        describe(tmp_path / "image.fits")


def test_chunks_of_no_rows_are_refused(tmp_path):
    with pytest.raises(InputError, match="chunk_rows is 0"):
        read_frames(write_as(stars(), "parquet", tmp_path), chunk_rows=0)


def test_parquet_comes_back_as_written(tmp_path):
    frame = stars()
    assert write_parquet(tmp_path / "t.parquet", [frame]) == len(frame)
    back = read_parquet(tmp_path / "t.parquet")
    assert {name: str(back[name].dtype) for name in back} == {n: COLUMNS[n].dtype for n in frame}
    pd.testing.assert_frame_equal(back, frame)
    assert list(read_parquet(tmp_path / "t.parquet", columns=["parallax", "ra"])) == ["parallax", "ra"]
    assert [len(c) for c in iter_parquet(tmp_path / "t.parquet", chunk_rows=300)] == [300, 200]


def test_parquet_carries_units_ucds_and_descriptions(tmp_path):
    write_parquet(tmp_path / "t.parquet", [stars()], metadata={"survey": "m12i/lsr0"})
    schema = pq.read_schema(tmp_path / "t.parquet")
    for field in schema:
        c = column(field.name)
        told = {
            key.decode(): value.decode() for key, value in field.metadata.items() if not key.startswith(b"PARQUET:")
        }
        assert told == {"unit": c.unit, "ucd": c.ucd, "description": c.description}
    assert schema.metadata[b"survey"] == b"m12i/lsr0"
    assert describe(tmp_path / "t.parquet").columns["parallax"] == "mas"


def test_nan_stays_nan_and_is_no_null(tmp_path):
    write_parquet(tmp_path / "t.parquet", [stars()])
    column_ = pq.read_table(tmp_path / "t.parquet")["radial_velocity"]
    assert column_.null_count == 0
    assert np.isnan(column_.to_numpy()).sum() == 167


def test_arrays_are_written_as_frames_are(tmp_path):
    frame = stars()
    write_parquet(tmp_path / "a.parquet", [frame])
    write_parquet(tmp_path / "b.parquet", [{str(name): frame[name].to_numpy() for name in frame}])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_complete_table_says_that_no_value_is_missing_and_reads_the_same(tmp_path):
    frame = stars()
    write_parquet(tmp_path / "a.parquet", [frame])
    write_parquet(tmp_path / "b.parquet", [frame], complete=True)
    assert {field.nullable for field in pq.read_schema(tmp_path / "a.parquet")} == {True}
    assert {field.nullable for field in pq.read_schema(tmp_path / "b.parquet")} == {False}
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "b.parquet"), read_parquet(tmp_path / "a.parquet"))


def test_parquet_is_compressed_by_zstd(tmp_path):
    write_parquet(tmp_path / "t.parquet", [stars()])
    group = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0)
    assert {group.column(i).compression for i in range(group.num_columns)} == {"ZSTD"}


@settings(max_examples=15, deadline=None)
@given(chunk=st.integers(1, 400))
def test_bytes_do_not_depend_on_the_chunks(chunk, tmp_path_factory):
    folder, frame = tmp_path_factory.mktemp("chunks"), stars(400)
    parts = [frame[i : i + chunk] for i in range(0, len(frame), chunk)]
    write_parquet(folder / "a.parquet", [frame])
    write_parquet(folder / "b.parquet", parts)
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()


def test_row_groups_do_not_depend_on_the_chunks(tmp_path):
    rows = 300_000
    frame = pd.DataFrame({"source_id": np.arange(rows), "ra": np.linspace(0.0, 360.0, rows)})
    write_parquet(tmp_path / "a.parquet", [frame])
    write_parquet(tmp_path / "b.parquet", [frame[:7], frame[7:200_000], frame[200_000:]])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.num_row_groups == 3
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "b.parquet"), frame)


def test_another_process_writes_the_same_bytes(tmp_path):
    code = (
        "import sys, numpy as np, pandas as pd; from pathlib import Path; from exsitu.tables import write_parquet;"
        "f = pd.DataFrame({'source_id': np.arange(9), 'ra': np.arange(9) / 7});"
        "write_parquet(Path(sys.argv[1]), [f], metadata={'b': '1', 'a': '2'})"
    )
    digests = set()
    for name in ("a", "b"):
        path = tmp_path / f"{name}.parquet"
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("read", [read_parquet, lambda p: list(iter_parquet(p)), lambda p: list(read_frames(p))])
def test_a_bit_flipped_in_a_data_page_is_noticed(read, tmp_path):
    path = tmp_path / "t.parquet"
    # Random digits do not compress, so that the flipped bit is one of a value and not of zstd's own structure.
    values = np.random.default_rng(3).random(4000)
    write_parquet(path, [pd.DataFrame({"source_id": np.arange(4000), "parallax": values})])
    place = pq.ParquetFile(path).metadata.row_group(0).column(1)
    data = bytearray(path.read_bytes())
    data[place.data_page_offset + place.total_compressed_size // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read"):
        read(path)


def test_the_flip_would_pass_without_the_checksum(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table({"parallax": np.random.default_rng(3).random(4000)})
    pq.write_table(table, path, compression="none", use_dictionary=False)
    place = pq.ParquetFile(path).metadata.row_group(0).column(0)
    data = bytearray(path.read_bytes())
    data[place.data_page_offset + place.total_compressed_size // 2] ^= 1
    path.write_bytes(data)
    assert not np.array_equal(pq.read_table(path)["parallax"], table["parallax"])


def test_an_unknown_column_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(InputError, match="'paralax'"):
        write_parquet(tmp_path / "t.parquet", [pd.DataFrame({"paralax": [1.0]})])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("frames", [[], [stars()[:0]]])
def test_writing_no_rows_is_refused_and_nothing_is_left(frames, tmp_path):
    with pytest.raises(InputError, match="nothing to write"):
        write_parquet(tmp_path / "t.parquet", frames)
    assert not list(tmp_path.iterdir())


def test_chunks_with_other_columns_are_refused(tmp_path):
    with pytest.raises(InputError, match="a chunk has columns"):
        write_parquet(tmp_path / "t.parquet", [stars(), stars()[["source_id", "ra"]]])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ids", [np.array([1.0, 2.0]), pd.array([1, None], dtype="Int64")])
def test_ids_that_are_floats_or_missing_are_not_written(ids, tmp_path):
    with pytest.raises(InputError, match="source_id is"):
        write_parquet(tmp_path / "t.parquet", [pd.DataFrame({"source_id": ids})])


def test_integers_beyond_their_type_are_not_written(tmp_path):
    with pytest.raises(InputError, match="beyond int32"):
        write_parquet(tmp_path / "t.parquet", [pd.DataFrame({"flags": [2**40]})])


def test_a_failing_source_leaves_the_old_file(tmp_path):
    def broken():
        yield stars()
        raise InputError("the source broke")

    path = tmp_path / "t.parquet"
    write_parquet(path, [stars(seed=2)])
    before = path.read_bytes()
    with pytest.raises(InputError, match="the source broke"):
        write_parquet(path, broken())
    assert path.read_bytes() == before


def test_parquet_readers_refuse_other_formats(tmp_path):
    with pytest.raises(InputError, match="not Parquet"):
        read_parquet(write_as(stars(), "csv", tmp_path))


def test_importing_tables_stays_light():
    heavy = "astropy", "h5py", "tensorflow", "matplotlib", "great_expectations", "mlflow"
    code = f"import sys, exsitu.tables; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reading_a_file_in_chunks_holds_a_chunk_and_not_the_file(tmp_path):
    rng = np.random.default_rng(1)
    chunks = (pd.DataFrame({"ra": rng.uniform(0.0, 360.0, 100_000)}) for _ in range(60))
    write_parquet(tmp_path / "large.parquet", chunks)
    most = max(pa.total_allocated_bytes() for _ in iter_parquet(tmp_path / "large.parquet", chunk_rows=100_000))
    assert most < 0.3 * (tmp_path / "large.parquet").stat().st_size
