"""Stars come in the right numbers and look like stars."""

from importlib import resources

import numpy as np
import pytest

from exsitu.mocks.isochrones import IMF_RANGE, imf_number, load_isochrones

N = 20_000


@pytest.fixture(scope="module")
def isochrones():
    """The shipped table."""
    return load_isochrones()


def _cells(isochrones, age_gyr, feh, seed=0, n=N):
    return isochrones.cells(np.full(n, age_gyr), np.full(n, feh), np.random.default_rng(seed))


def test_the_table_is_small_enough_to_ship():
    assert resources.files("exsitu.mocks").joinpath("isochrones.npz").stat().st_size < 2_000_000


def test_one_solar_mass_of_stars_weighs_one_solar_mass():
    mass = np.geomspace(*IMF_RANGE, 20_001)
    number = np.diff(imf_number(mass))
    assert np.sum(number * 0.5 * (mass[1:] + mass[:-1])) == pytest.approx(1.0, abs=1e-3)
    assert imf_number(np.array(IMF_RANGE[0])) == 0.0


def test_the_mass_function_has_kroupas_slopes():
    for mass, slope in ((0.2, -1.3), (2.0, -2.3)):
        density = [np.diff(imf_number(np.array([m, m * 1.0001])))[0] / m for m in (mass, 2.0 * mass)]
        assert np.log2(density[1] / density[0]) == pytest.approx(slope, abs=1e-3)


def test_counts_grow_with_the_limit_and_the_whole_is_the_mass_functions(isochrones):
    cells = _cells(isochrones, 5.0, 0.0, n=1)
    limits = np.linspace(-5.0, 25.0, 50)
    counts = isochrones.count(np.repeat(cells, 50), limits)
    assert np.all(np.diff(counts) >= 0.0)
    turnoff_mass = 1.3
    alive = imf_number(np.array(turnoff_mass)) - imf_number(np.array(0.1))
    assert counts[-1] == pytest.approx(float(alive), rel=0.05)


def test_drawn_stars_keep_the_limit_and_the_expected_shares(isochrones):
    cells, limit = _cells(isochrones, 8.0, -0.4), 6.0
    count = isochrones.count(cells, np.full(N, limit))
    drawn = isochrones.draw(cells, count, np.random.default_rng(1))
    assert drawn.g_abs.max() < limit + 0.1
    share = np.mean(isochrones.count(cells, np.full(N, 4.0)) / count)
    assert np.mean(drawn.g_abs < 4.0) == pytest.approx(share, abs=0.02)


def test_populations_between_grid_points_mix_both_neighbours(isochrones):
    step = isochrones.feh[1] - isochrones.feh[0]
    quarter = isochrones.feh[10] + 0.25 * step
    rows = _cells(isochrones, 5.0, quarter) // len(isochrones.log_age)
    assert set(rows) == {10, 11}
    assert np.mean(rows == 11) == pytest.approx(0.25, abs=0.02)


def test_a_sun_has_the_suns_brightness_and_colour(isochrones):
    drawn = isochrones.draw(
        _cells(isochrones, 4.6, 0.0),
        isochrones.count(_cells(isochrones, 4.6, 0.0), np.full(N, 8.0)),
        np.random.default_rng(2),
    )
    like = np.abs(10.0**drawn.log_teff - 5772.0) < 50.0
    like &= drawn.logg > 4.2
    # Casagrande & VandenBerg 2018: M_G = 4.67, BP - RP = 0.82.
    assert np.median(drawn.g_abs[like]) == pytest.approx(4.67, abs=0.25)
    assert np.median(drawn.bp_rp[like]) == pytest.approx(0.82, abs=0.05)


def test_old_metal_rich_giants_have_a_red_clump(isochrones):
    cells = _cells(isochrones, 5.0, -0.1)
    drawn = isochrones.draw(cells, isochrones.count(cells, np.full(N, 1.5)), np.random.default_rng(3))
    histogram, edges = np.histogram(drawn.g_abs, np.arange(-3.0, 1.6, 0.25))
    # Ruiz-Dern et al. 2018 find M_G = 0.5; the evolution formulae are some tenths brighter.
    assert 0.0 <= edges[histogram.argmax()] <= 0.75
    clump = np.abs(drawn.g_abs - 0.4) < 0.3
    assert np.median(drawn.bp_rp[clump]) == pytest.approx(1.2, abs=0.1)


def test_metal_poor_dwarfs_are_bluer(isochrones):
    colours = []
    for feh in (-1.5, 0.0):
        cells = _cells(isochrones, 11.0, feh)
        drawn = isochrones.draw(cells, isochrones.count(cells, np.full(N, 8.0)), np.random.default_rng(4))
        colours.append(np.median(drawn.bp_rp[np.abs(drawn.g_abs - 6.5) < 0.2]))
    assert colours[0] < colours[1] - 0.1
