import numpy as np
import pandas as pd
import pytest

from exsitu.evaluation.panels import numbers_figure, roc_panels_figure, scans_figure
from exsitu.evaluation.style import save_figure


def curve(height: float) -> pd.DataFrame:
    in_situ = np.geomspace(1e-3, 1.0, 20)
    accreted = in_situ**height
    return pd.DataFrame(
        {
            "efficiency_in_situ": in_situ,
            "efficiency_accreted": accreted,
            "low": accreted - 0.01,
            "high": accreted + 0.01,
        }
    )


def test_every_panel_holds_its_curves_a_band_each_and_the_points():
    panels = {"a": {"x": curve(0.2), "y": curve(0.3)}, "b": {"x": curve(0.1)}}
    figure = roc_panels_figure(panels, {"V": (0.8, 0.05)})
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    assert [len(axes.lines) for axes in figure.axes] == [3, 2]
    assert [len(axes.collections) for axes in figure.axes] == [2, 1]


def test_curves_of_one_seed_have_no_band():
    single = curve(0.2).assign(low=lambda c: c["efficiency_accreted"], high=lambda c: c["efficiency_accreted"])
    assert not roc_panels_figure({"a": {"x": single}}).axes[0].collections


def test_cuts_that_select_too_few_stars_are_not_drawn():
    scan = pd.DataFrame(
        {"cut": [0.1, 0.5, 0.9], "selected": [100, 50, 3], "sum_chi2": [0.3, 0.1, 0.2], "purity": [0.1, 0.2, 0.3]}
    )
    left, right = scans_figure({"x": scan}, 10).axes
    assert list(left.lines[0].get_xdata()) == [0.1, 0.5]
    assert list(right.lines[0].get_ydata()) == pytest.approx([10.0, 20.0])


def test_a_number_is_drawn_where_its_row_is_with_its_error(tmp_path):
    table = pd.DataFrame(
        {"name": ["a", "b", "a", "b"], "group": ["m", "m", "r", "r"], "auc": [0.1, 0.2, 0.3, 0.4], "auc_error": 0.05}
    )
    figure = numbers_figure(table, {"auc": "AUC"}, ("m", "r"))
    first, second = figure.axes[0].containers
    assert list(first[0].get_xdata()) == [0.1, 0.2]
    assert list(second[0].get_ydata()) == pytest.approx([0.08, 1.08])
    save_figure(figure, tmp_path / "numbers.png")
    assert (tmp_path / "numbers.png").stat().st_size > 1000
