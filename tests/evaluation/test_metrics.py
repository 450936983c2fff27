"""Metrics against hand-made cases, scikit-learn, and the plain loop they replace."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exsitu.errors import InputError
from exsitu.evaluation import metrics
from exsitu.settings import Acceptance, Bins, Cuts, Evaluation

BINS = Bins(low=-450.0, high=450.0, count=45)
CUTS = Cuts(low=0.05, high=0.95, step=0.05)
ACCEPTANCE = Acceptance(min_auc=0.8, min_purity=0.2, min_efficiency_accreted=0.3, max_sum_chi2=0.05)
EVALUATION = Evaluation(velocity_bins=BINS, cuts=CUTS, min_selected=50, acceptance=ACCEPTANCE)


def sample(n_stars=4000, seed=5, digits=None):
    """Scores, truth and velocities of a galaxy with a rotating disc and a hot accreted halo."""
    rng = np.random.default_rng(seed)
    accreted = rng.random(n_stars) < 0.1
    score = 1.0 / (1.0 + np.exp(-(rng.normal(size=n_stars) + np.where(accreted, 1.5, -1.5))))
    velocity = rng.normal(0.0, np.where(accreted, 140.0, 40.0)[:, None], (n_stars, 3))
    velocity[:, 1] += np.where(accreted, 0.0, 220.0)
    return score if digits is None else np.round(score, digits), accreted, velocity


def test_counts_give_purity_and_efficiencies_of_equations_1_and_2():
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    accreted = np.array([True, False, True, False, False, True])
    found = metrics.counts(score, accreted, 0.55)
    assert (found.selected, found.selected_accreted, found.n_stars, found.n_accreted) == (4, 2, 6, 3)
    assert found.purity == pytest.approx(0.5)
    assert found.efficiency_accreted == pytest.approx(2 / 3)
    assert found.efficiency_in_situ == pytest.approx(2 / 3)


def test_a_score_equal_to_the_cut_is_not_selected():
    assert metrics.counts([0.75, 0.76], [True, False], 0.75).selected == 1


def test_purity_of_an_empty_selection_is_nan():
    assert np.isnan(metrics.counts([0.1, 0.2], [True, False], 0.5).purity)


@pytest.mark.parametrize("digits", [None, 2, 0])
def test_auc_agrees_with_scikit_learn_with_and_without_ties(digits):
    from sklearn.metrics import roc_auc_score

    score, accreted, _ = sample(digits=digits)
    assert metrics.auc(score, accreted) == pytest.approx(roc_auc_score(accreted, score), abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_chance_that_an_accreted_star_scores_higher(pairs):
    score, accreted = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs])
    if accreted.all() or not accreted.any():
        with pytest.raises(InputError, match="both kinds"):
            metrics.auc(score, accreted)
        return
    above = score[accreted][:, None] - score[~accreted][None, :]
    assert metrics.auc(score, accreted) == pytest.approx(np.mean((above > 0) + 0.5 * (above == 0)), abs=1e-12)


def test_roc_passes_through_every_distinct_cut_of_a_small_sample():
    score, accreted, _ = sample(n_stars=300, digits=2)
    curve = metrics.roc(score, accreted)
    assert len(curve) == len(np.unique(score)) + 1
    for row in curve.itertuples():
        found = metrics.counts(score, accreted, row.cut)
        assert found.efficiency_accreted == pytest.approx(row.efficiency_accreted)
        assert found.efficiency_in_situ == pytest.approx(row.efficiency_in_situ)


def test_roc_is_thinned_with_its_ends_and_its_decades_of_in_situ_efficiency():
    score, accreted, _ = sample(n_stars=200_000)
    curve = metrics.roc(score, accreted)
    assert len(curve) <= 1000
    assert curve.iloc[0][["efficiency_accreted", "efficiency_in_situ"]].tolist() == [0.0, 0.0]
    assert curve.iloc[-1][["efficiency_accreted", "efficiency_in_situ"]].tolist() == [1.0, 1.0]
    assert curve["efficiency_accreted"].is_monotonic_increasing
    assert curve["efficiency_in_situ"].is_monotonic_increasing
    for low in (1e-4, 1e-3, 1e-2, 1e-1):
        assert curve["efficiency_in_situ"].between(low, 10 * low).sum() >= 50
    assert curve["efficiency_accreted"].diff().max() < 0.01


def test_efficiency_at_one_percent_of_in_situ_is_reached_by_a_cut_and_not_exceeded():
    score, accreted, _ = sample()
    reached = metrics.efficiency_accreted_at(score, accreted, 0.01)
    every = [metrics.counts(score, accreted, cut) for cut in np.unique(score)]
    assert reached == max(c.efficiency_accreted for c in every if c.efficiency_in_situ <= 0.01)


def test_efficiency_at_an_allowance_that_no_cut_reaches_exactly_counts_no_star_too_many():
    score, accreted = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    assert metrics.efficiency_accreted_at(score, accreted, 0.49) == 0.5
    assert metrics.efficiency_accreted_at(score, accreted, 0.5) == 1.0


def test_purity_at_an_accreted_efficiency_is_that_of_the_tightest_cut_that_reaches_it():
    score, accreted, _ = sample()
    every = [metrics.counts(score, accreted, cut) for cut in np.unique(score)]
    wanted = max((c for c in every if c.efficiency_accreted >= 0.47), key=lambda c: -c.selected)
    assert metrics.purity_at(score, accreted, 0.47) == pytest.approx(wanted.purity)
    with pytest.raises(InputError, match=r"\(0, 1\]"):
        metrics.purity_at(score, accreted, 0.0)


def test_velocity_fractions_are_histograms_over_all_stars():
    _, _, velocity = sample()
    expected = [np.histogram(v, bins=45, range=(-450, 450))[0] / len(velocity) for v in velocity.T]
    np.testing.assert_array_equal(metrics.velocity_fractions(velocity, BINS), expected)


def test_the_last_bin_includes_its_upper_edge_and_nothing_beyond():
    velocity = np.array([[450.0, -450.0, 451.0]])
    fractions = metrics.velocity_fractions(velocity, BINS)
    assert fractions[0, -1] == 1.0
    assert fractions[1, 0] == 1.0
    assert fractions[2].sum() == 0.0


def test_stars_outside_the_bins_count_in_the_normalisation_alone():
    inside, outside = np.zeros((3, 3)), np.array([[900.0, 0.0, 0.0]])
    fractions = metrics.velocity_fractions(np.vstack([inside, outside]), BINS)
    assert fractions.sum(axis=1).tolist() == [0.75, 1.0, 1.0]
    assert metrics.sum_chi2(inside, np.vstack([inside, outside]), BINS) == pytest.approx(0.25**2)


def test_sum_chi2_is_equation_6_and_zero_for_equal_distributions():
    coarse = Bins(low=-100.0, high=100.0, count=2)
    truth = np.array([[-50.0, -50.0, -50.0], [50.0, -50.0, -50.0]])
    selected = np.array([[-50.0, -50.0, 50.0]])
    assert metrics.sum_chi2(truth, selected, coarse) == pytest.approx((0.5**2 + 0.5**2) + 0.0 + (1.0 + 1.0))
    assert metrics.sum_chi2(truth, truth, coarse) == 0.0


def test_scan_agrees_with_the_plain_computation_at_every_cut():
    score, accreted, velocity = sample(digits=2)  # ties at the cuts
    scan = metrics.scan_cuts(score, accreted, velocity, BINS, CUTS)
    assert len(scan) == 19
    for row in scan.itertuples():
        found = metrics.counts(score, accreted, row.cut)
        assert row.selected == found.selected
        assert row.purity == pytest.approx(found.purity)
        assert row.efficiency_accreted == pytest.approx(found.efficiency_accreted)
        assert row.efficiency_in_situ == pytest.approx(found.efficiency_in_situ)
        expected = metrics.sum_chi2(velocity[accreted], velocity[score > row.cut], BINS)
        assert row.sum_chi2 == pytest.approx(expected)
        assert row.sum_chi2 == pytest.approx(row.chi2_v_r + row.chi2_v_phi + row.chi2_v_z)


def test_cuts_are_exact_decimals_with_both_ends():
    values = metrics.cut_values(Cuts(low=0.05, high=0.99, step=0.01))
    assert len(values) == 95
    assert values[0] == 0.05
    assert values[70] == 0.75
    assert values[-1] == 0.99
    with pytest.raises(InputError, match="exchange"):
        metrics.cut_values(Cuts(low=0.9, high=0.1, step=0.1))


def test_scan_of_a_cut_above_all_scores_is_nan_and_never_best():
    scan = metrics.scan_cuts([0.2, 0.3], [True, False], np.zeros((2, 3)), BINS, [0.1, 0.9])
    assert scan["selected"].tolist() == [2, 0]
    assert np.isnan(scan["purity"][1])
    assert np.isnan(scan["sum_chi2"][1])
    assert metrics.best_cut(scan, 0)["cut"] == 0.1


def test_best_cut_is_the_least_sum_chi2_among_cuts_that_select_enough():
    scan = pd.DataFrame({"cut": [0.2, 0.5, 0.8], "selected": [100, 50, 5], "sum_chi2": [0.3, 0.2, 0.1]})
    assert metrics.best_cut(scan, 10)["cut"] == 0.5
    assert metrics.best_cut(scan, 1)["cut"] == 0.8
    with pytest.raises(InputError, match=r"selects 500 stars \(at most 100\)"):
        metrics.best_cut(scan, 500)


def test_summary_holds_finite_numbers_that_agree_with_their_functions():
    score, accreted, velocity = sample()
    found = metrics.summary(score, accreted, velocity, EVALUATION)
    assert set(found) == {
        "auc", "purity", "efficiency_accreted", "efficiency_in_situ", "sum_chi2", "cut", "selected", "n_stars",
        "n_accreted", "efficiency_accreted_at_1pct",
    }  # fmt: skip
    assert np.isfinite(list(found.values())).all()
    assert found["auc"] == metrics.auc(score, accreted)
    assert found["purity"] == metrics.counts(score, accreted, found["cut"]).purity
    assert found["efficiency_accreted_at_1pct"] == metrics.efficiency_accreted_at(score, accreted, 0.01)


def test_summary_at_a_given_cut_uses_that_cut():
    score, accreted, velocity = sample()
    found = metrics.summary(score, accreted, velocity, EVALUATION, cut=0.75)
    assert found["cut"] == 0.75
    assert found["selected"] == (score > 0.75).sum()
    with pytest.raises(InputError, match="selects 1 stars"):
        metrics.summary(score, accreted, velocity, EVALUATION, cut=1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused_everywhere(bad):
    score, accreted, velocity = sample(n_stars=100)
    score[3] = bad
    for call in (
        lambda: metrics.counts(score, accreted, 0.5),
        lambda: metrics.roc(score, accreted),
        lambda: metrics.auc(score, accreted),
        lambda: metrics.scan_cuts(score, accreted, velocity, BINS, CUTS),
        lambda: metrics.summary(score, accreted, velocity, EVALUATION),
    ):
        with pytest.raises(InputError, match="1 of 100 scores are not finite"):
            call()


@pytest.mark.parametrize(
    ("score", "accreted", "message"),
    [
        ([], [], "at least one star"),
        ([0.1, 0.2], [1, 0], "dtype int64"),
        ([0.1, 0.2], [True], "one truth a star"),
        ([0.1, 0.2], [False, False], "0 of 2"),
    ],
)
def test_truth_that_does_not_fit_is_refused(score, accreted, message):
    with pytest.raises(InputError, match=message):
        metrics.auc(score, accreted)


@pytest.mark.parametrize(
    ("velocity", "message"), [(np.zeros((2, 2)), r"\(2, 3\)"), (np.full((2, 3), np.nan), "not finite")]
)
def test_velocities_that_do_not_fit_are_refused(velocity, message):
    with pytest.raises(InputError, match=message):
        metrics.scan_cuts([0.1, 0.9], [False, True], velocity, BINS, CUTS)


def test_velocity_distributions_of_no_star_are_refused():
    with pytest.raises(InputError, match="loosen the cut"):
        metrics.velocity_fractions(np.empty((0, 3)), BINS)


def test_cuts_that_do_not_ascend_are_refused():
    with pytest.raises(InputError, match="ascend"):
        metrics.scan_cuts([0.1, 0.9], [False, True], np.zeros((2, 3)), BINS, [0.5, 0.5])


def test_shortfalls_name_value_and_limit_of_each_missed_metric():
    good = {"auc": 0.9, "purity": 0.3, "efficiency_accreted": 0.4, "sum_chi2": 0.01}
    assert metrics.shortfalls(good, ACCEPTANCE) == []
    assert metrics.shortfalls(good | {"purity": 0.1, "sum_chi2": 0.2}, ACCEPTANCE) == [
        "purity = 0.1 is not at least 0.2",
        "sum_chi2 = 0.2 is not at most 0.05",
    ]


def test_a_metric_that_is_absent_or_nan_is_a_shortfall():
    assert len(metrics.shortfalls({}, ACCEPTANCE)) == 4
    nan = dict.fromkeys(("auc", "purity", "efficiency_accreted", "sum_chi2"), float("nan"))
    assert len(metrics.shortfalls(nan, ACCEPTANCE)) == 4
