"""Gaia and a spectroscopic survey meet by the archive's table or by position, and ids stay exact."""

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time

from exsitu.errors import InputError
from exsitu.surveys.crossmatch import by_best_neighbour, by_position, moved_directions, read_neighbours
from exsitu.tables import write_parquet

FIRST_ID = 2**62 + 1
EPOCHS = {"gaia_epoch": 2015.5, "spectra_epoch": 2000.0}


def gaia_stars(n_stars=400, seed=9):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "source_id": FIRST_ID + rng.permutation(n_stars),
            "ra": rng.uniform(0.0, 360.0, n_stars),
            "dec": np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n_stars))),
            "pmra": rng.normal(0.0, 300.0, n_stars),
            "pmdec": rng.normal(0.0, 300.0, n_stars),
            "parallax": rng.uniform(0.5, 2.0, n_stars),
            "radial_velocity": np.nan,
        }
    )


def spectra_of(gaia, seed=10):
    """Observations at the survey's epoch, found with astropy's rigorous motion, 0.1 arcsec off."""
    rng = np.random.default_rng(seed)
    unit = u.mas / u.yr
    at = SkyCoord(
        gaia["ra"].to_numpy() * u.deg,
        gaia["dec"].to_numpy() * u.deg,
        pm_ra_cosdec=gaia["pmra"].to_numpy() * unit,
        pm_dec=gaia["pmdec"].to_numpy() * unit,
        distance=np.full(len(gaia), 10.0) * u.pc,  # so near that these proper motions are believable
        obstime=Time(2015.5, format="jyear"),
    ).apply_space_motion(Time(2000.0, format="jyear"))
    off = at.directional_offset_by(rng.uniform(0.0, 360.0, len(gaia)) * u.deg, 0.1 * u.arcsec)
    return pd.DataFrame(
        {
            "original_ext_source_id": pd.Series([f"obs{i:04d}" for i in range(len(gaia))], dtype="str"),
            "ra": off.ra.deg,
            "dec": off.dec.deg,
            "radial_velocity": rng.normal(0.0, 50.0, len(gaia)),
            "radial_velocity_error": rng.uniform(0.5, 2.0, len(gaia)),
            "feh": rng.normal(-0.5, 0.4, len(gaia)),
            "quality_flag": 0,
        }
    )


def neighbours_of(gaia, spectra):
    return pd.DataFrame(
        {"source_id": gaia["source_id"], "original_ext_source_id": spectra["original_ext_source_id"] + " "}
    )


def test_both_ways_find_the_same_stars():
    gaia = gaia_stars()
    spectra = spectra_of(gaia)
    by_table = by_best_neighbour(gaia, spectra.sample(frac=1.0, random_state=1), neighbours_of(gaia, spectra))
    by_sky = by_position(gaia, spectra, **EPOCHS, radius_arcsec=1.0)
    pd.testing.assert_frame_equal(by_table, by_sky)
    assert by_sky["source_id"].dtype == np.int64
    assert np.array_equal(by_sky["source_id"], gaia["source_id"])
    np.testing.assert_array_equal(by_sky["radial_velocity"], spectra["radial_velocity"])
    assert {"feh", "radial_velocity_error", "original_ext_source_id", "parallax"} <= set(by_sky)
    assert "quality_flag" not in by_sky


def test_fast_stars_are_lost_where_their_motion_is_forgotten():
    gaia = gaia_stars()
    spectra = spectra_of(gaia)
    standing = by_position(gaia, spectra, gaia_epoch=2000.0, spectra_epoch=2000.0, radius_arcsec=1.0)
    assert len(standing) < 0.2 * len(gaia)


def test_directions_move_as_astropy_moves_them():
    gaia = gaia_stars()
    gaia.loc[0, ["ra", "dec"]] = [123.0, 89.999]
    there = spectra_of(gaia)
    moved = SkyCoord(*moved_directions(gaia, -15.5).T, representation_type="cartesian")
    apart = moved.separation(SkyCoord(there["ra"], there["dec"], unit="deg")).arcsec
    np.testing.assert_allclose(apart, 0.1, atol=2e-4)


def test_stars_across_the_meridian_match():
    gaia = gaia_stars(2).assign(ra=[359.99999, 0.00001], dec=[10.0, -10.0], pmra=[0.0, 0.0], pmdec=0.0)
    spectra = spectra_of(gaia).assign(ra=[0.00001, 359.99999], dec=[10.0, -10.0])
    assert len(by_position(gaia, spectra, **EPOCHS, radius_arcsec=1.0)) == 2


def test_a_star_without_proper_motion_stays_where_it_is():
    gaia = gaia_stars(1).assign(pmra=np.nan, pmdec=np.nan)
    spectra = spectra_of(gaia.assign(pmra=0.0, pmdec=0.0))
    assert len(by_position(gaia, spectra, **EPOCHS, radius_arcsec=1.0)) == 1


def test_the_nearest_of_two_sources_is_taken():
    gaia = gaia_stars(2).assign(ra=[10.0, 10.0 + 0.8 / 3600.0], dec=0.0, pmra=0.0, pmdec=0.0)
    spectra = spectra_of(gaia)[:1].assign(ra=10.0 + 0.7 / 3600.0, dec=0.0)
    found = by_position(gaia, spectra, **EPOCHS, radius_arcsec=1.0)
    assert found["source_id"].tolist() == [gaia["source_id"][1]]


def test_repeats_keep_the_most_precise_of_the_good_observations():
    gaia = gaia_stars(3)
    once = spectra_of(gaia)
    worse = once.assign(original_ext_source_id=once["original_ext_source_id"] + "b", radial_velocity_error=9.0)
    bad = once.assign(
        original_ext_source_id=once["original_ext_source_id"] + "c", radial_velocity_error=0.1, quality_flag=2
    )
    spectra = pd.concat([worse, once, bad], ignore_index=True)
    found = by_position(gaia, spectra, **EPOCHS, radius_arcsec=1.0)
    assert found["original_ext_source_id"].tolist() == once["original_ext_source_id"].tolist()
    neighbours = pd.concat([neighbours_of(gaia, part) for part in (worse, once, bad)])
    pd.testing.assert_frame_equal(by_best_neighbour(gaia, spectra, neighbours), found)


def test_neighbours_read_from_any_format(tmp_path):
    gaia = gaia_stars(5)
    frame = neighbours_of(gaia, spectra_of(gaia))
    write_parquet(tmp_path / "n.parquet", [frame])
    frame.assign(number_of_neighbours=1).to_csv(tmp_path / "n.csv", index=False)
    for name in ("n.parquet", "n.csv"):
        pd.testing.assert_frame_equal(read_neighbours(tmp_path / name), frame)
    frame.assign(source_id=frame["source_id"].astype(float)).to_parquet(tmp_path / "f.parquet")
    with pytest.raises(InputError, match="source_id holds float64"):
        read_neighbours(tmp_path / "f.parquet")


def test_two_neighbours_of_one_observation_are_refused():
    gaia = gaia_stars(3)
    spectra = spectra_of(gaia)
    neighbours = neighbours_of(gaia, spectra).assign(original_ext_source_id="obs0000")
    with pytest.raises(InputError, match="'obs0000' has more than one best neighbour"):
        by_best_neighbour(gaia, spectra, neighbours)


def test_what_cannot_match_is_refused():
    gaia = gaia_stars(3)
    spectra = spectra_of(gaia)
    neighbours = neighbours_of(gaia, spectra)
    with pytest.raises(InputError, match=r"none of 3 Gaia stars.*one Gaia release"):
        by_best_neighbour(gaia.assign(source_id=[1, 2, 3]), spectra, neighbours)
    with pytest.raises(InputError, match="nothing lies within"):
        by_position(gaia, spectra.assign(dec=-spectra["dec"]), **EPOCHS, radius_arcsec=1.0)
    with pytest.raises(InputError, match="no column 'pmra'; did you mean"):
        by_position(gaia.rename(columns={"pmra": "pm_ra"}), spectra, **EPOCHS, radius_arcsec=1.0)
    with pytest.raises(InputError, match="radius_arcsec is 0"):
        by_position(gaia, spectra, **EPOCHS, radius_arcsec=0)
