"""What the console and --json say of tables that cannot be what their columns are called, and of those that can."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from exsitu.cli import main
from exsitu.tables import describe


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Folder of a network that nobody trained, with the range of stars of mock surveys."""
    from exsitu.model.network import ModelCard, build_network, save_model
    from exsitu.provenance import write_json

    folder = tmp_path_factory.mktemp("model")
    motion = (-1000.0, 1000.0)
    domain = {"l": (-180.0, 180.0), "b": (-90.0, 90.0), "pmra": motion, "pmdec": motion, "parallax": (0.15, 60.0)}
    card = ModelCard("5D", "measured", (8, 8), domain)
    save_model(folder, build_network(card, seed=1), card)
    write_json(folder / "recipe.json", {"cut": 0.5})
    return folder


@pytest.fixture
def score(repository, monkeypatch, model):
    """Run the command as a user does."""
    monkeypatch.chdir(repository)

    def run(path, *more):
        return CliRunner().invoke(main, ["score", "--model", str(model), "--input", str(path), *more])

    return run


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tables/u_83_arcsec_nounit.csv", ["the median parallax of the well measured stars is 0.000", "100 % of the"]),
        ("hostile/ra_dec_swapped.csv", ["% of the rows have no possible ra, dec", "ra and dec may be swapped"]),
    ],
)
def test_a_warning_on_the_console_cannot_be_missed(score, cases, name, said):
    found = score(cases / name)
    assert found.exit_code == 0
    warnings = [line for line in found.stderr.splitlines() if line.startswith("WARNING: ")]
    assert warnings[-1] == "WARNING: do not trust these scores before that is put right"
    for words in said:
        assert any(words in line for line in warnings), found.stderr
    counts = json.loads(score(cases / name, "--json").stdout)
    assert all(any(words in line for line in counts["warnings"]) for words in said)
    assert sum(counts["flags"].values()) > 0


def test_right_stars_are_not_warned_of_and_flags_are_counted(score, cases):
    found = score(cases / "tables" / "00_baseline.fits")
    assert found.exit_code == 0
    assert "WARNING" not in found.output
    lines = found.stdout.splitlines()
    assert lines[0].startswith("60 rows, 60 scored, ")
    assert lines[1].startswith("flags: ")


def test_a_file_that_says_that_rows_are_missing_is_scored_with_a_warning(score, cases):
    found = score(cases / "tables" / "04_overflow.vot")
    assert found.exit_code == 0
    assert "60 rows, 60 scored" in found.stdout
    assert [line for line in found.stderr.splitlines() if line.startswith("WARNING: ")]


@pytest.mark.parametrize("suffix", [".parquet", ".fits", ".vot", ".ecsv", ".csv"])
def test_all_columns_of_a_table_of_the_archive_go_along(score, real_data, tmp_path, suffix):
    source, output = real_data / "gaia_dr3_gaia_source_1000.fits", tmp_path / f"scores{suffix}"
    found = score(source, "--output", str(output), "--keep", "all")
    assert found.exit_code == 0, found.output
    given, written = describe(source), describe(output)
    assert set(written.columns) == {*given.columns, "row", "score", "flags"}
    if suffix != ".csv":
        assert written.columns["parallax"] == given.columns["parallax"] == "mas"
