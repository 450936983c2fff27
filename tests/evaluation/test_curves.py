import numpy as np
import pandas as pd
import pytest

from exsitu.evaluation import metrics
from exsitu.evaluation.calibration import reliability
from exsitu.evaluation.curves import (
    over_seeds,
    purity_over_seeds,
    roc_over_seeds,
)
from exsitu.evaluation.panels import purity_figure, reliability_figure


def stars(rows=4000, seed=1, lift=0.3):
    rng = np.random.default_rng(seed)
    accreted = np.random.default_rng(9).random(rows) < 0.1
    return np.clip(rng.normal(np.where(accreted, 0.4 + lift, 0.4), 0.15), 0.0, 1.0), accreted


def test_a_band_is_the_range_of_the_seeds_around_their_mean():
    curves = [pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, height]}) for height in (1.0, 2.0, 6.0)]
    mean = over_seeds(curves, "x", "y", np.array([0.5, 1.0]))
    assert mean["y"].tolist() == [1.5, 3.0]
    assert mean["low"].tolist() == [0.5, 1.0]
    assert mean["high"].tolist() == [3.0, 6.0]


def test_the_roc_of_seeds_begins_at_one_in_situ_star_and_has_no_band_for_one_seed():
    score, accreted = stars()
    curve = roc_over_seeds([score], accreted)
    assert curve["efficiency_in_situ"].min() >= 1.0 / (~accreted).sum()
    assert (curve["low"] == curve["high"]).all()
    other, _ = stars(seed=2)
    assert (roc_over_seeds([score, other], accreted).eval("high > low")).any()


def test_purity_is_that_of_the_cut_with_this_efficiency():
    score, accreted = stars()
    curve = purity_over_seeds([score], accreted).set_index("efficiency_accreted")["purity"]
    assert curve.loc[0.5] == pytest.approx(metrics.purity_at(score, accreted, 0.5), abs=0.02)
    assert curve.iloc[-1] == pytest.approx(metrics.purity_at(score, accreted, 1.0), abs=1e-9)
    assert curve.between(0.0, 1.0).all()


def test_figures_draw_a_band_where_there_are_seeds_and_no_bin_of_few_stars():
    score, accreted = stars()
    single = purity_over_seeds([score], accreted)
    several = purity_over_seeds([score, stars(seed=2)[0]], accreted)
    axes = purity_figure({"a": single, "b": several}).axes[0]
    assert (len(axes.lines), len(axes.collections)) == (2, 1)
    table = reliability(score, accreted, np.linspace(0.0, 1.0, 21))
    drawn = reliability_figure({"a": table}, 5.0, min_stars=50).axes[0].lines[2]
    assert len(drawn.get_xdata()) == (table["stars"] >= 50).sum() < len(table)
