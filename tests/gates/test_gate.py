"""Gates let good tables through and stop the damage that passes Great Expectations' plain checks."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exsitu import gates
from exsitu.columns import COLUMNS
from exsitu.errors import GateError
from exsitu.gates.suites import TABLES

# Central value and half-width of columns whose median or tails a suite knows, and of those whose range is wide.
_VALUES = {
    "parallax": (1.0, 0.5),
    "parallax_error": (0.03, 0.01),
    "pmra": (0.0, 30.0),
    "pmdec": (0.0, 30.0),
    "px_true": (0.0, 2.0),
    "py_true": (0.0, 2.0),
    "pz_true": (0.0, 2.0),
    "radial_velocity": (0.0, 100.0),
}
_ROWS = 400


def good_table(suite, *, start=0, seed=0, rows=_ROWS):
    """A table that has every column of a suite, types as the registry says, values inside its range."""
    rng = np.random.default_rng(seed)
    table = {}
    for name in (*TABLES[suite].required, *TABLES[suite].optional):
        c = COLUMNS[name]
        if name == "source_id":
            table[name] = np.arange(start, start + rows, dtype=np.int64)
        elif c.dtype == "str":
            table[name] = pd.Series([f"star-{start + n}" for n in range(rows)], dtype="str")
        elif c.dtype == "bool":
            table[name] = rng.random(rows) < 0.5
        elif c.dtype.startswith("int"):
            table[name] = rng.integers(0, 3, rows).astype(c.dtype)
        else:
            middle, half = _VALUES.get(name, ((c.low + c.high) / 2, (c.high - c.low) / 4))
            table[name] = rng.uniform(middle - half, middle + half, rows).astype(c.dtype)
    return pd.DataFrame(table)


@pytest.fixture
def gate(repository, tmp_path):
    def run(frames, suite):
        gates.check(frames, suite, report=tmp_path / "gate.json", suites=repository / "expectations")

    return run


@pytest.fixture
def report(tmp_path):
    return lambda: json.loads((tmp_path / "gate.json").read_text())


def test_where_there_is_no_folder_of_suites_those_of_the_registry_are_asked(tmp_path):
    how = {"report": tmp_path / "gate.json", "suites": tmp_path / "expectations"}
    table = good_table("gaia_survey")
    gates.check(table, "gaia_survey", **how)
    with pytest.raises(GateError, match="parallax"):
        gates.check(table.drop(columns="parallax"), "gaia_survey", **how)
    with pytest.raises(GateError, match="no suite"):
        gates.check(table, "gaia_surveys", **how)
    how["suites"].mkdir()  # a folder that lacks a suite is no reason to ask another
    with pytest.raises(GateError, match="no suite"):
        gates.check(table, "gaia_survey", **how)


@pytest.mark.parametrize("suite", TABLES)
def test_good_table_passes_whole_and_in_chunks(gate, report, suite):
    table = good_table(suite)
    gate(table, suite)
    whole = report()
    assert whole["passed"]
    assert whole["rows"] == _ROWS
    gate((table.iloc[n : n + 250] for n in range(0, _ROWS, 250)), suite)
    assert report() == whole


@pytest.mark.parametrize("suite", TABLES)
def test_optional_columns_may_be_absent_and_required_ones_may_not(gate, suite):
    table = good_table(suite).drop(columns=list(TABLES[suite].optional))
    gate(table, suite)
    missing = TABLES[suite].required[2]
    with pytest.raises(GateError, match=f"{missing}: expect_column_to_exist"):
        gate(table.drop(columns=missing), suite)


@pytest.mark.parametrize("suite", TABLES)
def test_empty_table_fails(gate, suite):
    with pytest.raises(GateError, match="row_count_to_be_between"):
        gate(good_table(suite).head(0), suite)


def test_table_of_no_chunks_fails(gate):
    with pytest.raises(GateError, match="row_count_to_be_between"):
        gate([], "catalog")


@pytest.mark.parametrize("suite", TABLES)
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_column_of_nothing_but_nan_or_infinity_fails(gate, suite, value):
    name = next(c for c in TABLES[suite].required if COLUMNS[c].dtype.startswith("float"))
    with pytest.raises(GateError, match=f"{name}: expect_column_values_to_.* in {_ROWS} of {_ROWS} rows"):
        gate(good_table(suite).assign(**{name: value}), suite)


@pytest.mark.parametrize("value", [np.nan, np.inf, 400.0])
def test_one_bad_value_fails_and_is_shown_with_its_row(gate, report, tmp_path, value):
    chunks = [good_table("mock_survey", start=0), good_table("mock_survey", start=_ROWS)]
    chunks[1].loc[7, "ra"] = value
    with pytest.raises(GateError, match=r"gate mock_survey: 1 of \d+ .*ra: .* in 1 of 800 rows.*row 407.*gate\.md"):
        gate(iter(chunks), "mock_survey")
    [failed] = [e for e in report()["expectations"] if e["state"] == "failed"]
    assert failed["columns"] == ["ra"]
    assert failed["unexpected"] == 1
    shown = value if np.isfinite(value) else str(value)
    assert failed["offending_rows"] == [{"row": 407, "values": {"source_id": 407, "ra": shown}}]
    assert "row 407" in (tmp_path / "gate.md").read_text()


def test_five_rows_are_shown_of_many(gate, report):
    table = good_table("mock_survey")
    table.loc[50:, "dec"] = 91.0
    with pytest.raises(GateError, match=r"row 50 .*row 54 "):
        gate([table.iloc[:52], table.iloc[52:]], "mock_survey")
    [failed] = [e for e in report()["expectations"] if e["state"] == "failed"]
    assert [row["row"] for row in failed["offending_rows"]] == [50, 51, 52, 53, 54]
    assert failed["unexpected"] == _ROWS - 50


def test_missing_radial_velocities_pass_and_infinite_ones_do_not(gate):
    table = good_table("gaia_survey").assign(radial_velocity=np.nan)
    gate(table, "gaia_survey")
    table.loc[3, "radial_velocity"] = np.inf
    with pytest.raises(GateError, match=r"radial_velocity: .*row 3 "):
        gate(table, "gaia_survey")


def test_gaia_survey_may_hold_stars_without_parallax_but_not_mostly(gate):
    table = good_table("gaia_survey")
    astrometry = ["parallax", "parallax_error", "pmra", "pmdec", "pmra_error", "pmdec_error"]
    table.loc[: _ROWS // 5, astrometry] = np.nan
    gate([table.iloc[:100], table.iloc[100:]], "gaia_survey")
    table.loc[: _ROWS // 2, astrometry] = np.nan
    with pytest.raises(GateError, match="parallax: expect_column_values_to_not_be_null"):
        gate([table.iloc[:100], table.iloc[100:]], "gaia_survey")


def test_gaia_survey_may_hold_stars_whose_position_was_a_sentinel_but_not_mostly(gate):
    table = good_table("gaia_survey")
    table.loc[: _ROWS // 10, ["ra", "dec", "l", "b"]] = np.nan
    gate(table, "gaia_survey")
    table.loc[: _ROWS // 2, ["ra", "dec", "l", "b"]] = np.nan
    with pytest.raises(GateError, match="dec: expect_column_values_to_not_be_null"):
        gate(table, "gaia_survey")


@pytest.mark.parametrize("suite", [name for name, table in TABLES.items() if "source_id" in table.unique])
def test_ids_that_passed_through_a_float_fail(gate, suite):
    with pytest.raises(GateError, match=r"source_id: expect_column_values_to_be_of_type .*float64"):
        gate(good_table(suite).astype({"source_id": np.float64}), suite)


def test_wrong_type_in_a_later_chunk_fails(gate):
    chunks = [good_table("catalog"), good_table("catalog", start=_ROWS).astype({"flags": np.float64})]
    with pytest.raises(GateError, match="flags: expect_column_values_to_be_of_type"):
        gate(chunks, "catalog")


@pytest.mark.parametrize("suite", TABLES)
def test_one_star_in_two_chunks_fails(gate, report, suite):
    first, second = good_table(suite), good_table(suite, start=_ROWS, seed=1)
    second.iloc[4] = first.iloc[399]
    with pytest.raises(GateError, match=r"_to_be_unique failed in 2 of 800 rows, such as row 399 .*row 404 "):
        gate([first, second], suite)


def test_ids_beyond_two_to_the_53_are_told_apart(gate):
    table = good_table("gaia_survey", start=2**53)
    gate(table, "gaia_survey")


def test_viewpoints_that_number_their_own_stars_may_be_stacked_in_a_training_sample(gate):
    gate([good_table("training_sample", seed=1), good_table("training_sample", seed=2)], "training_sample")


@pytest.mark.parametrize("parts", [1, 7])
def test_uniqueness_looked_at_in_parts_is_that_of_the_whole(gate, report, monkeypatch, parts):
    monkeypatch.setattr("exsitu.gates.gate._KEYS_AT_ONCE", _ROWS // parts)
    table = good_table("gaia_survey")
    table.loc[300, "source_id"] = 20
    with pytest.raises(GateError, match="source_id: expect_column_values_to_be_unique failed in 2 of 400 rows"):
        gate(table, "gaia_survey")


@pytest.mark.parametrize("suite", ["training_sample", "catalog"])
@pytest.mark.parametrize(("parallax", "error"), [(-1.0, 0.05), (1.0, 0.11), (1.0, 0.0), (1.0, np.nan)])
def test_star_outside_the_parallax_cut_fails(gate, suite, parallax, error):
    table = good_table(suite)
    table.loc[9, ["parallax", "parallax_error"]] = parallax, error
    with pytest.raises(GateError, match=r"parallax_error, parallax: .*fractional_error.*row 9 "):
        gate(table, suite)


def test_negative_parallaxes_are_data_in_a_survey(gate):
    table = good_table("gaia_survey")
    table.loc[:50, "parallax"] = -2.0
    gate(table, "gaia_survey")


@pytest.mark.parametrize("suite", ["gaia_survey", "catalog"])
@pytest.mark.parametrize("typical", [0.3, 12.0])
def test_parallaxes_of_near_and_far_surveys_pass(gate, suite, typical):
    table = good_table(suite)
    gate(table.assign(parallax=table["parallax"] * typical, parallax_error=table["parallax_error"] * typical), suite)


@pytest.mark.parametrize("suite", [name for name, table in TABLES.items() if table.medians])
@pytest.mark.parametrize("factor", [12e-3, 0.3e3])
def test_parallaxes_in_a_wrong_unit_fail(gate, report, suite, factor):
    table = good_table(suite)
    with pytest.raises(GateError, match="gate"):
        gate(table.assign(parallax=table["parallax"] * factor, parallax_error=table["parallax_error"] * factor), suite)
    failed = {(e["type"], *e["columns"]) for e in report()["expectations"] if e["state"] == "failed"}
    assert ("expect_column_median_to_be_between", "parallax") in failed


@pytest.mark.parametrize(
    ("suite", "name", "factor"),
    [("gaia_survey", "pmra", 1e-3), ("mock_survey", "pmdec", 1e-3), ("mock_survey", "px_true", 1e3)],
)
def test_tails_in_a_wrong_unit_fail(gate, suite, name, factor):
    table = good_table(suite)
    with pytest.raises(GateError, match=f"{name}: expect_column_quantile_values"):
        gate(table.assign(**{name: table[name] * factor}), suite)


def test_medians_of_a_table_larger_than_the_sample_are_those_of_all_of_it(gate, report, monkeypatch):
    monkeypatch.setattr("exsitu.gates.gate._SAMPLE_ROWS", 64)
    table = good_table("gaia_survey", rows=1000)
    table["parallax"] = np.linspace(0.5, 1.5, 1000)
    gate((table.iloc[n : n + 171] for n in range(0, 1000, 171)), "gaia_survey")
    [median] = [
        e["observed"]
        for e in report()["expectations"]
        if e["type"] == "expect_column_median_to_be_between" and e["columns"] == ["parallax"]
    ]
    assert median == pytest.approx(1.0, abs=0.02)


def test_real_gaia_stars_pass(gate, real_data):
    from astropy.io import fits

    with fits.open(real_data / "gaia_dr2_gaia_source_1000.fits") as file:
        rows = file[1].data
        names = [*TABLES["gaia_survey"].required, "l", "b", "radial_velocity"]
        table = pd.DataFrame({n: rows[n].astype(rows[n].dtype.newbyteorder("=")) for n in names})
    gate(table, "gaia_survey")


def test_report_is_the_same_when_the_table_is_the_same(gate, tmp_path):
    for _ in range(2):
        gate(good_table("catalog"), "catalog")
        content = (tmp_path / "gate.json").read_bytes(), (tmp_path / "gate.md").read_bytes()
        (tmp_path / "gate.json").unlink()
    assert b"# Gate `catalog`: passed" in content[1]
    gate(good_table("catalog"), "catalog")
    assert ((tmp_path / "gate.json").read_bytes(), (tmp_path / "gate.md").read_bytes()) == content


def test_misspelt_suite_names_the_nearest(gate):
    with pytest.raises(GateError, match="did you mean 'gaia_survey'"):
        gate(good_table("gaia_survey"), "gaia_servey")


@pytest.mark.parametrize(
    "damage",
    [
        "{",
        '{"name": "x"}',
        '{"expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "ra"}, "meta": {}}]}',
        '{"expectations": [{"type": "expect_wonders", "kwargs": {}, "meta": {}}]}',
    ],
)
def test_suite_that_cannot_be_checked_lets_nothing_through(tmp_path, damage):
    Path(tmp_path / "odd.json").write_text(damage)
    with pytest.raises(GateError, match="restore it with"):
        gates.check(good_table("catalog"), "odd", report=tmp_path / "gate.json", suites=tmp_path)
