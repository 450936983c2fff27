"""Error bars are those of the stars, of the sky they share, and of differences on the same stars."""

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.evaluation.jackknife import METRICS, jackknife_error, resampled, sky_groups
from exsitu.evaluation.metrics import scan_cuts
from exsitu.settings import Bins

BINS = Bins(low=-450.0, high=450.0, count=15)


def survey(n, seed):
    """Made-up stars: a tenth accreted, with scores that tell the kinds apart somewhat, anywhere on the sky."""
    rng = np.random.default_rng(seed)
    accreted = rng.random(n) < 0.1
    score = np.clip(rng.normal(np.where(accreted, 0.7, 0.3), 0.2), 0.0, 1.0)
    velocities = rng.normal(np.where(accreted, 0.0, 150.0)[:, None], 100.0, (n, 3))
    sky = rng.uniform(0.0, 360.0, n), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n)))
    return score, accreted, velocities, sky


def measured(n, seed, *, cut=0.5, noise=0.0):
    score, accreted, velocities, sky = survey(n, seed)
    score = score + noise * np.random.default_rng(seed + 1).normal(size=n)
    return resampled(score, cut, accreted, velocities, BINS, sky_groups(*sky, 40, seed=0))


def test_metrics_on_all_stars_are_those_of_the_scan():
    score, accreted, velocities, sky = survey(5000, 1)
    found = resampled(score, 0.5, accreted, velocities, BINS, sky_groups(*sky, 20, seed=0))
    row = scan_cuts(score, accreted, velocities, BINS, np.array([0.5])).iloc[0]
    assert found.n_stars == 5000
    for name in METRICS:
        assert found.whole[name] == pytest.approx(row[name], rel=1e-12)


def test_leaving_a_group_out_is_measuring_the_others():
    score, accreted, velocities, sky = survey(3000, 2)
    group = sky_groups(*sky, 5, seed=0)
    found = resampled(score, 0.5, accreted, velocities, BINS, group)
    for number in range(5):
        rest = group != number
        row = scan_cuts(score[rest], accreted[rest], velocities[rest], BINS, np.array([0.5])).iloc[0]
        for name in METRICS:
            assert found.without[name][number] == pytest.approx(row[name], rel=1e-9)


@pytest.mark.parametrize("name", ["purity", "efficiency_accreted", "sum_chi2"])
def test_errors_are_the_scatter_of_repeated_surveys(name):
    surveys = [measured(3000, seed) for seed in range(0, 400, 2)]
    scatter = np.std([s.whole[name] for s in surveys])
    claimed = np.sqrt(np.mean([s.error(name) ** 2 for s in surveys]))
    # 200 surveys know the scatter to 5 %; a jackknife of a quadratic statistic is a little wide, never narrow.
    assert 0.85 * scatter < claimed < 1.35 * scatter


def test_a_difference_on_the_same_stars_is_known_better_than_either():
    one, other = measured(20000, 3), measured(20000, 3, noise=0.01)
    difference, error = other.difference(one, "purity")
    assert difference == other.whole["purity"] - one.whole["purity"]
    assert error < 0.5 * np.hypot(one.error("purity"), other.error("purity"))


def test_the_same_selection_differs_by_nothing_exactly():
    one = measured(2000, 4)
    assert one.difference(one, "sum_chi2") == (0.0, 0.0)


def test_stars_that_come_in_clumps_count_as_fewer():
    score, accreted, velocities, sky = survey(400, 5)
    copies = 25  # a clump: so many stars of one place and one velocity
    group = sky_groups(*(np.repeat(angle, copies) for angle in sky), 40, seed=0)
    clumped = resampled(np.repeat(score, copies), 0.5, np.repeat(accreted, copies),
                        np.repeat(velocities, copies, axis=0), BINS, group)  # fmt: skip
    assert clumped.error("purity") > 2.0 * measured(400 * copies, 6).error("purity")


def test_neighbours_share_a_group_and_every_group_has_its_share_of_the_sky():
    rng = np.random.default_rng(7)
    longitude, latitude = rng.uniform(-180.0, 180.0, 40000), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, 40000)))
    group = sky_groups(longitude, latitude, 50, seed=3)
    assert np.array_equal(group, sky_groups(longitude + 360.0, latitude, 50, seed=3))
    shares = np.bincount(group, minlength=50) / group.size
    assert 0.015 < shares.min() <= shares.max() < 0.025
    near = sky_groups(np.full(9, 42.1) + np.linspace(0, 2, 9), np.full(9, 1.0), 50, seed=3)
    assert len(set(near)) == 1


def test_poles_and_the_end_of_longitude_have_cells_too():
    assert sky_groups([0.0, 359.999999, 360.0], [90.0, -90.0, 0.0], 4, seed=0).shape == (3,)


def test_nothing_selected_is_nan_and_not_zero():
    found = measured(500, 8, cut=2.0)
    assert np.isnan(found.whole["purity"])
    assert np.isnan(found.error("sum_chi2"))
    assert found.whole["efficiency_accreted"] == 0.0


def test_stars_of_one_group_are_refused():
    score, accreted, velocities, _ = survey(100, 9)
    with pytest.raises(InputError, match="1 group"):
        resampled(score, 0.5, accreted, velocities, BINS, np.zeros(100, dtype=np.int64))


def test_the_error_of_a_mean_is_the_textbooks():
    values = np.random.default_rng(10).normal(size=50)
    without = (values.sum() - values) / 49
    assert jackknife_error(without) == pytest.approx(values.std(ddof=1) / np.sqrt(50))
