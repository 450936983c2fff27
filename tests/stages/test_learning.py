"""What the stages that train share: what draws are made from, and going on after a kill."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from star_makers import measured_stars

from exsitu.model import training as training_module
from exsitu.model.inputs import input_columns
from exsitu.model.network import ModelCard, build_network, load_model, save_model
from exsitu.settings import load_settings
from exsitu.stages import learning
from exsitu.stages.learning import Sample, carry_over, checkpoints_of, forget_checkpoints, labelled_stars


@pytest.fixture(scope="module")
def settings(repository):
    found = load_settings(repository / "params.yaml")
    return found.model_copy(
        update={
            "epochs": found.epochs.model_copy(update={"transfer": 3}),
            "training": found.training.model_copy(update={"draws_per_star": 5}),
        }
    )


@pytest.fixture(scope="module")
def sample():
    return Sample(measured_stars(3000, 1), measured_stars(1000, 2), digest="0" * 64)


@pytest.fixture
def pretrained(tmp_path):
    card = ModelCard("5D", "measured", (8, 8), dict.fromkeys(input_columns("5D"), (-400.0, 400.0)))
    save_model(tmp_path / "pretrained", build_network(card, seed=1), card)
    return tmp_path / "pretrained"


def test_draws_are_made_from_the_errors_or_from_the_covariance_as_the_settings_say(settings, sample):
    full = settings.model_copy(update={"training": settings.training.model_copy(update={"noise": "covariance"})})
    card = ModelCard("5D", "measured", (8, 8), dict.fromkeys(input_columns("5D"), (-400.0, 400.0)))
    assert [stars.correlations for stars in labelled_stars(settings, sample, card, "label_vm")] == [None, None]
    for stars in labelled_stars(full, sample, card, "label_vm"):
        np.testing.assert_allclose(stars.correlations[0], [0.1, 0.3, -0.2], rtol=1e-6)


def test_another_setting_or_another_sample_is_another_training(settings, tmp_path):
    other = settings.model_copy(update={"seed": settings.seed + 1})
    output = tmp_path / "model"
    folders = [checkpoints_of(s, output, *d) for s, d in ((settings, "a"), (settings, "b"), (other, "a"))]
    assert len(set(folders)) == 3
    assert checkpoints_of(settings, output, "a") == folders[0]


def test_forgetting_leaves_the_states_of_other_outputs(settings, tmp_path):
    mine, others = (checkpoints_of(settings, tmp_path / name, "a") for name in ("vm_last", "vm_first"))
    for folder in (mine, others):
        folder.mkdir(parents=True)
    forget_checkpoints(tmp_path / "vm_last")
    assert others.is_dir()
    assert not mine.exists()
    forget_checkpoints(tmp_path / "vm_last")


def test_a_transfer_that_was_stopped_goes_on_to_the_same_weights(settings, sample, pretrained, tmp_path, monkeypatch):
    def transferred(output):
        network, card = load_model(pretrained)
        network, card, history = carry_over(
            settings, network, card, "vm_last", sample, stage="transfer", output=output, progress=False
        )
        return history, save_model(tmp_path / "of" / output.name, network, replace(card, provenance={})).weights_sha256

    whole, expected = transferred(tmp_path / "whole")
    plain = training_module.train

    def stopped_after_two(*args, **how):
        def stop(epoch, _):
            if epoch == 3:
                raise KeyboardInterrupt

        return plain(*args, **{**how, "on_epoch": stop})

    monkeypatch.setattr("exsitu.model.transfer.train", stopped_after_two)
    with pytest.raises(KeyboardInterrupt):
        transferred(tmp_path / "stopped")
    monkeypatch.undo()
    trained = []
    monkeypatch.setattr(
        "exsitu.model.transfer.train",
        lambda *a, **k: plain(*a, **{**k, "on_epoch": lambda epoch, _: trained.append(epoch)}),
    )
    history, found = transferred(tmp_path / "stopped")
    assert trained == [3]
    assert found == expected
    pd.testing.assert_frame_equal(history, whole)


def test_the_label_column_follows_from_the_variant():
    assert learning.label_column("zm_first_last") == "label_zm"
