"""A trial becomes a network once, goes on where it was stopped, and learns what it says it learns."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.experiments.samples import Surveys
from exsitu.experiments.training import is_finished, key_of, train_trial, trial_folder
from exsitu.experiments.trial import Sample, Trial
from exsitu.provenance import read_json

SAMPLE = Sample(surveys=("m12i/lsr0", "m12i/lsr1"))
TARGET = Sample(surveys=("m12f/lsr0",), filters=("radial_velocity",))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(settings, data, kept):
    """Train a trial, give its network and card."""
    from exsitu.model.network import load_model

    def train(trial: Trial):
        return load_model(trial_folder(kept, train_trial(trial, settings, data, kept)))

    return train


@pytest.mark.parametrize("representation", ["measured", "rest_frame"])
def test_a_transferred_network_changes_in_the_layers_that_learn_alone(made, representation):
    from exsitu.model.network import weights_of

    start = Trial(sample=SAMPLE, representation=representation)
    after = Trial(sample=TARGET, representation=representation, label="label_vm", start=start, layers=("last",))
    old, new = (weights_of(made(trial)[0]) for trial in (start, after))
    assert {name for name in old if not np.array_equal(old[name], new[name])} == {"last/kernel", "last/bias"}


def test_a_rest_frame_network_is_kept_with_plain_inputs_and_the_first_surveys_sun(made, settings, data, kept):
    card = made(Trial(sample=SAMPLE, representation="rest_frame"))[1]
    assert card.inputs == ("l", "b", "pmra", "pmdec", "parallax")
    sun = Surveys(settings, data, kept).sun("m12i/lsr0")
    assert card.constants["v_sun_kms"] == list(sun.v_sun_kms)
    assert all(np.isfinite(bound) for pair in card.domain.values() for bound in pair)


def test_a_finished_trial_is_left_alone(settings, data, kept):
    trial = Trial(sample=SAMPLE)
    folder = trial_folder(kept, train_trial(trial, settings, data, kept))
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    train_trial(trial, settings, data, kept)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_training_that_is_stopped_goes_on_and_ends_with_the_same_bits(settings, data, kept, tmp_path, monkeypatch):
    from exsitu.model import training

    trial = Trial(sample=SAMPLE)
    whole = trial_folder(kept, train_trial(trial, settings, data, kept))
    key = key_of(trial, settings, Surveys(settings, data, tmp_path))
    real, asked = training.train, []

    def stopped(*args, max_epochs: int, **more):
        real(*args, max_epochs=max_epochs - 1, **more)
        raise KeyboardInterrupt

    def watched(*args, checkpoints: Path, **more):
        asked.append((checkpoints / "checkpoint.npz").is_file())
        return real(*args, checkpoints=checkpoints, **more)

    monkeypatch.setattr(training, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        train_trial(trial, settings, data, tmp_path)
    assert not is_finished(tmp_path, key)
    monkeypatch.setattr(training, "train", watched)
    train_trial(trial, settings, data, tmp_path)
    assert asked == [True]
    assert (trial_folder(tmp_path, key) / "weights.npz").read_bytes() == (whole / "weights.npz").read_bytes()
    assert not list((tmp_path / "unfinished").iterdir())


@pytest.mark.parametrize("change", [{"noise": "none"}, {"noise": "covariance"}, {"planing": "v_phi"}], ids=str)
def test_what_a_trial_says_about_its_training_changes_the_network(settings, data, kept, change):
    trial = Trial(sample=Sample(surveys=("m12i/lsr0",)))
    plain, other = (
        trial_folder(kept, train_trial(t, settings, data, kept)) for t in (trial, dataclasses.replace(trial, **change))
    )
    assert (plain / "weights.npz").read_bytes() != (other / "weights.npz").read_bytes()


def test_a_training_is_stopped_by_the_stars_it_is_told_to_watch(settings, data, kept):
    trial = Trial(sample=Sample(surveys=("m12i/lsr0",)))
    watching = dataclasses.replace(trial, validation=TARGET)
    own, others = (
        read_json(trial_folder(kept, train_trial(t, settings, data, kept)) / "trial.json") for t in (trial, watching)
    )
    assert own["training_stars"] == others["training_stars"]
    assert own["val_loss"] != others["val_loss"]


def test_a_trial_tells_how_many_stars_it_learnt_from(settings, data, kept):
    trial = Trial(sample=Sample(surveys=("m12i/lsr0", "m12i/lsr1"), stars=700))
    about = read_json(trial_folder(kept, train_trial(trial, settings, data, kept)) / "trial.json")
    drawn = Surveys(settings, data, kept).drawn(trial.sample, "training", 700)
    assert about["training_stars"] == 1400
    assert about["training_accreted"] == sum(int(frame["accreted"].sum()) for frame in drawn.values())


def test_stars_that_lack_an_input_are_refused_with_the_remedy(settings, data, kept):
    with pytest.raises(InputError, match="lack an input; give the sample the filter radial_velocity"):
        train_trial(Trial(sample=SAMPLE, input_set="6D"), settings, data, kept)


def test_an_unknown_kind_of_trial_is_refused(settings, data, kept):
    with pytest.raises(InputError, match="no kind of trial 'forest'; known: network"):
        train_trial(Trial(sample=SAMPLE, kind="forest"), settings, data, kept)


def test_a_transfer_has_a_limit_of_epochs_of_its_own(settings, data, kept):
    start = Trial(sample=SAMPLE)
    transferred = dataclasses.replace(start, start=start, layers=("last",))
    epochs = [
        read_json(trial_folder(kept, train_trial(t, settings, data, kept)) / "trial.json")["epochs"]
        for t in (start, transferred)
    ]
    assert epochs == [settings.experiments.epochs, settings.experiments.transfer_epochs]
