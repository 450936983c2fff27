import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from exsitu.evaluation.panels import distributions_figure, lines_figure, numbers_figure, roc_panels_figure, scans_figure
from exsitu.evaluation.style import look, save_figure, styled


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


def test_numbers_on_narrow_axes_do_not_run_into_one_another():
    numbers = {name: [0.0067, 0.0140] for name in ("x", "y", "z")}
    table = pd.DataFrame(
        {"name": ["measured on m12i/lsr0", "b"], **numbers, **{f"{n}_error": [0.0020, 0.0034] for n in numbers}}
    )
    figure = numbers_figure(table, {name: name for name in numbers})

    @styled  # the print's size of letters decides how many numbers are tried
    def places() -> list[list[tuple[float, float]]]:
        FigureCanvasAgg(figure).draw()
        boxes = [[text.get_window_extent() for text in axes.get_xticklabels()] for axes in figure.axes]
        return [[(box.x0, box.x1) for box in row] for row in boxes]

    for row in places():
        assert len(row) >= 3
        assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(row))


def test_a_curve_has_the_look_it_is_given():
    figure = roc_panels_figure({"a": {"x": curve(0.2), "y": curve(0.3)}}, looks={"y": 7})
    first, second = figure.axes[0].lines
    assert first.get_color() == second.get_color() == look(0)["color"]
    assert first.get_linestyle() != second.get_linestyle()


def test_distributions_have_a_row_a_variable_and_a_step_a_bin():
    steps = pd.DataFrame({"low": [0.0, 1.0], "high": [1.0, 2.0], "density": [0.3, 0.7]})
    panels = {"before": {"a": steps, "b": steps}, "after": {"a": steps}}
    figure = distributions_figure({"x": panels, "y": panels})
    assert [axes.get_xlabel() for axes in figure.axes] == ["x", "x", "y", "y"]
    assert [axes.get_title() for axes in figure.axes] == ["before", "after", "", ""]
    assert [len(axes.patches) for axes in figure.axes] == [2, 1, 2, 1]
    assert figure.axes[0].get_ylim()[0] == 0.0
    values, edges, _ = figure.axes[0].patches[0].get_data()
    assert list(values) == [0.3, 0.7]
    assert list(edges) == [0.0, 1.0, 2.0]


def test_panels_of_a_row_have_room_for_the_highest_of_their_steps():
    low, high = (pd.DataFrame({"low": [0.0], "high": [1.0], "density": [height]}) for height in (1.0, 5.0))
    figure = distributions_figure({"x": {"before": {"a": low}, "after": {"a": high}}})
    assert all(axes.get_ylim()[1] > 5.0 for axes in figure.axes)


def test_a_line_a_group_goes_through_its_numbers_in_every_panel():
    table = pd.DataFrame({"group": ["a", "a", "b"], "width": [1, 10, 1], "cost": [2, 20, 4], "auc": [0.1, 0.2, 0.3]})
    figure = lines_figure(table.assign(auc_error=0.01), {"width": "nodes", "cost": "cost"}, "auc", "AUC")
    assert [axes.get_xlabel() for axes in figure.axes] == ["nodes", "cost"]
    line = figure.axes[1].containers[0][0]
    assert list(line.get_xdata()) == [2, 20]
    assert list(line.get_ydata()) == [0.1, 0.2]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1", "10"]


def test_levels_are_drawn_across_in_the_colour_of_their_group():
    table = pd.DataFrame({"group": ["a", "a", "b", "b"], "stars": [1, 10, 1, 10], "auc": [0.1, 0.2, 0.3, 0.4]})
    figure = lines_figure(table.assign(auc_error=0.01), {"stars": "stars"}, "auc", "AUC", levels={"a": 0.5, "b": 0.6})
    across = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert [(line.get_ydata()[0], line.get_color()) for line in across] == [
        (0.5, look(0)["color"]),
        (0.6, look(1)["color"]),
    ]


def test_distributions_say_what_is_counted():
    curve = pd.DataFrame({"low": [0.0, 0.5], "high": [0.5, 1.0], "density": [1.0, 1.0]})
    figure = distributions_figure({"score": {"a star": {"x": curve}}}, beside="density of draws")
    assert figure.axes[0].get_ylabel() == "density of draws"
