"""Figures of many panels show what they are given, and nothing where there is nothing."""

import numpy as np
import pandas as pd
import pytest

from exsitu.evaluation.grids import (
    Plane,
    histograms_figure,
    planes_figure,
    points_figure,
    profiles_figure,
    ratio_corner_figure,
)


def curve(*density: float) -> pd.DataFrame:
    edges = np.arange(len(density) + 1.0)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "density": density})


def test_each_histogram_has_a_panel_and_curves_of_one_name_one_look():
    panels = {f"x{i}": {"a": curve(0.5, 0.5), "b": curve(0.1, 0.9)} for i in range(5)}
    figure = histograms_figure(panels, {"a": 3, "b": 0})
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_xlabel() for axes in shown] == list(panels)
    colours = {tuple(p.get_edgecolor() for p in axes.patches) for axes in shown}
    assert len(colours) == 1
    np.testing.assert_array_equal(shown[0].patches[1].get_data().values, [0.1, 0.9])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["a", "b"]


def test_profiles_have_a_panel_a_variable_and_a_number_and_leave_out_what_is_not_there():
    rows = [
        {"variable": v, "group": g, "low": 0.0, "high": 2.0, "share": 40.0, "share_error": 5.0}
        for v in ("x", "y")
        for g in ("a", "b")
    ]
    figure = profiles_figure(pd.DataFrame(rows), {"x": "x [kpc]", "z": "z", "y": "y [dex]"}, {"share": "share [%]"})
    assert [axes.get_xlabel() for axes in figure.axes] == ["x [kpc]", "y [dex]"]
    assert figure.axes[0].get_ylabel() == "share [%]"
    points = figure.axes[0].containers[0].lines[0]
    assert (points.get_xdata()[0], points.get_ydata()[0]) == (1.0, 40.0)


EDGES = {name: np.linspace(0.0, 2.0, 3) for name in ("x", "y", "z")}
LABELS = {name: f"{name} label" for name in EDGES}


def kinds() -> dict[str, dict[str, np.ndarray]]:
    """A hundred stars of the first kind in one cell and one of the second; one alone of each elsewhere."""
    many = {name: np.array([0.5] * 100 + [1.5]) for name in EDGES}
    few = {"x": np.array([0.5, 0.5]), "y": np.array([0.5, 1.5]), "z": np.array([0.5, 1.5])}
    return {"many": many, "few": few}


def test_maps_show_the_power_of_ten_of_the_ratio_and_no_colour_without_a_star():
    figure = ratio_corner_figure(kinds(), {n: LABELS[n] for n in ("x", "y")}, EDGES)
    (mesh,) = (axes.collections[0] for axes in figure.axes[:4] if axes.get_visible() and axes.collections)
    found = np.ma.filled(mesh.get_array(), np.nan).reshape(2, 2)
    np.testing.assert_allclose(found, [[-2.0, np.nan], [1.0, -3.0]])


@pytest.mark.parametrize("n", [2, 3])
def test_columns_are_named_below_and_beside_the_corner(n):
    figure = ratio_corner_figure(kinds(), dict(list(LABELS.items())[:n]), EDGES)
    grid = figure.axes[: n * n]
    assert [axes.get_xlabel() for axes in grid[-n:]] == list(LABELS.values())[:n]
    assert sum(axes.get_visible() for axes in grid) == n * (n + 1) // 2


def test_planes_have_a_row_of_densities_a_kind_on_one_scale():
    figure = planes_figure(kinds(), LABELS, EDGES)
    meshes = [axes.collections[0] for axes in figure.axes[3:9]]
    assert meshes[0].get_array().max() == 1.0
    assert meshes[3].get_array().max() == 100.0
    assert len({(m.norm.vmin, m.norm.vmax) for m in meshes[3:]}) == 1
    empty = {**kinds(), "none": {name: np.empty(0) for name in EDGES}}
    assert len(planes_figure(empty, LABELS, EDGES).axes) == 12 + 3


def test_points_lie_over_the_density_and_axes_may_descend():
    down = np.array([2.0, 1.0, 0.0])
    plane = Plane(
        labels=("below", "beside"),
        many=(np.array([0.5, 0.5]), np.array([0.5, 1.5])),
        few=(np.array([1.5]), np.array([0.5])),
        edges=(EDGES["x"], down),
    )
    figure = points_figure({"a": plane}, ("all", "some"))
    axes = figure.axes[0]
    assert axes.get_ylim() == (2.0, 0.0)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("below", "beside")
    assert np.nansum(np.ma.filled(axes.collections[0].get_array(), np.nan)) == 2.0
    assert axes.lines[0].get_xydata().tolist() == [[1.5, 0.5]]
