"""Settings are frozen, complete, and say what is wrong with them."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from exsitu.errors import SettingsError
from exsitu.settings import Settings, load_settings


@pytest.fixture
def params(repository):
    """Content of the committed params.yaml, to be changed by a test."""
    return yaml.safe_load((repository / "params.yaml").read_text())


@pytest.fixture
def write(tmp_path):
    """Write a changed params.yaml and return its path."""

    def written(content) -> Path:
        path = tmp_path / "params.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return written


@pytest.mark.parametrize("profile", ["quick", "laptop", "paper"])
def test_every_committed_profile_loads(repository, profile):
    settings = load_settings(repository / "params.yaml", profile)
    assert settings.profile == profile


def test_profiles_tested_are_all_there_are(params):
    assert set(params["profiles"]) == {"quick", "laptop", "paper"}


def test_the_file_names_its_default_profile(repository, params):
    assert load_settings(repository / "params.yaml").profile == params["profile"]


def test_an_overlay_changes_what_it_names_and_keeps_the_rest(write, params):
    params["profiles"]["quick"]["training"] = {"plateau": {"patience": 2}}
    settings = load_settings(write(params), "quick")
    assert settings.training.plateau.patience == 2
    assert settings.training.plateau.factor == params["training"]["plateau"]["factor"]
    assert settings.training.draws_per_star == params["training"]["draws_per_star"]


def test_an_unknown_key_names_the_nearest_known_one(write, params):
    params["training"]["draws_per_starr"] = 5
    with pytest.raises(SettingsError, match=r"unknown key 'training.draws_per_starr'; did you mean 'draws_per_star'"):
        load_settings(write(params))


def test_an_unknown_key_at_the_top_and_deep_below_is_found(write, params):
    params["sed"] = 1
    params["training"]["plateau"]["patiense"] = 1
    with pytest.raises(SettingsError) as caught:
        load_settings(write(params))
    assert "unknown key 'sed'; did you mean 'seed'" in str(caught.value)
    assert "unknown key 'training.plateau.patiense'; did you mean 'patience'" in str(caught.value)


def test_an_unknown_key_of_a_named_survey_names_the_nearest(write, params):
    params["surveys"]["standin"]["truht"] = "x"
    with pytest.raises(SettingsError, match=r"surveys.standin.truht'; did you mean 'truth'"):
        load_settings(write(params))


def test_an_unknown_key_of_named_real_stars_names_the_nearest(write, params):
    params["promotion"]["real_stars"]["cluster_members"]["max_selected"] = 0.1
    with pytest.raises(SettingsError, match=r"cluster_members.max_selected'; did you mean 'max_selected_fraction'"):
        load_settings(write(params))


def test_real_stars_without_a_limit_would_check_nothing_and_are_refused(write, params):
    params["promotion"]["real_stars"]["cluster_members"] = {"path": "x.csv"}
    with pytest.raises(SettingsError, match="give min_selected_fraction, max_selected_fraction or both"):
        load_settings(write(params))


def test_a_missing_key_is_named(write, params):
    del params["quality"]["max_fractional_parallax_error"]
    with pytest.raises(SettingsError, match=r"missing key 'quality\.max_fractional_parallax_error'"):
        load_settings(write(params))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("quality", "max_fractional_parallax_error", -0.1),
        ("training", "draws_per_star", 0),
        ("network", "input_set", "7D"),
        ("transfer", "variants", ["zm_middle"]),
        ("evaluation", "min_selected", "many"),
        ("tracking", "model_name", ".hidden"),
        ("tracking", "model_name", "../up"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_its_key(write, params, section, key, value):
    params[section][key] = value
    with pytest.raises(SettingsError, match=rf"{section}\.{key}"):
        load_settings(write(params))


def test_an_incomplete_source_of_mocks_or_milky_way_is_refused(write, params):
    del params["profiles"]["quick"]["mocks"]["error_profile"]
    del params["profiles"]["quick"]["milky_way"]["gaia_stars"]
    with pytest.raises(SettingsError) as caught:
        load_settings(write(params), "quick")
    assert "source 'builtin' needs" in str(caught.value)
    assert "source 'standin' needs" in str(caught.value)


@pytest.mark.parametrize("numbers", [[8], [2, 1], [1, 1, 2]], ids=str)
def test_numbers_of_galaxies_that_cannot_be_compared_are_refused(write, params, numbers):
    params["experiments"]["population_galaxies"] = numbers
    with pytest.raises(SettingsError, match="two numbers or more, ascending"):
        load_settings(write(params))


def test_rest_frame_inputs_without_a_distance_are_refused(write, params):
    params["network"] |= {"input_set": "5D+phot", "representation": "rest_frame"}
    assert load_settings(write(params)).network.representation == "rest_frame"
    params["network"]["input_set"] = "4D"
    with pytest.raises(SettingsError, match="rest_frame needs a parallax, which 4D lacks; take 5D or 6D"):
        load_settings(write(params))


def test_an_unknown_profile_names_the_nearest(repository):
    with pytest.raises(SettingsError, match="no profile 'quik'; did you mean 'quick'"):
        load_settings(repository / "params.yaml", "quik")


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match="folder of the repository"):
        load_settings(tmp_path / "params.yaml")


@pytest.mark.parametrize(("text", "message"), [("a: [", "is not YAML"), ("- a", "profiles"), ("seed: 1", "profiles")])
def test_a_file_that_is_no_settings_is_refused(write, text, message):
    with pytest.raises(SettingsError, match=message):
        load_settings(write(text))


def test_settings_cannot_be_changed(repository):
    settings = load_settings(repository / "params.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        settings.seed = 2
    with pytest.raises(ValidationError, match="frozen"):
        settings.training.learning_rate = 1.0


def test_settings_survive_a_round_trip_through_json(repository):
    settings = load_settings(repository / "params.yaml")
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_the_committed_values_are_the_papers(repository):
    settings = load_settings(repository / "params.yaml")
    assert settings.quality.max_fractional_parallax_error == 0.1
    assert settings.network.hidden == (100, 100, 100)
    assert (settings.training.draws_per_star, settings.training.accreted_per_batch) == (20, 5)
    assert (settings.training.learning_rate, settings.transfer.learning_rate) == (1e-3, 1e-4)
    assert (settings.training.plateau.factor, settings.training.plateau.patience) == (0.1, 5)
    assert (settings.labels.zm.min_height_kpc, settings.labels.zm.max_feh) == (1.5, -1.5)
    assert len(settings.transfer.variants) == 7
