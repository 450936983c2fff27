"""What cannot be as its columns say is named; right surveys of every kind raise no doubt."""

import re

import numpy as np
import pandas as pd
import pytest

from exsitu.gates import Plausibility
from exsitu.phase_space import galactic_to_icrs
from exsitu.surveys.columnar import read_columns

COLUMNS = ("ra", "dec", "l", "b", "parallax", "parallax_error", "pmra", "pmdec")


@pytest.fixture(scope="module")
def hipparcos() -> dict[str, np.ndarray]:
    """Every real star of Hipparcos-2."""
    from exsitu.surveys.hipparcos import read_hipparcos

    whole = pd.concat(read_hipparcos(chunk_rows=200_000), ignore_index=True)
    return {name: whole[name].to_numpy() for name in COLUMNS}


def looked_at(columns, rows=20_000) -> Plausibility:
    """The survey, in chunks."""
    watch = Plausibility()
    total = len(columns["parallax"])
    for start in range(0, total, rows):
        watch.add({name: values[start : start + rows] for name, values in columns.items()})
    return watch


def without_galactic(columns):
    return {name: values for name, values in columns.items() if name not in ("l", "b")}


def test_hipparcos_raises_no_doubt_and_was_looked_at(hipparcos):
    watch = looked_at(hipparcos)
    assert watch.doubts() == []
    assert watch.notes() == []


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (lambda d: {**d, "pmra": d["pmdec"], "pmdec": d["pmra"]}, "if pmra and pmdec are swapped"),
        (lambda d: {**d, "pmra": -d["pmra"]}, "has the wrong sign"),
        (lambda d: {**d, "pmra": d["pmra"] / np.cos(np.radians(d["dec"]))}, r"lacks the factor cos\(dec\)"),
        (lambda d: {**d, "parallax": d["parallax"] * 1000.0}, "median tangential speed .* km/s"),
        (lambda d: {**d, "pmra": d["pmra"] / 1000.0, "pmdec": d["pmdec"] / 1000.0}, "median tangential speed"),
        (lambda d: {**d, **{n: d[n] / 1000.0 for n in ("parallax", "parallax_error")}}, "median parallax of .*arcsec"),
        (lambda d: {**d, "b": -d["b"]}, "l, b are not the place of ra, dec"),
        (
            lambda d: {**without_galactic(d), "ra": np.radians(d["ra"]), "dec": np.radians(d["dec"])},
            "ra runs from .* both seem to be radians",
        ),
        (lambda d: {**without_galactic(d), "ra": d["ra"] / 15.0}, "ra seems to be in hours"),
        (lambda d: {**without_galactic(d), "ra": d["dec"] % 360.0, "dec": d["ra"]}, "ra and dec may be swapped"),
        (lambda d: {**d, **turned(d)}, "if b has the wrong sign"),
    ],
)
def test_each_slip_of_a_whole_survey_is_named(hipparcos, slip, said):
    doubts = looked_at(slip(hipparcos)).doubts()
    assert any(re.search(said, doubt) for doubt in doubts), doubts


def turned(d):
    """Positions of a file that has l and b alone, b with the wrong sign."""
    ra, dec = galactic_to_icrs(d["l"], -d["b"])
    return {"ra": ra, "dec": dec, "b": -d["b"]}


def test_sentinels_in_some_positions_are_no_swap(hipparcos):
    few = without_galactic({name: values[:60].copy() for name, values in hipparcos.items()})
    few["ra"][:10] = few["dec"][:10] = np.nan
    assert looked_at(few).doubts() == []


def test_few_stars_pass_with_a_note(hipparcos):
    watch = looked_at({name: values[:30] for name, values in hipparcos.items()})
    assert watch.doubts() == []
    [note] = watch.notes()
    assert "could not be told: " in note
    assert "50 in 20 are needed" in note


def test_an_empty_survey_says_nothing():
    assert Plausibility().doubts() == []


def test_a_large_survey_is_looked_at_evenly_and_never_held_whole(hipparcos, monkeypatch):
    monkeypatch.setattr("exsitu.gates.plausible._SAMPLE_ROWS", 5000)
    half = len(hipparcos["parallax"]) // 2
    swapped = {n: v.copy() for n, v in hipparcos.items()}
    swapped["pmra"][half:], swapped["pmdec"][half:] = hipparcos["pmdec"][half:], hipparcos["pmra"][half:]
    watch = looked_at(swapped, rows=1000)
    assert 2500 <= len(watch.rows) <= 5000
    stride = 32  # the least power of two that leaves 5000 of 117955 stars
    np.testing.assert_array_equal(watch.rows["ra"], hipparcos["ra"][::stride])


@pytest.mark.parametrize(
    "name",
    [
        "gaia_dr2_gaia_source_1000.fits",
        "gaia_dr3_gaia_source_1000.fits",
        "gaia_dr2_rv_100.fits",
        "star_cluster_members_gaiadr2_ship.parquet",
        "apogee_gaiadr3_inner_galaxy_6d_feh.csv.gz",
        "metal_poor_halo_stars_gaia6d.csv",
        "rave_metal_poor_ruchti2011_gaia.csv",
    ],
)
def test_real_surveys_of_disc_clusters_bulge_and_halo_raise_no_doubt_and_their_swap_does(real_data, name):
    chunks = list(read_columns(real_data / name, COLUMNS, allow_missing_errors=True))
    columns = {n: np.concatenate([chunk[n] for chunk in chunks]) for n in COLUMNS}
    watch = looked_at(columns)
    assert watch.doubts() == []
    assert watch.notes() == []
    [doubt] = looked_at({**columns, "pmra": columns["pmdec"], "pmdec": columns["pmra"]}).doubts()
    assert "pmra and pmdec are swapped" in doubt


@pytest.mark.slow
def test_mock_surveys_raise_no_doubt(tmp_path):
    from exsitu.mocks.make import make_mocks
    from exsitu.settings import Galaxy, Mocks

    galaxy = Galaxy(galaxy="m12f", viewpoints=(0, 1))
    mocks = Mocks(
        source="builtin",
        stars_per_viewpoint=4000,
        target_stars_per_viewpoint=4000,
        particle_mass_msun=150000.0,
        accreted_particle_mass_msun=150000.0,
        error_profile="ananke",
    )
    make_mocks(tmp_path, galaxy, mocks, seed=11, max_fractional_parallax_error=0.1, progress=False)
    for path in sorted(tmp_path.glob("*/lsr*.parquet")):
        frame = pd.read_parquet(path)
        columns = {n: frame[n].to_numpy() for n in COLUMNS}
        watch = looked_at(columns)
        assert watch.doubts() == []
        assert watch.notes() == []
        [doubt] = looked_at({**columns, "pmra": columns["pmdec"], "pmdec": columns["pmra"]}).doubts()
        assert "pmra and pmdec are swapped" in doubt
