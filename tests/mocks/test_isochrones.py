"""Stars come in the right numbers and look like stars."""

from importlib import resources

import numpy as np
import pytest

from exsitu.mocks.isochrones import IMF_RANGE, imf_number, load_isochrones

N = 20_000
STEPS = {"g_abs": 1e-3, "bp_rp": 1e-3, "g_rp": 1e-3, "log_teff": 2e-4, "logg": 1e-3}


@pytest.fixture(scope="module")
def isochrones():
    """The shipped table."""
    return load_isochrones()


@pytest.fixture(scope="module")
def grid():
    """The shipped grid as it is stored: mass, and the five quantities in their units, (n_feh, n_age, n_nodes)."""
    with np.load(resources.files("exsitu.mocks").joinpath("isochrones.npz")) as table:
        columns = {name: table[name].astype(float) * step for name, step in STEPS.items()}
        return columns | {"mass": table["mass"].astype(float)}


def _main_sequence(g):
    """Nodes from the lightest on for as long as every heavier star is brighter."""
    brightest = np.maximum.accumulate(g[::-1])[::-1]
    return np.arange(np.argmax(g[:-1] <= brightest[1:]))


def _places(seed, n):
    return np.random.default_rng(seed).random((2, n))


def _cells(isochrones, age_gyr, feh, seed=0, n=N):
    return isochrones.cells(np.full(n, age_gyr), np.full(n, feh), np.random.default_rng(seed).random((2, n)))


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
    drawn = isochrones.draw(cells, count, _places(1, len(cells)))
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
        _places(2, N),
    )
    like = np.abs(10.0**drawn.log_teff - 5772.0) < 50.0
    like &= drawn.logg > 4.2
    # Casagrande & VandenBerg 2018: M_G = 4.67, BP - RP = 0.82.
    assert np.median(drawn.g_abs[like]) == pytest.approx(4.67, abs=0.25)
    assert np.median(drawn.bp_rp[like]) == pytest.approx(0.82, abs=0.05)


def test_old_metal_rich_giants_have_a_red_clump(isochrones):
    cells = _cells(isochrones, 5.0, -0.1)
    drawn = isochrones.draw(cells, isochrones.count(cells, np.full(N, 1.5)), _places(3, N))
    histogram, edges = np.histogram(drawn.g_abs, np.arange(-3.0, 1.6, 0.25))
    # Ruiz-Dern et al. 2018 find M_G = 0.5; the evolution formulae are some tenths brighter.
    assert 0.0 <= edges[histogram.argmax()] <= 0.75
    clump = np.abs(drawn.g_abs - 0.4) < 0.3
    assert np.median(drawn.bp_rp[clump]) == pytest.approx(1.2, abs=0.1)


def test_metal_poor_dwarfs_are_bluer(isochrones):
    colours = []
    for feh in (-1.5, 0.0):
        cells = _cells(isochrones, 11.0, feh)
        drawn = isochrones.draw(cells, isochrones.count(cells, np.full(N, 8.0)), _places(4, N))
        colours.append(np.median(drawn.bp_rp[np.abs(drawn.g_abs - 6.5) < 0.2]))
    assert colours[0] < colours[1] - 0.1


@pytest.mark.parametrize(("row", "column"), [(0, 33), (10, 30), (16, 28), (19, 5)])
def test_stars_brighter_than_a_node_are_those_heavier_by_the_mass_function(isochrones, grid, row, column):
    g, mass = grid["g_abs"][row, column], grid["mass"][row, column]
    nodes = _main_sequence(g)
    assert len(nodes) > 10
    cell = np.full(len(nodes), row * len(isochrones.log_age) + column)
    expected = imf_number(mass[-1]) - imf_number(mass[nodes])
    np.testing.assert_allclose(isochrones.count(cell, g[nodes]), expected, rtol=1e-9)


def test_drawn_stars_lie_between_the_grids_nodes_in_the_numbers_of_the_mass_function(isochrones, grid):
    row, column = 14, 32
    node = {name: values[row, column] for name, values in grid.items()}
    nodes = _main_sequence(node["g_abs"])
    nodes = nodes[node["g_abs"][nodes] < 11.0]
    cell = np.full(10 * N, row * len(isochrones.log_age) + column)
    drawn = isochrones.draw(cell, isochrones.count(cell, np.full(10 * N, 11.0)), _places(5, 10 * N))
    dwarf = (drawn.g_abs < node["g_abs"][nodes[0]]) & (drawn.g_abs > node["g_abs"][nodes[-1]])
    for name in ("bp_rp", "g_rp", "log_teff", "logg"):
        along = np.interp(drawn.g_abs[dwarf], node["g_abs"][nodes][::-1], node[name][nodes][::-1])
        np.testing.assert_allclose(getattr(drawn, name)[dwarf], along, atol=1e-9)
    # Between two nodes the number grows evenly with magnitude: three bins each, of a third of the mass function's.
    k = len(nodes)
    edges = np.interp(np.arange(3 * k - 2) / 3.0, np.arange(k), node["g_abs"][nodes])
    found, _ = np.histogram(drawn.g_abs[dwarf], edges[::-1])
    shares = np.repeat(np.diff(imf_number(node["mass"][nodes]))[::-1], 3)
    expected = shares / shares.sum() * dwarf.sum()
    assert np.sum((found - expected) ** 2 / expected) < len(found) + 5.0 * np.sqrt(2.0 * len(found))
