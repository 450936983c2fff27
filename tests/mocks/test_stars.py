"""What is measured of the stars is what they are, plus errors as stated."""

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.mocks import stars as st
from exsitu.mocks.make import within
from exsitu.mocks.uncertainties import PROFILES
from exsitu.phase_space import galactocentric, icrs_to_galactic, unit_vector

EVERY = st.Stratum(20, lambda parallax, _: np.isfinite(parallax), faintest=17.0)
CUT = st.Stratum(21, within(0.0, 0.1), 0.1)


def _observe(particles, view, stratum, number, seed=7):
    prepared = st.prepare(particles, view, stratum, seed)
    fraction = st.sampling_fraction(prepared, view, stratum, number, seed)
    return pd.concat(st.observe(prepared, view, stratum, fraction, seed), ignore_index=True)


@pytest.fixture(scope="module")
def survey(particles, view):
    """Bright stars, whatever their parallax."""
    return _observe(particles, view, EVERY, 60_000)


@pytest.fixture(scope="module")
def within_cut(particles, view):
    """Stars within the parallax cut."""
    return _observe(particles, view, CUT, 30_000)


def _true(survey):
    """True direction, distance and motion from the truth columns."""
    p = survey[["px_true", "py_true", "pz_true"]].to_numpy(float)
    v = survey[["vx_true", "vy_true", "vz_true"]].to_numpy(float)
    distance = np.linalg.norm(p, axis=1)
    return p / distance[:, None], distance, v


def test_about_as_many_stars_as_asked_for_are_drawn(survey, within_cut):
    assert len(survey) == pytest.approx(60_000, rel=0.04)
    assert len(within_cut) == pytest.approx(30_000, rel=0.04)


def test_pulls_of_parallaxes_and_radial_velocities_are_unit_normal(survey):
    direction, distance, v = _true(survey)
    pull_parallax = (survey["parallax"] - 1.0 / distance) / survey["parallax_error"]
    assert pull_parallax.mean() == pytest.approx(0.0, abs=0.02)
    assert pull_parallax.std() == pytest.approx(1.0, abs=0.02)
    rv = (direction * v).sum(axis=1)
    pull_rv = ((survey["radial_velocity"] - rv) / survey["radial_velocity_error"]).dropna()
    assert pull_rv.std() == pytest.approx(1.0, abs=0.02)


def test_errors_of_parallax_and_proper_motions_follow_the_stated_correlations(survey):
    _, distance, _ = _true(survey)
    true = dict(zip(("pmra", "pmdec"), _true_proper_motions(survey), strict=True)) | {"parallax": 1.0 / distance}
    pulls = {name: ((survey[name] - t) / survey[f"{name}_error"]).to_numpy() for name, t in true.items()}
    assert [np.std(pull) for pull in pulls.values()] == pytest.approx([1.0, 1.0, 1.0], abs=0.03)
    for a, b in (("parallax", "pmra"), ("parallax", "pmdec"), ("pmra", "pmdec")):
        stated = survey[f"{a}_{b}_corr"].to_numpy(float)
        # Slope of the products of two pulls against their stated correlation: 1 where it was used, 0 where not.
        assert np.sum(pulls[a] * pulls[b] * stated) / np.sum(stated * stated) == pytest.approx(1.0, abs=0.12)


def _true_proper_motions(survey):
    """Proper motions in ICRS of the true motion, by astropy."""
    import astropy.units as u
    from astropy.coordinates import Galactic, SkyCoord

    axes = dict(zip("xyz", (survey[f"p{a}_true"].to_numpy(float) * u.kpc for a in "xyz"), strict=True))
    speeds = {f"v_{a}": survey[f"v{a}_true"].to_numpy(float) * u.km / u.s for a in "xyz"}
    sky = SkyCoord(
        **{k: axes[a] for k, a in zip("uvw", "xyz", strict=True)},
        **{k.upper(): speeds[f"v_{a}"] for k, a in zip("uvw", "xyz", strict=True)},
        frame=Galactic,
        representation_type="cartesian",
    ).icrs
    sky = SkyCoord(sky, representation_type="spherical")
    return sky.pm_ra_cosdec.to_value("mas/yr"), sky.pm_dec.to_value("mas/yr")


def test_true_velocities_are_heliocentric(survey):
    # The prototype wrote Galactocentric velocities there: a disc star then had v_y near the rotation, not near zero.
    v_y = survey["vy_true"].to_numpy(float)
    disc = survey["feh"] > -0.3
    assert abs(np.median(v_y[disc])) < 40.0
    direction, _, v = _true(survey)
    has = survey["radial_velocity"].notna()
    off = survey["radial_velocity"] - (direction * v).sum(axis=1)
    assert off[has].abs().median() < 3.0


def test_true_places_are_where_the_stars_are_seen(survey):
    direction, _, _ = _true(survey)
    seen = np.stack(unit_vector(survey["l"], survey["b"]), axis=1)
    assert np.abs(seen - direction).max() < 1e-6
    longitude, latitude = icrs_to_galactic(survey["ra"], survey["dec"])
    np.testing.assert_allclose(longitude, survey["l"], atol=1e-9)
    np.testing.assert_allclose(latitude, survey["b"], atol=1e-9)


def test_stars_measured_well_stand_and_move_in_the_galaxy_as_their_particles_do(within_cut, view):
    bright = within_cut[within_cut["radial_velocity"].notna()]
    found = galactocentric(
        bright["ra"], bright["dec"], 1.0 / bright["parallax"], bright["pmra"], bright["pmdec"],
        bright["radial_velocity"], view.solar,
    )  # fmt: skip
    disc = (bright["feh"] > -0.4).to_numpy()
    assert 180.0 < found.v_phi[disc].mean() < 225.0
    assert found.r.min() > 3.0


@pytest.mark.parametrize("viewpoint", [0, 1, 2])
def test_viewpoints_are_120_degrees_apart(m12i, viewpoint):
    view = st.View(m12i, viewpoint, PROFILES["ananke"])
    angle = np.radians(180.0 + 120.0 * viewpoint)
    place = np.array([[8.2 * np.cos(angle), 8.2 * np.sin(angle), 0.3]])
    np.testing.assert_allclose(view.turn(place), [[-8.2, 0.0, 0.3]], atol=1e-9)


def test_a_viewpoint_that_does_not_exist_is_refused(m12i):
    with pytest.raises(InputError, match="no viewpoint 3"):
        _ = st.View(m12i, 3, PROFILES["ananke"]).solar


def test_only_stars_of_the_stratum_are_kept(within_cut):
    ratio = within_cut["parallax_error"] / within_cut["parallax"]
    assert ratio.between(0.0, 0.1, inclusive="neither").all()
    assert within_cut["phot_g_mean_mag"].max() < 21.1
    np.testing.assert_allclose(within_cut["parallax_over_error"], 1.0 / ratio, rtol=1e-5)


def test_stars_near_the_limit_are_not_lost_by_the_preselection(particles, view):
    # A far wider preselection finds the same share of stars near the cut.
    wide = st.Stratum(22, within(0.0, 0.1), 0.2)
    shares = []
    for stratum in (CUT, wide):
        frame = _observe(particles, view, stratum, 40_000, seed=9)
        shares.append(np.mean(frame["parallax_error"] / frame["parallax"] > 0.09))
    assert shares[0] == pytest.approx(shares[1], abs=0.012)


def test_more_stars_than_the_galaxy_has_are_refused(particles, view):
    prepared = st.prepare(particles, view, CUT, 1)
    with pytest.raises(InputError, match="ask for fewer"):
        st.sampling_fraction(prepared, view, CUT, 10**10, 1)


def test_the_order_of_stars_is_random(survey):
    first, second = survey["parentid"].to_numpy()[: len(survey) // 2], survey["parentid"].to_numpy()[len(survey) // 2 :]
    assert np.mean(first) == pytest.approx(np.mean(second), rel=0.02)
    assert np.mean(np.diff(first) > 0) == pytest.approx(0.5, abs=0.03)
