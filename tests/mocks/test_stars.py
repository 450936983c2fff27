"""What is measured of the stars is what they are, plus errors as stated."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from exsitu.draws import Draws
from exsitu.errors import InputError
from exsitu.mocks import sampling
from exsitu.mocks import stars as st
from exsitu.mocks import uncertainties as un
from exsitu.mocks.galaxies import Dust
from exsitu.mocks.isochrones import Stars, load_isochrones
from exsitu.mocks.particles import Particles
from exsitu.mocks.sampling import Sample, observe, sampling_fraction, stars_shown
from exsitu.mocks.uncertainties import PROFILES
from exsitu.phase_space import Observables, galactocentric, icrs_to_galactic, unit_vector
from exsitu.samples import true_phase_space

EVERY = st.Stratum(20, st.any_parallax, faintest=17.0)
CUT = st.Stratum(21, st.within(0.0, 0.1), 0.1)


def _observe(particles, view, stratum, number, seed=7):
    prepared = st.prepare(particles, view, stratum, seed)
    fraction = sampling_fraction(prepared, view, stratum, number, seed)
    return pd.concat(observe([Sample(stratum, prepared, fraction)], view, seed), ignore_index=True)


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


def test_pulls_of_parallaxes_and_radial_velocities_are_unit_normal(survey):
    direction, distance, v = _true(survey)
    pull_parallax = (survey["parallax"] - 1.0 / distance) / survey["parallax_error"]
    assert pull_parallax.mean() == pytest.approx(0.0, abs=0.02)
    assert pull_parallax.std() == pytest.approx(1.0, abs=0.02)
    rv = (direction * v).sum(axis=1)
    pull_rv = ((survey["radial_velocity"] - rv) / survey["radial_velocity_error"]).dropna()
    assert pull_rv.std() == pytest.approx(1.0, abs=0.02)


@pytest.fixture(scope="module")
def astrometry():
    """Errors of the five parameters in units of their standard errors, and the stated correlations."""
    rng, n = np.random.default_rng(12), 400_000
    dec = np.degrees(np.arcsin(rng.uniform(-0.98, 0.98, n)))
    true = Observables(
        rng.uniform(1.0, 359.0, n), dec, rng.uniform(0.1, 4.0, n), *rng.normal(0.0, 20.0, (2, n)), np.zeros(n)
    )
    of_parallax = rng.uniform(0.02, 0.5, n), rng.standard_normal(n)
    found = st._astrometry(true, of_parallax, PROFILES["dr3"], Draws((12,)), np.arange(n))
    off = {name: found[name] - getattr(true, name) for name in ("pmra", "pmdec")}
    off["parallax"] = found["parallax"] - 1.0 / true.distance_kpc
    off["ra"] = (found["ra"] - true.ra) * 3.6e6 * np.cos(np.radians(dec))
    off["dec"] = (found["dec"] - true.dec) * 3.6e6
    return {name: off[name] / found[f"{name}_error"] for name in un.ASTROMETRY}, found


@pytest.mark.parametrize("name", un.ASTROMETRY)
def test_pulls_of_the_astrometry_are_unit_normal(astrometry, name):
    pull = np.sort(astrometry[0][name])
    assert pull.mean() == pytest.approx(0.0, abs=0.007)
    assert pull.std() == pytest.approx(1.0, abs=0.006)
    # Kolmogorov's distance from the normal distribution, at a significance below 1e-5.
    distance = np.abs(norm.cdf(pull) - np.linspace(0.0, 1.0, len(pull))).max()
    assert distance < 2.5 / np.sqrt(len(pull))


@pytest.mark.parametrize("name", un.CORRELATIONS)
def test_pulls_of_the_astrometry_are_correlated_as_stated(astrometry, name):
    pulls, found = astrometry
    a, b = name.removesuffix("_corr").split("_")
    stated, product = found[name], pulls[a] * pulls[b]
    # Slope and offset of the products of two pulls against their stated correlation: 1 and 0.
    slope = np.sum(product * (stated - stated.mean())) / np.sum((stated - stated.mean()) ** 2)
    assert slope == pytest.approx(1.0, abs=0.06)
    assert product.mean() == pytest.approx(stated.mean(), abs=0.008)


def test_pulls_of_magnitudes_are_unit_normal():
    rng, n = np.random.default_rng(13), 100_000
    stars = Stars(rng.uniform(-1.0, 9.0, n), *rng.uniform(0.3, 2.0, (2, n)), np.full(n, 3.7), np.full(n, 4.5))
    modulus = rng.uniform(5.0, 12.0, n)
    found = st._photometry(stars, stars.g_abs + modulus, modulus, np.zeros(n), rng.standard_normal((3, n)))
    rp = stars.g_abs - stars.g_rp + modulus
    for band, true in {"g": stars.g_abs + modulus, "rp": rp, "bp": rp + stars.bp_rp}.items():
        pull = (found[f"phot_{band}_mean_mag"] - true) / found[f"phot_{band}_mean_mag_error"]
        assert pull.mean() == pytest.approx(0.0, abs=0.015)
        assert pull.std() == pytest.approx(1.0, abs=0.012)


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
    # Parallaxes that came out small put a few stars beyond the edge.
    assert np.quantile(found.r, 0.001) > 3.0


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


def test_stars_behind_dust_are_not_lost_by_the_preselection(particles, view, monkeypatch):
    monkeypatch.setattr(sampling, "_PILOT_PASSED", 60_000)
    dusty = replace(view, model=replace(view.model, dust=Dust(density=2.0)))
    shown = [stars_shown(st.prepare(particles, dusty, EVERY, 2), dusty, EVERY, 2)]
    with monkeypatch.context() as patch:
        patch.setattr(st, "extinction", lambda distance, *_: np.zeros(len(distance)))
        everything = st.prepare(particles, dusty, EVERY, 2)
    shown.append(stars_shown(everything, dusty, EVERY, 2))
    assert shown[0] == pytest.approx(shown[1], rel=0.02)


def test_stars_near_the_limit_are_not_lost_by_the_preselection(particles, view):
    # A far wider preselection finds the same share of stars near the cut.
    wide = st.Stratum(22, st.within(0.0, 0.1), 0.2)
    shares = []
    for stratum in (CUT, wide):
        frame = _observe(particles, view, stratum, 40_000, seed=9)
        shares.append(np.mean(frame["parallax_error"] / frame["parallax"] > 0.09))
    assert shares[0] == pytest.approx(shares[1], abs=0.012)


@pytest.fixture(scope="module")
def uniform(view):
    """Stars of one age and [Fe/H], everywhere equally dense around a Sun without dust, and their isochrone cell."""
    isochrones, n, row, column = load_isochrones(), 200_000, 15, 30
    rng = np.random.default_rng(14)
    radius = (st.EDGE_KPC + 0.2) * ((np.arange(n) + 0.5) / n) ** (1.0 / 3.0)
    direction = rng.normal(size=(n, 3))
    position = view.solar.position + direction * (radius / np.linalg.norm(direction, axis=1))[:, None]
    age, feh = 10.0 ** (isochrones.log_age[column] - 9.0), isochrones.feh[row]
    particles = Particles.born_here(
        position, np.zeros((n, 3)), 500.0, np.full(n, age), np.full(n, feh), np.full(n, 1e-3), np.full(n, 1.0), 0
    )
    clear = replace(view, model=replace(view.model, dust=Dust(density=0.0)))
    # A node's age and [Fe/H] are rounded in the table, so a few stars fall on the neighbours.
    cells = isochrones.cells(particles.age, particles.feh, rng.random((2, n)))
    return particles, clear, np.bincount(cells) / n


def test_stars_scatter_about_their_particle_as_its_kernel_says(view):
    n, place, motion = 2_000, np.array([-7.4, 0.3, 0.2]), np.array([30.0, 190.0, -12.0])
    particles = Particles.born_here(
        np.tile(place, (n, 1)), np.tile(motion, (n, 1)), 50.0, np.full(n, 5.0), np.zeros(n), np.full(n, 0.06),
        np.full(n, 9.0), 0,
    )  # fmt: skip
    clear = replace(view, model=replace(view.model, dust=Dust(density=0.0)))
    prepared = st.prepare(particles, clear, EVERY, 4)
    stars = st.measure(prepared, prepared.choose(50_000 / prepared.total, Draws((5,))), clear, EVERY, Draws((6,)))
    found = true_phase_space(stars, clear.solar)
    # Brighter stars may be seen farther, so that those seen stand a little beyond their particle.
    for axis, (x, v) in enumerate(((found.x, found.v_x), (found.y, found.v_y), (found.z, found.v_z))):
        assert x.mean() == pytest.approx(place[axis], abs=0.004)
        assert x.std() == pytest.approx(0.06, rel=0.03)
        assert v.mean() == pytest.approx(motion[axis], abs=0.3)
        assert v.std() == pytest.approx(9.0, rel=0.02)


def test_counts_against_distance_are_the_luminosity_functions(uniform):
    particles, view, shares = uniform
    limit, edges = 17.0, np.linspace(0.5, 4.5, 9)
    survey = _observe(particles, view, replace(EVERY, faintest=limit), 150_000)
    found, _ = np.histogram(_true(survey)[1], edges)
    expected = np.diff([_expected(shares, limit, edge) for edge in edges])
    expected *= found.sum() / expected.sum()
    assert np.abs(found - expected).max() < 0.02 * found.max()
    assert np.sum((found - expected) ** 2 / expected) < len(found) + 5.0 * np.sqrt(2.0 * len(found))


def _expected(shares, limit, edge):
    """Stars within a distance, up to a factor: the integral of r^2 times the stars between G = 3 and the limit."""
    isochrones, r = load_isochrones(), np.linspace(1e-3, edge, 4000)
    modulus = 5.0 * np.log10(100.0 * r)
    seen = np.zeros(len(r))
    for cell in np.flatnonzero(shares):
        cells = np.full(len(r), cell)
        between = isochrones.count(cells, limit - modulus) - isochrones.count(cells, st.BRIGHTEST_G - modulus)
        seen += shares[cell] * between
    return np.trapezoid(r * r * seen, r)


def test_stars_that_are_seen_everywhere_grow_with_the_cube_of_the_distance(uniform):
    particles, view, _ = uniform
    survey = _observe(particles, view, replace(EVERY, faintest=18.0), 150_000)
    distance = _true(survey)[1]
    modulus = 5.0 * np.log10(100.0 * distance)
    # Absolute G from 1.2 to 4.5: neither too bright beyond 230 pc nor too faint before the edge.
    absolute = survey["phot_g_mean_mag"].to_numpy() - modulus
    whole = distance[(absolute > 1.2) & (absolute < 4.5)]
    ends = np.array([1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
    within = np.array([np.sum((whole > 0.3) & (whole < end)) for end in ends])
    share = (ends**3 - 0.3**3) / (4.4**3 - 0.3**3)
    np.testing.assert_allclose(within / np.sum((whole > 0.3) & (whole < 4.4)), share, rtol=0.06)
