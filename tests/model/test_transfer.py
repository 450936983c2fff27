import dataclasses

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.model.inputs import stars_from_frame
from exsitu.model.network import weights_of
from exsitu.model.scoring import network_scores
from exsitu.model.transfer import TRAINABLE, label_source, transfer
from exsitu.settings import Settings, load_settings


@pytest.fixture(scope="module")
def other_galaxy(make_survey):
    frames = [make_survey(n, seed) for n, seed in ((3000, 7), (1000, 8))]
    return [stars_from_frame(f, "5D", (f["feh"] < -1.0).to_numpy()) for f in frames]


def test_variants_are_those_of_the_settings(repository):
    settings: Settings = load_settings(repository / "params.yaml")
    assert tuple(TRAINABLE) == settings.transfer.variants
    assert TRAINABLE["vm_first"] == TRAINABLE["zm_first"] == ("first",)
    assert TRAINABLE["vm_last"] == TRAINABLE["zm_last"] == ("last",)
    assert TRAINABLE["vm_first_last"] == TRAINABLE["zm_first_last"] == ("first", "last")


def test_a_variant_says_whose_labels_it_takes():
    assert [label_source(v) for v in ("none", "vm_first", "zm_first_last")] == [None, "vm", "zm"]


@pytest.mark.parametrize("variant", ["zm_first", "vm_last", "zm_first_last"])
def test_only_the_variants_layers_change_and_scores_with_them(pretrained, trained, plan, other_galaxy, variant):
    before, values = weights_of(pretrained), trained.validation.values
    scores, constants = network_scores(pretrained, values), pretrained.get_layer("representation").constants
    history = transfer(pretrained, variant, *other_galaxy, plan, learning_rate=1e-3, max_epochs=1, seed=4)
    after = weights_of(pretrained)
    changed = {name.split("/")[0] for name in before if not np.array_equal(before[name], after[name])}
    assert changed == set(TRAINABLE[variant])
    assert {name for name in after if not np.array_equal(before[name], after[name])} == {
        f"{layer}/{part}" for layer in TRAINABLE[variant] for part in ("kernel", "bias")
    }
    assert pretrained.get_layer("representation").constants == constants == dict(trained.card.constants)
    assert np.abs(network_scores(pretrained, values) - scores).max() > 1e-3
    assert history["learning_rate"].item() == pytest.approx(1e-3)


def test_no_transfer_leaves_every_bit(pretrained, plan, other_galaxy):
    before = weights_of(pretrained)
    history = transfer(pretrained, "none", *other_galaxy, plan, learning_rate=1e-3, max_epochs=1, seed=4)
    after = weights_of(pretrained)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert len(history) == 0
    assert list(history.columns) == ["epoch", "loss", "val_loss", "learning_rate", "best"]


def test_layers_are_free_again_after_a_refused_transfer(pretrained, plan, other_galaxy):
    training, validation = other_galaxy
    unlabelled = dataclasses.replace(training, label=np.zeros_like(training.label))
    trainable = [layer.trainable for layer in pretrained.layers]
    with pytest.raises(InputError, match=r"training: 0 of 3000 stars are labelled accreted.*take more stars"):
        transfer(pretrained, "zm_last", unlabelled, validation, plan, learning_rate=1e-3, max_epochs=1, seed=4)
    assert [layer.trainable for layer in pretrained.layers] == trainable


def test_an_unknown_variant_is_refused_with_the_nearest(pretrained, plan, other_galaxy):
    with pytest.raises(InputError, match="no transfer variant 'zm_lasst'; did you mean 'zm_last'"):
        transfer(pretrained, "zm_lasst", *other_galaxy, plan, learning_rate=1e-3, max_epochs=1, seed=4)
