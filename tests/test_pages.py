"""Pages: numbers with their errors, cells that cannot break out, figures inside at the size of print."""

import re

import numpy as np
import pandas as pd
import pytest

from exsitu.evaluation.style import new_figure, save_figure
from exsitu.pages import Heading, Picture, Table, as_html, as_markdown, as_text, measured, printed


def test_errors_stand_behind_their_numbers_and_spreads_are_left_out():
    frame = pd.DataFrame({"name": ["a"], "auc": [0.93456], "auc_spread": [0.1], "auc_error": [0.0123], "n": [1234.0]})
    assert printed(frame) == Table(["name", "auc", "n"], [["a", "0.935 ± 0.012", "1,234"]])


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (53472.3, 1234.0, "53,500 ± 1,200"),
        (-0.000012, 0.0008151, "-0.00001 ± 0.00082"),
        (0.5, 0.0999, "0.50 ± 0.10"),
        (3.14159, 0.0, "3.142"),
        (0.75, 1.1e-16, "0.75"),
        (2.5, float("nan"), "2.5"),
    ],
)
def test_a_number_is_told_as_far_as_its_error_lets_it_be_known(value, error, shown):
    assert measured(value, error) == shown


def test_a_number_that_is_not_there_leaves_its_cell_empty():
    assert printed(pd.DataFrame({"auc": [np.nan], "auc_error": [np.nan]})).rows == [[""]]


def test_a_table_in_a_terminal_stands_in_columns():
    assert as_text(Table(("name", "n"), [("a", "10"), ("long", "9")])).splitlines() == [
        "name   n",
        "a     10",
        "long   9",
    ]


def test_cells_cannot_break_out_of_their_page():
    table = Table(("a|b",), [("<script>x</script>",)])
    assert "<script" not in as_html([Heading("t", 1), table])
    assert "a\\|b" in as_markdown([table])


def test_a_figure_is_inside_and_half_as_wide_as_its_pixels(tmp_path):
    save_figure(new_figure(2.0, 1.0), tmp_path / "f.png")  # 200 dots an inch
    page = as_html([Heading("t", 1), Picture(tmp_path / "f.png", "two inches")])
    assert re.search(r'<img alt="two inches" width="200" src="data:image/png;base64,[A-Za-z0-9+/=]+">', page)


def test_an_error_of_nothing_is_a_number_of_its_own():
    assert printed(pd.DataFrame({"name": ["pmra"], "median_error": [0.25]})).rows == [["pmra", "0.25"]]
