"""The APOGEE table of distances and Galactic proper motions reads as a survey."""

import numpy as np
import pandas as pd
import pytest

from exsitu.phase_space import frame, galactic_motion_to_icrs, galactocentric
from exsitu.surveys.apogee import is_apogee, rotated_errors
from exsitu.surveys.missing import Replaced
from exsitu.surveys.reader import read_survey
from exsitu.tables import describe

NAME = "apogee_gaiadr3_inner_galaxy_6d_feh.csv.gz"


def small(tmp_path, **changed):
    row = {"l[deg]": -34.650416, "b[deg]": 12.043766, "dist[kpc]": 4.0, "edist[kpc]": 0.4, "pml[masyr]": -5.98}
    row |= {"epml[masyr]": 0.03, "pmb[masyr]": -1.26, "epmb[masyr]": 0.05, "pmlpmbcorr[]": -0.06, "vlos[kms]": -55.5}
    row |= {"evlos[kms]": 0.33, "feh[dex]": -0.52, "alpha[dex]": 0.32, "apogeeID": "2M1459"}
    pd.DataFrame([row | changed, row]).to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_the_parallax_gives_the_distance_back(tmp_path):
    found = next(read_survey(small(tmp_path)))
    assert found["parallax"][0] == pytest.approx(0.25)
    assert found["parallax_error"][0] / found["parallax"][0] == pytest.approx(0.1)
    assert found["original_ext_source_id"][0] == "2M1459"


def test_minus_99_is_missing(tmp_path):
    found = next(read_survey(small(tmp_path, **{"vlos[kms]": -99.0, "dist[kpc]": -99.0})))
    assert np.isnan(found.loc[0, ["radial_velocity", "parallax", "parallax_error"]].to_numpy(float)).all()
    assert np.isfinite(found.loc[1, ["radial_velocity", "parallax"]].to_numpy(float)).all()


def test_sentinels_are_missing_and_counted_before_anything_is_made_of_them(tmp_path):
    replaced = Replaced(("pmra", "parallax", "parallax_error"))
    bad = {"pml[masyr]": -9999.0, "feh[dex]": -9999.0, "edist[kpc]": 0.0}
    found = next(read_survey(small(tmp_path, **bad), replaced=replaced))
    assert found.loc[0, ["pmra", "pmdec", "feh", "parallax_error"]].isna().all()
    assert found.loc[1, ["pmra", "pmdec", "feh", "parallax_error"]].notna().all()
    assert replaced.as_dict() == {"parallax_error": {"0": 1}, "pmra": {"-9999": 1}, "feh": {"-9999": 1}}
    assert found["not_physical"].tolist() == [True, False]


def test_proper_motions_are_rotated_as_astropy_does(tmp_path):
    import astropy.units as u
    from astropy.coordinates import Galactic

    found = next(read_survey(small(tmp_path)))
    unit = u.mas / u.yr
    star = Galactic(-34.650416 * u.deg, 12.043766 * u.deg, pm_l_cosb=-5.98 * unit, pm_b=-1.26 * unit)
    from astropy.coordinates import ICRS

    icrs = star.transform_to(ICRS())
    assert found["ra"][0] == pytest.approx(icrs.ra.deg)
    assert found["pmra"][0] == pytest.approx(icrs.pm_ra_cosdec.value, abs=1e-9)
    assert found["pmdec"][0] == pytest.approx(icrs.pm_dec.value, abs=1e-9)


def test_error_ellipses_turn_with_the_proper_motions():
    rng = np.random.default_rng(2)
    draws = rng.multivariate_normal([0.0, 0.0], [[0.09, 0.5 * 0.3 * 0.1], [0.5 * 0.3 * 0.1, 0.01]], 200_000)
    ra, dec = np.full(len(draws), 250.0), np.full(len(draws), -30.0)
    covariance = np.cov(galactic_motion_to_icrs(ra, dec, draws[:, 0], draws[:, 1]))
    one = rotated_errors(ra[:1], dec[:1], np.array([0.3]), np.array([0.1]), np.array([0.5]))
    sigma = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose([one[0][0], one[1][0]], sigma, rtol=0.01)
    assert one[2][0] == pytest.approx(covariance[0, 1] / sigma.prod(), abs=0.01)


def test_the_real_table_is_a_rotating_inner_galaxy(real_data):
    path = real_data / NAME
    assert is_apogee(describe(path))
    found = pd.concat(read_survey(path, chunk_rows=5000), ignore_index=True)
    assert len(found) == 18_271
    assert (found["feh"] > -1.5).all()
    place = galactocentric(
        *(found[name].to_numpy() for name in ("ra", "dec")),
        1.0 / found["parallax"].to_numpy(),
        *(found[name].to_numpy() for name in ("pmra", "pmdec", "radial_velocity")),
        frame("milky_way"),
    )
    assert np.median(place.r) < 5.0
    assert 80.0 < np.median(place.v_phi) < 250.0
