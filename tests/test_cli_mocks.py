"""`exsitu mocks` does what its options say, and says what to run next."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from mock_folder import write_mock

from exsitu.cli import main
from exsitu.cli_mocks import VIEWPOINTS, mocks
from exsitu.mocks.galaxies import galaxy_model


@pytest.fixture
def cli(repository, monkeypatch):
    monkeypatch.chdir(repository)
    return lambda *words: CliRunner().invoke(main, ["mocks", *map(str, words)])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A mock to check; pictures take most of a check."""
    monkeypatch.setattr("exsitu.mocks.check.pictures.draw", lambda *_: {})
    return write_mock(tmp_path / "m12i")


@pytest.mark.parametrize("command", sorted(mocks.commands))
def test_every_command_explains_itself(cli, command):
    said = cli(command, "--help")
    assert said.exit_code == 0
    assert "Options:" in said.output


def test_viewpoints_are_those_of_the_galaxies():
    for name in ("m12i", "m12f"):
        assert VIEWPOINTS[name] == tuple(range(len(galaxy_model(name).suns)))


def test_check_prints_the_table_and_where_the_page_is(cli, folder, tmp_path):
    said = cli("check", folder, "--output", tmp_path / "out", "--no-progress")
    assert said.exit_code == 0
    assert "vm_purity_percent" in said.stdout
    assert "falls short: " in said.stdout
    assert f"next: read {tmp_path / 'out' / 'mocks-check.md'}" in said.stderr


def test_check_prints_json_that_a_script_can_read(cli, folder, tmp_path):
    said = cli("check", folder, "--json", "--output", tmp_path / "out", "--no-progress")
    found = {row["name"]: row for row in json.loads(said.stdout)}
    assert found["accreted_percent"]["paper"] == 0.884
    assert found["accreted_percent"]["here"] == pytest.approx(100 * 200 / 4200)
    assert found["accreted_percent"]["factor"] == pytest.approx(found["accreted_percent"]["here"] / 0.884)
    assert found["accreted_percent"]["holds"] is False
    assert found["overlap_both_percent"]["here"] is None
    assert {"name", "paper", "here", "factor", "holds"} <= found["farthest_kpc"].keys()


def test_strict_check_fails_where_something_does_not_hold(cli, folder, tmp_path):
    assert cli("check", folder, "--strict", "--output", tmp_path / "out", "--no-progress").exit_code == 1


def test_check_without_mocks_says_what_to_run(cli, tmp_path):
    said = cli("check", tmp_path, "--no-progress")
    assert said.exit_code == 1
    assert "run `exsitu mocks make`" in said.output
    assert "Traceback" not in said.output


@pytest.fixture
def asked(monkeypatch):
    """What the command asked the stage for."""
    calls = []

    def galaxy(settings, galaxy, mocks, **options):
        calls.append((galaxy, mocks, options))
        return options["output"] / galaxy.galaxy

    def population(settings, **options):
        calls.append((None, None, options))
        return []

    monkeypatch.setattr("exsitu.stages.mocks.make_galaxy", galaxy)
    monkeypatch.setattr("exsitu.stages.mocks.make_population", population)
    return calls


def test_make_takes_all_viewpoints_and_the_settings_of_the_profile(cli, asked):
    said = cli("make")
    assert "exsitu mocks check build/mocks/m12i" in said.output
    ((galaxy, wanted, options),) = asked
    assert (galaxy.galaxy, galaxy.viewpoints) == ("m12i", (0, 1, 2))
    assert wanted.error_profile == "ananke"
    assert (options["seed"], options["snapshots"]) == (11, 120)


def test_make_passes_on_what_it_is_told(cli, asked):
    cli(
        "make", "--galaxy", "m12f", "--viewpoint", 1, "--stars", 1000, "--seed", 0, "--error-profile", "dr3",
        "--particle-mass", 9e3, "--accreted-particle-mass", 8e3, "--snapshots", 0, "--output", "build/elsewhere",
    )  # fmt: skip
    ((galaxy, wanted, options),) = asked
    assert (galaxy.galaxy, galaxy.viewpoints) == ("m12f", (1,))
    assert (wanted.stars_per_viewpoint, wanted.error_profile) == (1000, "dr3")
    assert (wanted.particle_mass_msun, wanted.accreted_particle_mass_msun) == (9e3, 8e3)
    assert (options["seed"], options["snapshots"], options["output"].name) == (0, 0, "elsewhere")


def test_make_of_a_population_counts_galaxies(cli, asked):
    cli("make", "--galaxy", "population", "--count", 4, "--seed", 2)
    ((galaxy, _, options),) = asked
    assert galaxy is None
    assert (options["count"], options["seed"], options["viewpoints"]) == (4, 2, (0, 1, 2))
    assert (options["error_profile"], options["own"]) == ("ananke", {})
    assert options["output"].as_posix() == "build/mocks/population"


@pytest.mark.parametrize("words", [("--galaxy", "population"), ("--count", "3")])
def test_a_count_without_a_population_is_refused_and_the_other_way_round(cli, asked, words):
    said = cli("make", *words)
    assert said.exit_code == 2
    assert "--count" in said.output
    assert not asked


def test_make_of_a_profile_of_real_mocks_says_what_is_missing(repository, monkeypatch, asked):
    monkeypatch.chdir(repository)
    said = CliRunner().invoke(main, ["--profile", "paper", "mocks", "make"])
    assert said.exit_code == 2
    assert "--profile quick" in said.output
    assert not asked


def test_import_says_how_many_stars_of_which_kind_it_kept(cli, tmp_path, monkeypatch):
    told = {}

    def read(folder, slices, ids_file, **options):
        told.update(folder=folder, slices=slices, ids=ids_file, **options)
        counts = {"read": 5000, "bright": 4500, "kept": 4000, "accreted": 40, "in_situ": 3960}
        return SimpleNamespace(**counts, accreted_with_rv=5, in_situ_with_rv=700, not_physical="pmra (-9999 in 5 rows)")

    monkeypatch.setattr("exsitu.surveys.mock_import.import_mock", read)
    said = cli(
        "import", "--slice", "a.hdf5", "--slice", "b.hdf5", "--ids", "ids.npy", "--galaxy", "m12i", "--viewpoint", 2,
        "--output", tmp_path,
    )  # fmt: skip
    assert said.exit_code == 0
    assert "4,000 of 5,000 stars kept" in said.output
    assert "accreted: 40, 5 of them with a radial velocity" in said.output
    assert "warning: pmra (-9999 in 5 rows)" in said.output
    assert f"exsitu mocks check {tmp_path / 'm12i'} --viewpoint 2" in said.output
    assert [path.name for path in told["slices"]] == ["a.hdf5", "b.hdf5"]
    assert (told["survey"], told["max_fractional_parallax_error"]) == ("m12i/lsr2", 0.1)
