"""FITS: checksums are verified, the table is chosen, missing integers are missing, columns may be stored whole."""

import bz2
import lzma

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table

from exsitu.errors import InputError
from exsitu.tables import describe, read_frames

STARS = Table({"source_id": np.arange(50) + 2**62, "ra": np.linspace(0.0, 1.0, 50), "dec": np.linspace(0.0, 0.5, 50)})


def read(path, **how):
    return pd.concat(read_frames(path, **how), ignore_index=True)


def damaged(path, old, new):
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


def written(folder, *tables, checksum=False):
    path = folder / "t.fits"
    fits.HDUList([fits.PrimaryHDU(), *map(fits.BinTableHDU, tables)]).writeto(path, checksum=checksum)
    return path


def test_values_without_their_checksum_are_refused(tmp_path):
    path = written(tmp_path, STARS, checksum=True)
    assert len(read(path)) == 50
    damaged(path, np.array([STARS["ra"][7], STARS["dec"][7]], ">f8").tobytes(), bytes(16))
    with pytest.raises(InputError, match="does not have the DATASUM that its header states"):
        read(path)


def test_a_header_without_its_checksum_is_refused(tmp_path):
    STARS["ra"].unit = "deg"
    path = written(tmp_path, STARS, checksum=True)
    damaged(path, b"TUNIT2  = 'deg     '", b"TUNIT2  = 'rad     '")
    with pytest.raises(InputError, match="does not have the CHECKSUM that its header states"):
        read(path)


def test_a_file_without_checksums_is_read(tmp_path):
    assert len(read(written(tmp_path, STARS))) == 50


@pytest.mark.parametrize(("module", "suffix"), [(bz2, "bz2"), (lzma, "xz")])
def test_other_compressions_are_read(module, suffix, tmp_path):
    packed = tmp_path / f"t.fits.{suffix}"
    packed.write_bytes(module.compress(written(tmp_path, STARS).read_bytes()))
    assert read(packed)["source_id"].tolist() == STARS["source_id"].tolist()


def test_the_table_of_stars_is_found_and_others_can_be_named(tmp_path):
    path = written(tmp_path, Table({"key": ["x"]}), STARS)
    assert len(read(path)) == 50
    assert describe(path).table == "2"
    assert list(describe(path, table="1").columns) == ["key"]
    path.unlink()
    with pytest.raises(InputError, match="several tables that could be meant"):
        describe(written(tmp_path, STARS, STARS))


def test_a_table_stored_by_columns_is_read(tmp_path):
    row = Table({"source_id": [np.arange(9) + 2**62], "ra": [np.linspace(0, 1, 9)], "note": ["one"]})
    path = written(tmp_path, row)
    assert describe(path).rows == 9
    assert read(path, chunk_rows=4)["source_id"].tolist() == row["source_id"][0].tolist()


def test_nulls_are_those_of_the_stored_integers(tmp_path):
    column = fits.Column("n", "J", null=-(2**31), bzero=2**31, array=np.array([7, 8, 0], np.uint32))
    fits.BinTableHDU.from_columns([column]).writeto(tmp_path / "t.fits")
    assert read(tmp_path / "t.fits")["n"].tolist() == [7, 8, pd.NA]


def test_blanks_of_an_ascii_table_are_missing(tmp_path):
    columns = [
        fits.Column("n", "I8", null="--", array=np.array([41, 42, 43])),
        fits.Column("x", "F8.3", array=np.array([1.5, 2.5, 3.5])),
    ]
    path = tmp_path / "t.fits"
    fits.TableHDU.from_columns(columns).writeto(path)
    damaged(path, b"      42", b"      --")
    damaged(path, b"   3.500", b"        ")
    frame = read(path)
    assert frame["n"].tolist() == [41, pd.NA, 43]
    assert frame["x"].isna().tolist() == [False, False, True]


def test_integers_beyond_int64_are_refused(tmp_path):
    path = written(tmp_path, Table({"source_id": np.array([2**63 + 5], np.uint64)}))
    with pytest.raises(InputError, match=rf"source_id goes up to {2**63 + 5}, beyond 2\^63 - 1"):
        read(path)
    path.unlink()
    frame = read(written(tmp_path, Table({"source_id": np.array([2**62 + 5], np.uint64)})))
    assert (frame["source_id"].dtype, frame["source_id"][0]) == (np.int64, 2**62 + 5)
