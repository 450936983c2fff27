"""Reliability diagrams draw what was observed, on axes that reach down to rare stars."""

import numpy as np
import pandas as pd

from exsitu.evaluation.diagrams import reliability_figure


def test_bins_without_accreted_stars_are_not_drawn_and_errors_stay_above_zero():
    table = pd.DataFrame(
        {"predicted": [2e-4, 0.01, 0.5], "observed": [0.0, 0.02, 0.4], "observed_error": [0.001, 0.03, 0.1]}
    )
    figure = reliability_figure({"here": {"raw": table}, "there": {"raw": table, "Platt": table}})
    assert [axes.get_title() for axes in figure.axes] == ["here", "there"]
    drawn = figure.axes[1].containers[1]
    assert list(drawn[0].get_xdata()) == [0.01, 0.5]
    (bars,) = drawn[2]
    lowest = min(segment[:, 1].min() for segment in bars.get_segments())
    assert 0.0 < lowest < 0.001
    assert np.isclose(max(segment[:, 1].max() for segment in bars.get_segments()), 0.5)
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("log", "log")
