"""Every table that people have is read as what it holds, or refused with a line that names the cause."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.tables import describe, frames_of, read_frames

SMALL, LARGE = "tables/00_baseline.fits", "tables/s_href-data.fits"

VIZIER = {
    "RA_ICRS": "ra",
    "DE_ICRS": "dec",
    "Source": "source_id",
    "Plx": "parallax",
    "e_Plx": "parallax_error",
    "pmRA": "pmra",
    "e_pmRA": "pmra_error",
    "pmDE": "pmdec",
    "e_pmDE": "pmdec_error",
    "Gmag": "phot_g_mean_mag",
}
SKYCOORD = {"coord.ra": "ra", "coord.dec": "dec", "coord.pm_ra_cosdec": "pmra", "coord.pm_dec": "pmdec"}
MOTIONS = ("pmra", "pmdec", "pmra_error", "pmdec_error", "parallax", "parallax_error")

# What is read as the stars of a baseline, but for columns that the case changes on purpose.
SAME = {
    "00_baseline.fits": (SMALL, ()),
    "04_overflow.vot": (SMALL, ()),
    "06_masked_astropy.fits": (SMALL, ("parallax",)),
    "06_masked_astropy.parquet": (SMALL, ("parallax",)),
    "07_arcsec.fits": (SMALL, MOTIONS),
    "07_voparquet_arcsec.parquet": (SMALL, MOTIONS),
    "08e_same_without_comma.csv": (SMALL, ("radial_velocity",)),
    "11_cr.csv": (SMALL, ()),
    "12_header_newline.csv": (SMALL, ()),
    "13_last_field_newline.csv": (SMALL, ()),
    "16_sentinel_-999.csv": (SMALL, ("pmra", "pmdec", "radial_velocity", "phot_bp_mean_mag")),
    "16_sentinel_-9999.csv": (SMALL, ("pmra", "pmdec", "radial_velocity", "phot_bp_mean_mag")),
    "16_sentinel_1e+20.csv": (SMALL, ("pmra", "pmdec", "radial_velocity", "phot_bp_mean_mag")),
    "16_sentinel_999.csv": (SMALL, ("pmra", "pmdec", "radial_velocity", "phot_bp_mean_mag")),
    "17c_second_table.fits": (SMALL, ()),
    "18a_units_attr.hdf5": (SMALL, MOTIONS),
    "18b_vaex.hdf5": (SMALL, ()),
    "18c_astropy.hdf5": (SMALL, ()),
    "19b_sexagesimal.csv": (SMALL, ()),
    "19c_upper_first.csv": (SMALL, ()),
    "20b_hash_header.csv": (SMALL, ()),
    "20c_dashes.csv": (SMALL, ("parallax",)),
    "20d_fortran_D.csv": (SMALL, ()),
    "22d_votable_second_table.vot": (SMALL, ()),
    "31_pyananke_sig_err.csv": (SMALL, ()),
    "32_position_sentinel.csv": (SMALL, ("ra", "dec")),
    "s_href-data.fits": (LARGE, ()),
    "u_04_semicolon.csv": (LARGE, ()),
    "u_05_tabs.tsv": (LARGE, ()),
    "u_10_comment_head.csv": (LARGE, ()),
    "u_36_skycoord.ecsv": (LARGE, ()),
    "u_38_sexagesimal.csv": (LARGE, ("ra", "dec")),
    "u_41_multi_meta_first.fits": (LARGE, ()),
    "u_43_fits.fits.bz2": (LARGE, ()),
    "u_60_vizier_asu.tsv": (LARGE, ()),
    "u_66_starhorse.csv": (LARGE, ()),
    "u_67_bailerjones.csv": (LARGE, ()),
    "u_68_over_error.csv": (LARGE, ()),
    "u_71_B_mag_and_b.csv": (LARGE, ()),
    "u_73_L_lum_B_mag.csv": (LARGE, ()),
    "u_83_arcsec_nounit.csv": (LARGE, MOTIONS),
    "u_a1.hdf5": (LARGE, ()),
    "u_b4_two_plx.csv": (LARGE, ()),
    "u_b6_lb_inconsistent.csv": (LARGE, ("l", "b")),
    "u_b7_zero_err_inf.csv": (LARGE, ("parallax_error", "pmra")),
    "u_b8_decimal_comma.csv": (LARGE, ()),
    "u_s.ipac": (LARGE, ()),
    "u_s.tst": (LARGE, ()),
    "u_s.txt": (LARGE, ()),
    "u_s_colfits.fits": (LARGE, ()),
}

# Tables of other stars than the baselines': so many rows, and the sum of their parallaxes.
OTHERS = {
    "tables/40_labelled_feh_-9999.csv": (318, 559.6868),
    "tables/40_labelled_rv_-9999.csv": (318, 559.6868),
    "hostile/ra_dec_swapped.csv": (300, 3858.33),
}

REFUSED = {
    "tables/05_tap_error.vot": r'service\'s error.*Column "paralax" is not in table gaiadr3\.gaia_source',
    "tables/08c_trailing_comma_noid.csv": r"line 2 has 17 fields and its header 16 names",
    "tables/08d_first_row_trailing_noid.csv": r"line 2 has 17 fields and its header 16 names",
    "tables/08e_trailing_comma_noerr.csv": r"line 2 has 8 fields and its header 7 names",
    "tables/17d_dup.fits": r"column 'ra' more than once",
    "tables/41_ids_mask.npy": r"a NumPy array",
    "tables/u_d2_pandas.h5": r"layout of pandas' to_hdf",
    "tables/u_s_href.vot": r"'s_href-data\.fits', which is not followed; give .*s_href-data\.fits itself",
    "hostile/bomb.csv.gz": r"no line end within its first",
    "hostile/dt.vot": r"type too narrow.*4611686018427388552.*declare ids as datatype='long'",
    "hostile/huge.hdf5": r"states 1000000000000 rows",
    "hostile/ragged_two_extra_fields.csv": r"line 2 has 11 fields and its header 9 names",
    "hostile/trail.csv": r"line 2 has 10 fields and its header 9 names",
    "hostile/u64.parquet": r"source_id goes up to \d+, beyond 2\^63",
}

ELSEWHERE = {"tables/30_hats_old_properties"}  # tests/test_partitions.py scores it


def read(path: Path) -> pd.DataFrame:
    return pd.concat(frames_of(describe(path), chunk_rows=700), ignore_index=True)


@cache
def stars(path: Path) -> pd.DataFrame:
    return read(path)


def test_every_case_is_looked_at(cases):
    held = {
        path.relative_to(cases).as_posix() for folder in ("tables", "hostile") for path in (cases / folder).iterdir()
    }
    assert {*(f"tables/{name}" for name in SAME), *OTHERS, *REFUSED, *ELSEWHERE} == held


@pytest.mark.parametrize("name", SAME)
def test_the_same_stars_are_read(name, cases):
    baseline, changed = SAME[name]
    expected, found = stars(cases / baseline), read(cases / "tables" / name)
    found = found.rename(columns=VIZIER if "vizier" in name else SKYCOORD)
    common = [column for column in expected if column in found and column not in changed]
    assert {"parallax", "ra", "dec"} & set(common) or name.startswith("u_6")
    assert len(found) == len(expected)
    for column in common:
        values, kept = (frame[column].to_numpy(np.float64, na_value=np.nan) for frame in (found, expected))
        np.testing.assert_allclose(values, kept, rtol=3e-6, err_msg=column)
    ids = [column for column in found if column in {"source_id", "HIP"}]
    for column in ids:
        assert found[column].dtype == np.int64
        assert found[column].tolist() == expected["source_id"].tolist()


@pytest.mark.parametrize("name", OTHERS)
def test_other_stars_are_read(name, cases):
    rows, parallaxes = OTHERS[name]
    found = read(cases / name)
    assert len(found) == rows
    assert found["parallax"].sum() == pytest.approx(parallaxes)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_as_meant_is_refused_by_its_cause(name, cases):
    with pytest.raises(InputError, match=REFUSED[name]) as caught:
        read(cases / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["06_masked_astropy.fits", "06_masked_astropy.parquet"])
def test_what_a_mask_hides_is_missing(name, cases):
    assert read(cases / "tables" / name)["parallax"].isna().tolist() == [True] * 20 + [False] * 40


def test_dashes_are_missing(cases):
    assert read(cases / "tables" / "20c_dashes.csv")["parallax"].isna().sum() > 0


@pytest.mark.parametrize("name", ["07_arcsec.fits", "07_voparquet_arcsec.parquet", "18a_units_attr.hdf5"])
def test_units_beside_the_columns_are_stated(name, cases):
    assert describe(cases / "tables" / name).columns["parallax"] == "arcsec"


def test_an_overflow_is_stated(cases):
    info = describe(cases / "tables" / "04_overflow.vot")
    assert info.truncated
    assert "QUERY_STATUS=OVERFLOW" in info.cautions[0]
    with pytest.raises(InputError, match=r"QUERY_STATUS=OVERFLOW.*ask for fewer rows"):
        read_frames(cases / "tables" / "04_overflow.vot")


@pytest.mark.parametrize("name", ["17c_second_table.fits", "22d_votable_second_table.vot"])
def test_a_table_can_be_asked_for(name, cases):
    path = cases / "tables" / name
    assert describe(path, table="2").columns.keys() == describe(path).columns.keys()
    first = describe(path, table="1")
    assert "parallax" not in first.columns
    assert len(next(frames_of(first))) == 1


def test_a_case_that_is_larger_than_its_size_is_refused_at_once(cases):
    import tracemalloc

    tracemalloc.start()
    with pytest.raises(InputError):
        read(cases / "hostile" / "bomb.csv.gz")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5e7
