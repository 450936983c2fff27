"""The committed suites say what the registry of columns says, and nothing that lets damage through."""

from exsitu.gates.suites import suites, write_suites


def test_committed_suites_say_what_the_registry_says(repository, tmp_path):
    for path in write_suites(tmp_path):
        assert (repository / "expectations" / path.name).read_text() == path.read_text(), f"rewrite {path.name}"
    assert {p.stem for p in (repository / "expectations").glob("*.json")} == set(suites())


def test_every_float_column_of_every_suite_has_two_finite_bounds():
    for suite in suites().values():
        typed = {e["kwargs"]["column"] for e in suite["expectations"] if e["type"].endswith("be_in_type_list")}
        bounded = {
            e["kwargs"]["column"]
            for e in suite["expectations"]
            if e["type"] == "expect_column_values_to_be_between" and {"min_value", "max_value"} <= e["kwargs"].keys()
        }
        assert typed <= bounded


def test_every_suite_asks_for_rows_and_for_unique_names():
    for suite in suites().values():
        kinds = {e["type"] for e in suite["expectations"]}
        assert "expect_table_row_count_to_be_between" in kinds
        assert kinds & {"expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"}


def test_every_required_numeric_column_must_hold_values():
    for name, suite in suites().items():
        required = {e["kwargs"]["column"] for e in suite["expectations"] if e["type"] == "expect_column_to_exist"}
        present = {e["kwargs"]["column"] for e in suite["expectations"] if e["type"].endswith("to_not_be_null")}
        assert required <= present, name


def test_ids_are_asked_to_be_64_bit_integers():
    for name, suite in suites().items():
        types = {e["kwargs"]["column"]: e["kwargs"]["type_"] for e in suite["expectations"] if "type_" in e["kwargs"]}
        if name != "spectroscopic_survey":
            assert types["source_id"] == "int64"
