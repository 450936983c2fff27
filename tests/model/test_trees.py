"""Trees learn from the stars, weights and draws of a network, and are kept as text whose digest is checked."""

import dataclasses

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.evaluation.metrics import auc
from exsitu.model import trees
from exsitu.model.network import ModelCard, seen_from
from exsitu.model.trees import fit_trees, load_trees, save_trees, tree_scores
from exsitu.phase_space import frame


@pytest.fixture(scope="module")
def card(training) -> ModelCard:
    low, high = training.ranges()
    return ModelCard("5D", "measured", (), {name: (low[name], high[name]) for name in training.columns})


@pytest.fixture(scope="module")
def grown(card, training, validation, plan):
    return fit_trees(card, training, validation, plan, max_epochs=3, seed=2)


def test_trees_rank_stars_they_have_not_seen(grown, card, make_survey):
    from exsitu.model.inputs import values_from_frame

    unseen = make_survey(2000, 3)
    scores = tree_scores(grown[0], card, values_from_frame(unseen, card.inputs))
    assert auc(scores, unseen["accreted"].to_numpy()) > 0.8


def test_the_loss_of_an_epoch_is_that_of_the_networks(grown, card, training, validation, plan):
    """At zero logit the weighted cross-entropy is ln 2 times the mean weight, whatever the draws: 1 + 0.2."""
    import xgboost

    booster, history = grown
    assert list(history.columns) == ["epoch", "loss", "val_loss", "best"]
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] < 1.2 * np.log(2.0)
    layer = trees.representation("measured")(**card.constants)
    weights = trees.class_weights(training, plan)
    matrix = trees._matrix(layer, training, plan.draws_per_star, weights, np.random.default_rng(0))
    assert matrix.num_row() == len(training) * plan.draws_per_star
    assert matrix.get_weight().sum() == pytest.approx(1.2 * len(training), rel=1e-5)
    assert booster.num_boosted_rounds() == trees.TREES_PER_EPOCH * (1 + int(history["best"].idxmax()))
    assert isinstance(booster, xgboost.Booster)


def test_the_same_seed_grows_the_same_trees_and_another_others(grown, card, training, validation, plan):
    again, other = (fit_trees(card, training, validation, plan, max_epochs=3, seed=s)[0] for s in (2, 3))
    assert again.save_raw("json") == grown[0].save_raw("json") != other.save_raw("json")


def test_draws_follow_the_errors_and_their_covariance(training):
    exact = dataclasses.replace(training, errors=np.zeros_like(training.errors))
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(trees._drawn(exact, rng), training.values)
    rows = np.zeros(20_000, np.intp)
    correlated = dataclasses.replace(
        training.take(rows), correlations=np.tile(np.float32([0.9, 0.0, 0.0]), (20_000, 1))
    )
    assert correlated.columns[2:4] == ("pmra", "pmdec")
    moved = (trees._drawn(correlated, rng) - correlated.values) / np.where(correlated.errors, correlated.errors, 1.0)
    np.testing.assert_allclose(moved.std(axis=0), [0.0, 0.0, 1.0, 1.0, 1.0], atol=0.02)
    assert np.corrcoef(moved[:, 2], moved[:, 3])[0, 1] == pytest.approx(0.9, abs=0.01)


def test_trees_come_back_from_disk_as_they_were(grown, card, training, tmp_path):
    save_trees(tmp_path, grown[0], card)
    booster, read = load_trees(tmp_path)
    np.testing.assert_array_equal(
        tree_scores(booster, read, training.values), tree_scores(grown[0], card, training.values)
    )
    values = training.values[:3].copy()
    values[1, 2] = np.nan
    assert np.isnan(tree_scores(booster, read, values)).tolist() == [False, True, False]


@pytest.mark.parametrize("name", ["trees.json", "model.json"])
def test_changed_or_missing_files_are_refused(grown, card, tmp_path, name):
    save_trees(tmp_path, grown[0], card)
    path = tmp_path / name
    path.write_text(path.read_text(encoding="utf-8").replace("1", "2", 1), encoding="utf-8")
    with pytest.raises(InputError, match="was changed after it was written"):
        load_trees(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        load_trees(tmp_path)


def test_rest_frame_trees_see_another_survey_under_its_sun(training, validation, plan, card):
    """A star's features under a survey's constants are those it had when it brought its Sun along."""
    sun = frame("m12i/lsr1")
    rest = dataclasses.replace(card, representation="rest_frame", inputs=(), constants={})
    own = seen_from(rest, sun, own_sun=True)
    taught, watched = (stars.with_solar_motion(sun.v_sun_kms) for stars in (training, validation))
    booster, _ = fit_trees(own, taught, watched, plan, max_epochs=1, seed=2)
    plain = seen_from(own, sun)
    np.testing.assert_array_equal(
        tree_scores(booster, plain, training.values), tree_scores(booster, own, taught.values)
    )
    elsewhere = tree_scores(booster, seen_from(own, frame("m12i/lsr0")), training.values)
    assert (elsewhere != tree_scores(booster, plain, training.values)).any()


def test_stars_of_one_class_teach_nothing(card, training, validation, plan):
    with pytest.raises(InputError, match="training: 0 of"):
        fit_trees(card, training.take(training.label == 0), validation, plan, max_epochs=1, seed=2)
