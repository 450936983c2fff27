"""Surveys under any spelling become the registry's columns; what cannot be one is refused with what to do next."""

import numpy as np
import pandas as pd
import pytest

from exsitu.columns import COLUMNS, RELEASES
from exsitu.errors import InputError
from exsitu.phase_space import galactic_to_icrs, icrs_to_galactic
from exsitu.surveys.gaia import guess_release
from exsitu.surveys.names import registry_names
from exsitu.surveys.positions import wrapped
from exsitu.surveys.reader import read_survey
from exsitu.tables import describe, write_parquet

FIRST_ID = 2**62 + 1


def stars(n_stars=60, seed=4, **changed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "source_id": FIRST_ID + np.arange(n_stars),
            "ra": rng.uniform(0.0, 360.0, n_stars),
            "dec": rng.uniform(-90.0, 90.0, n_stars),
            "parallax": rng.normal(1.0, 0.5, n_stars),
            "parallax_error": rng.uniform(0.02, 0.1, n_stars),
            "pmra": rng.normal(0.0, 5.0, n_stars),
            "pmdec": rng.normal(0.0, 5.0, n_stars),
            "phot_g_mean_mag": rng.uniform(8.0, 15.0, n_stars).astype("f4"),
        }
    )
    return frame.assign(**changed)


def written(frame, path, units=None):
    """A FITS file that states units, or a CSV or Parquet file that states none."""
    from astropy.table import Table

    if path.suffix == ".fits":
        table = Table.from_pandas(frame)
        for name, unit in (units or {}).items():
            table[name].unit = unit
        table.write(path)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


def read(path, **kwargs):
    return pd.concat(read_survey(path, **kwargs), ignore_index=True)


@pytest.mark.parametrize("suffix", ["fits", "csv", "parquet"])
def test_a_survey_has_the_registrys_types_and_both_positions(suffix, tmp_path):
    frame = stars()
    found = read(written(frame, tmp_path / f"t.{suffix}"), chunk_rows=25)
    assert {name: str(found[name].dtype) for name in found} == {name: COLUMNS[name].dtype for name in found}
    assert list(found) == [name for name in COLUMNS if name in {*frame, "l", "b"}]
    assert np.array_equal(found["source_id"], frame["source_id"])
    l, b = icrs_to_galactic(frame["ra"], frame["dec"])  # noqa: E741 - the field's name
    assert np.array_equal(found["l"], l)
    assert np.array_equal(found["b"], b)


def test_right_ascension_is_made_from_galactic_longitude(tmp_path):
    frame = stars()
    l, b = icrs_to_galactic(frame["ra"], frame["dec"])  # noqa: E741 - the field's name
    galactic = frame.drop(columns=["ra", "dec"]).assign(l=l, b=b)
    found = read(written(galactic, tmp_path / "t.parquet"))
    np.testing.assert_allclose(found["ra"], frame["ra"], atol=1e-9)
    np.testing.assert_array_equal(found["dec"], galactic_to_icrs(l, b)[1])


def test_longitudes_of_an_archive_come_into_the_networks_range(tmp_path):
    frame = stars(4).drop(columns=["ra", "dec"]).assign(l=[0.0, 180.0, 180.5, 359.0], b=[0.0, 1.0, 2.0, 3.0])
    assert read(written(frame, tmp_path / "t.parquet"))["l"].tolist() == [0.0, 180.0, -179.5, -1.0]
    assert wrapped(np.array([-180.0, -179.9, 360.0])).tolist() == [180.0, -179.9, 0.0]


def test_spellings_are_understood_whatever_their_case(tmp_path):
    frame = stars()
    vizier = {"source_id": "Source", "ra": "RA_ICRS", "dec": "DE_ICRS", "parallax": "Plx", "parallax_error": "e_Plx"}
    vizier |= {"pmra": "pmRA", "pmdec": "pmDE", "phot_g_mean_mag": "Gmag"}
    found = read(written(frame.rename(columns=vizier), tmp_path / "t.csv"))
    pd.testing.assert_frame_equal(found[list(frame)], frame)


def test_two_columns_of_one_meaning_are_refused_where_they_are_read(tmp_path):
    frame = stars().assign(rv=1.0, radial_velocity=2.0, hrv=3.0)
    path = written(frame, tmp_path / "t.parquet")
    assert registry_names(describe(path))["radial_velocity"] == "radial_velocity"
    with pytest.raises(InputError, match="has 'radial_velocity' and 'rv', two columns for one quantity"):
        read(path)
    assert "parallax" in read(path, columns=["parallax"])
    assert set(read(path, release="gaia_dr3")["radial_velocity"]) == {2.0}


def test_a_release_understands_its_own_names_and_the_registrys(tmp_path):
    native = {"source_id": "HIP", "parallax": "Plx", "parallax_error": "e_Plx", "pmra": "pmRA", "pmdec": "pmDE"}
    path = written(stars().rename(columns=native), tmp_path / "t.parquet")
    assert "source_id" in read(path, release="hipparcos2")
    write_parquet(tmp_path / "ours.parquet", [stars()])
    assert "source_id" in read(tmp_path / "ours.parquet", release="hipparcos2")
    with pytest.raises(InputError, match="unknown data release 'gaia_dr33'; did you mean 'gaia_dr3'"):
        read(path, release="gaia_dr33")


def test_an_alias_does_not_count_where_a_release_is_named(tmp_path):
    path = written(stars().rename(columns={"parallax": "plx"}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="no column 'parallax'; did you mean"):
        read(path, release="gaia_dr3")


@pytest.mark.parametrize("missing", ["ra", "parallax", "pmdec"])
def test_a_missing_column_is_named_with_what_would_be_understood(missing, tmp_path):
    path = written(stars().drop(columns=missing), tmp_path / "t.csv")
    with pytest.raises(InputError, match=f"no column '{missing}'.*understood are {missing}"):
        read(path)


def test_columns_and_required_are_heeded(tmp_path):
    path = written(stars(), tmp_path / "t.csv")
    assert list(read(path, columns=["pmra", "l", "source_id"])) == ["pmra", "l", "source_id"]
    with pytest.raises(InputError, match="no column 'radial_velocity'"):
        read(path, required=("radial_velocity",))
    with pytest.raises(InputError, match="no column 'paralax' in the registry; did you mean 'parallax'"):
        read(path, columns=["paralax"])


@pytest.mark.parametrize(
    ("column", "unit", "factor"),
    [
        ("parallax", "mas", 1.0),
        ("parallax", "arcsec", 1000.0),
        ("pmra", "mas.yr**-1", 1.0),
        ("pmra", "mas.yr-1", 1.0),
        ("pmdec", "arcsec/yr", 1000.0),
        ("pmdec", "uas/yr", 0.001),
        ("ra", "rad", np.degrees(1.0)),
        ("radial_velocity", "m/s", 0.001),
        ("radial_velocity", "km.s**-1", 1.0),
        ("feh", "dex", 1.0),
        ("feh", "'dex'", 1.0),
        ("feh", "[-]", 1.0),
        ("logg", "log(cm.s**-2)", 1.0),
    ],
)
def test_a_stated_unit_is_converted(column, unit, factor, tmp_path):
    from astropy.io import fits

    values = np.linspace(0.1, 0.99, 60)
    frame = stars(**{column: values})
    path = written(frame, tmp_path / "t.fits")
    with fits.open(path, mode="update") as hdus:
        hdus[1].columns[column].unit = unit
    np.testing.assert_allclose(read(path)[column], values * factor, rtol=1e-6)


def test_mas_are_left_bit_for_bit_as_they_are(tmp_path):
    frame = stars()
    found = read(written(frame, tmp_path / "t.fits", {"parallax": "mas", "pmra": "mas/yr"}))
    assert np.array_equal(found["parallax"], frame["parallax"])


@pytest.mark.parametrize(("column", "unit"), [("pmra", "km/s"), ("parallax", "deg/yr"), ("pmdec", "mas")])
def test_a_unit_that_cannot_be_converted_is_refused_at_once(column, unit, tmp_path):
    path = written(stars(), tmp_path / "t.fits", {column: unit})
    with pytest.raises(InputError, match=rf"{column} is in .*cannot be converted to {COLUMNS[column].unit}"):
        read_survey(path)


def test_an_unknown_unit_is_refused(tmp_path):
    path = written(stars(), tmp_path / "t.fits")
    from astropy.io import fits

    with fits.open(path, mode="update") as hdus:
        hdus[1].columns["pmra"].unit = "furlongs"
    with pytest.raises(InputError, match="unknown unit 'furlongs'"):
        read(path)


def test_radians_that_are_not_stated_are_refused(tmp_path):
    path = written(stars().rename(columns={"ra": "RArad", "dec": "DErad"}), tmp_path / "t.csv")
    with pytest.raises(InputError, match="RArad states no unit and may be in radians or degrees"):
        read(path)


def test_float_ids_are_refused(tmp_path):
    path = written(stars().assign(source_id=lambda f: f["source_id"].astype(float)), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"source_id holds float64, not int64; floats lose digits above 2\^53"):
        read(path)


def test_masked_ids_are_refused(tmp_path):
    frame = stars(3).assign(source_id=pd.array([1, None, 3], dtype="Int64"))
    with pytest.raises(InputError, match="source_id is missing in 1 rows"):
        read(written(frame, tmp_path / "t.parquet"))


def test_text_where_numbers_should_be_is_refused(tmp_path):
    with pytest.raises(InputError, match="pmra holds str, not numbers, such as 'fast'"):
        read(written(stars(2).assign(pmra=["fast", "slow"]), tmp_path / "u.parquet"))
    frame = stars(2).assign(ra=["00:00:01", "12:00:00"])
    with pytest.raises(InputError, match="ra is sexagesimal, such as '00:00:01'; convert it to decimal degrees"):
        read(written(frame, tmp_path / "t.parquet"))


@pytest.mark.parametrize("chunk_rows", [60, 7])
def test_repeated_ids_are_refused_within_and_across_chunks(chunk_rows, tmp_path):
    frame = stars()
    frame.loc[50, "source_id"] = frame.loc[2, "source_id"]
    path = written(frame, tmp_path / "t.parquet")
    with pytest.raises(InputError, match=f"1 repeated source_id \\(the first is {FIRST_ID + 2}\\)"):
        read(path, chunk_rows=chunk_rows)
    assert len(read(path, unique_ids=False)) == len(frame)


def test_ids_in_any_order_pass(tmp_path):
    frame = stars().sample(frac=1.0, random_state=3)
    assert len(read(written(frame, tmp_path / "t.parquet"), chunk_rows=9)) == len(frame)


def test_a_parallax_column_of_nan_alone_is_refused(tmp_path):
    path = written(stars(parallax=np.nan), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="no finite parallax in 60 rows"):
        read(path, chunk_rows=25)


def test_single_missing_parallaxes_pass(tmp_path):
    frame = stars()
    frame.loc[0, "parallax"] = np.nan
    assert read(written(frame, tmp_path / "t.csv"))["parallax"].isna().sum() == 1


def test_a_survey_without_parallax_errors_needs_a_word(tmp_path):
    path = written(stars().drop(columns="parallax_error"), tmp_path / "t.csv")
    with pytest.raises(InputError, match="--allow-missing-errors"):
        read(path)
    assert read(path, allow_missing_errors=True)["parallax_error"].isna().all()


def test_a_survey_of_the_other_gaia_release_is_refused(tmp_path):
    path = written(stars().assign(ruwe=1.0), tmp_path / "t.parquet")
    assert guess_release(describe(path)) is None  # of DR3 or DR4
    with pytest.raises(InputError, match=r"of gaia_dr3 or gaia_dr4, not gaia_dr2 \(column ruwe\); ids differ between"):
        read(path, release="gaia_dr2")
    assert guess_release(describe(written(stars(), tmp_path / "u.parquet"))) is None


@pytest.mark.parametrize(
    ("name", "release", "rows", "velocities"),
    [
        ("gaia_dr2_gaia_source_1000.fits", "gaia_dr2", 1000, 4),
        ("gaia_dr2_rv_100.fits", "gaia_dr2", 100, 100),
        ("gaia_dr3_gaia_source_1000.fits", "gaia_dr3", 1000, 24),
    ],
)
def test_real_gaia_tables_are_read(real_data, name, release, rows, velocities):
    from astropy.io import fits

    found = read(real_data / name, release=release, chunk_rows=300)
    pd.testing.assert_frame_equal(found, read(real_data / name))
    table = fits.getdata(real_data / name)
    assert len(found) == rows
    assert np.array_equal(found["source_id"], table["source_id"])
    assert np.isfinite(found["radial_velocity"]).sum() == velocities
    np.testing.assert_array_equal(found["pmra"], table["pmra"])
    assert guess_release(describe(real_data / name)) == release
    assert RELEASES[release]
    assert found["l"].between(-180.0, 180.0).all()


def test_real_gaia_longitudes_agree_with_the_positions(real_data):
    found = read(real_data / "gaia_dr3_gaia_source_1000.fits")
    l, b = icrs_to_galactic(found["ra"], found["dec"])  # noqa: E741 - the field's name
    # The archive's Galactic pole is that of Hipparcos (ESA 1997), 0.02 arcsec from astropy's.
    assert np.abs((found["l"] - l) * np.cos(np.radians(b))).max() < 1e-5
    assert np.abs(found["b"] - b).max() < 1e-5


@pytest.mark.parametrize("form", ["votable", "ascii.ecsv", "csv", "csv.gz", "parquet"])
def test_real_gaia_tables_pass_through_every_format(real_data, form, tmp_path):
    from astropy.table import Table

    source = real_data / "gaia_dr3_gaia_source_1000.fits"
    wanted = read(source)
    if form.startswith(("csv", "parquet")):
        path = tmp_path / f"gaia.{form}"
        wanted.to_parquet(path) if form == "parquet" else wanted.to_csv(path, index=False)
    else:
        path = tmp_path / f"gaia.{form}"
        Table.from_pandas(wanted).write(path, format=form)
    pd.testing.assert_frame_equal(read(path, chunk_rows=400), wanted)


def test_real_cluster_members_are_refused_for_a_release_and_read_for_scoring(real_data):
    path = real_data / "star_cluster_members_gaiadr2_ship.parquet"
    with pytest.raises(InputError, match="402 repeated source_id"):
        read(path)
    found = read(path, unique_ids=False)
    assert len(found) == 72_866
    assert np.isfinite(found["radial_velocity"]).sum() == 4082
    assert (found["parallax"] / found["parallax_error"] > 10.0).all()


@pytest.mark.parametrize(
    ("name", "rows", "missing"),
    [("metal_poor_halo_stars_gaia6d.csv", 1057, None), ("rave_metal_poor_ruchti2011_gaia.csv", 319, None)],
)
def test_real_halo_stars_without_errors_need_a_word(real_data, name, rows, missing):
    with pytest.raises(InputError, match="--allow-missing-errors"):
        read(real_data / name)
    found = read(real_data / name, allow_missing_errors=True)
    assert len(found) == rows
    assert found["parallax_error"].isna().all()
    assert np.isfinite(found["feh"]).sum() > 0.9 * rows


def test_a_survey_that_states_missing_rows_is_refused_unless_told(tmp_path):
    from astropy.io.votable import from_table, writeto
    from astropy.io.votable.tree import Info
    from astropy.table import Table

    document = from_table(Table.from_pandas(stars()))
    document.resources[0].infos.append(Info(name="QUERY_STATUS", value="OVERFLOW"))
    writeto(document, str(tmp_path / "t.vot"))
    with pytest.raises(InputError, match=r"states QUERY_STATUS=OVERFLOW.*give --allow-truncated"):
        read_survey(tmp_path / "t.vot")
    assert len(pd.concat(read_survey(tmp_path / "t.vot", allow_truncated=True))) == 60


def test_one_of_several_tables_is_read(tmp_path):
    from astropy.io import fits
    from astropy.table import Table

    first, second = (fits.BinTableHDU(Table.from_pandas(stars(seed=seed)), name=f"S{seed}") for seed in (1, 2))
    fits.HDUList([fits.PrimaryHDU(), first, second]).writeto(tmp_path / "t.fits")
    with pytest.raises(InputError, match="several tables that could be meant"):
        read_survey(tmp_path / "t.fits")
    read = pd.concat(read_survey(tmp_path / "t.fits", table="S2"))
    assert read["parallax"].tolist() == stars(seed=2)["parallax"].tolist()
