"""The RAVE-like survey sees the right stars where they were."""

import numpy as np
import pandas as pd
import pytest

from exsitu.draws import Draws
from exsitu.mocks.spectra import i_magnitude, in_fields, observe_spectra


def _stars(n=4000, seed=1):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.normal(size=n) for name in ("px_true", "py_true", "pz_true")})
    frame = frame.assign(**{f"v{a}_true": rng.normal(0, 50, n) for a in "xyz"})
    frame = frame.assign(pmra=rng.normal(0, 30, n), pmdec=rng.normal(0, 30, n), feh=rng.normal(-0.3, 0.3, n))
    return frame.assign(
        source_id=np.arange(n) + 10**18,
        ra=rng.uniform(0, 360, n),
        dec=rng.uniform(-80, 0, n),
        phot_g_mean_mag=np.float32(11.5),
        phot_bp_mean_mag=np.float32(12.0),
        phot_rp_mean_mag=np.float32(11.0),
    )


@pytest.fixture(scope="module")
def spectra_of():
    """Stars, their spectra and the cross-match."""
    stars = _stars()
    return stars, *observe_spectra(stars, Draws((2,)))


def test_the_suns_colour_gives_the_suns_i():
    # Willmer 2018: I = 4.10 (Vega) where G = 4.67.
    assert i_magnitude(np.array([4.67]), np.array([0.82]))[0] == pytest.approx(4.10, abs=0.06)


def test_fields_are_southern_high_and_bright():
    one = {
        "dec": [-30.0],
        "b": [-50.0],
        "phot_g_mean_mag": [11.5],
        "phot_bp_mean_mag": [12.0],
        "phot_rp_mean_mag": [11.0],
    }
    assert in_fields(pd.DataFrame(one)).all()
    for change in ({"dec": [40.0]}, {"b": [10.0]}, {"phot_g_mean_mag": [14.0]}, {"phot_g_mean_mag": [8.0]}):
        assert not in_fields(pd.DataFrame(one | change)).any()


def test_identifiers_are_unique(spectra_of):
    _, spectra, _ = spectra_of
    assert spectra["original_ext_source_id"].is_unique
    assert spectra["original_ext_source_id"].str.fullmatch(r"20\d{6}_\d{4}[mp]\d{2}_\d{3}").all()


def test_positions_are_those_of_the_year_2000(spectra_of):
    stars, spectra, neighbours = spectra_of
    both = neighbours.merge(stars, on="source_id").merge(spectra, on="original_ext_source_id", suffixes=("", "_2000"))
    seen, years = both["dec_2000"] - both["dec"], -15.5
    np.testing.assert_allclose(seen * 3.6e6, both["pmdec"] * years, atol=1000.0)
    assert np.corrcoef(seen, both["pmdec"])[0, 1] < -0.9
    assert both["angular_distance"].max() < 1.5


def test_velocities_and_abundances_scatter_about_the_truth_as_their_errors_say(spectra_of):
    stars, spectra, neighbours = spectra_of
    both = neighbours.merge(stars, on="source_id").merge(spectra, on="original_ext_source_id", suffixes=("_star", ""))
    p, v = both[["px_true", "py_true", "pz_true"]].to_numpy(), both[["vx_true", "vy_true", "vz_true"]].to_numpy()
    rv = (p * v).sum(axis=1) / np.linalg.norm(p, axis=1)
    assert np.std((both["radial_velocity"] - rv) / both["radial_velocity_error"]) == pytest.approx(1.0, abs=0.04)
    good = both["quality_flag"] == 0
    pull = (both["feh"] - both["feh_star"]) / both["feh_error"]
    assert pull[good].std() == pytest.approx(1.0, abs=0.04)
    assert pull[~good].std() > 2.0


def test_a_few_spectra_are_bad_and_a_few_unmatched(spectra_of):
    _, spectra, neighbours = spectra_of
    assert 0.02 < np.mean(spectra["quality_flag"] != 0) < 0.07
    assert 0.95 < len(neighbours) / len(spectra) < 1.0
    assert neighbours["source_id"].dtype == np.int64
