import dataclasses
import math

import jax
import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.model import training as module
from exsitu.model.blocks import Table, table
from exsitu.model.inputs import TABLE_2, Stars
from exsitu.model.network import build_network, weights_of
from exsitu.model.runtime import keras
from exsitu.model.scoring import network_scores
from exsitu.model.steps import draw
from exsitu.model.training import class_weights, schedule, train
from exsitu.settings import Plateau


def flat(network) -> np.ndarray:
    return np.concatenate([w.ravel() for w in weights_of(network).values()])


def counted(n_stars: int, accreted: int) -> Stars:
    column = np.zeros((n_stars, 1), np.float32)
    return Stars(column, column, (np.arange(n_stars) < accreted).astype(np.float32), ("b",))


def auc(score: np.ndarray, label: np.ndarray) -> float:
    ranks = np.empty(len(score))
    ranks[np.argsort(score)] = np.arange(len(score))
    positive = label > 0
    count = np.count_nonzero(positive)
    return (ranks[positive].sum() - count * (count - 1) / 2) / (count * (len(label) - count))


def test_a_batch_holds_five_accreted_stars_on_average_as_in_the_paper(plan):
    assert schedule(counted(48_696, 431), plan).batch == 565  # paper, Sec. 4.2, in the ratio of m12i LSR0's stars
    assert schedule(counted(9_401, 51), plan).batch == pytest.approx(915, abs=10)


@pytest.mark.parametrize(("n", "accreted"), [(48_696, 431), (200_000, 500), (60, 30), (40, 1), (7, 1)])
def test_an_epoch_is_the_asked_number_of_passes(plan, n, accreted):
    cut = schedule(counted(n, accreted), plan)
    asked = plan.draws_per_star * n
    assert cut.batch <= n
    assert cut.steps_per_chunk <= 128
    assert cut.rows <= max(cut.batch, 1 << 17)
    assert abs(cut.chunks * cut.rows - asked) <= max(cut.batch, 0.05 * asked)


def test_class_weights_are_those_of_equation_5(plan):
    in_situ, accreted = class_weights(counted(1000, 10), plan)
    assert (in_situ, accreted) == (pytest.approx(1000 / 990), pytest.approx(1000 / (5 * 10)))


def drawing(rows: np.ndarray, held: Table, seed: int) -> np.ndarray:
    return np.asarray(jax.jit(lambda stars: draw(stars, held, jax.random.key(seed)))(rows))


def test_a_draw_is_normal_around_the_observed_value_with_its_error(training):
    n = 200_000
    held = table(training.take(np.array([0])), 2)
    rows = np.tile(held.rows(), (n, 1))
    drawn = drawing(rows, held, 3)
    np.testing.assert_array_equal(drawn[:, :2], rows[:, :2])
    np.testing.assert_allclose(drawn[:, 2:].mean(axis=0), rows[0, 2:5], atol=5 * rows[0, 5:8].max() / math.sqrt(n))
    np.testing.assert_allclose(drawn[:, 2:].std(axis=0), rows[0, 5:8], rtol=0.01)
    pulls = (drawn[:, 2:] - rows[:, 2:5]) / rows[:, 5:8]
    assert np.abs(np.corrcoef(pulls.T) - np.eye(3)).max() < 0.02
    again, other = (drawing(rows, held, seed) for seed in (3, 4))
    np.testing.assert_array_equal(drawn, again)
    assert not np.any(other[:, 2:] == drawn[:, 2:], axis=0).all()


def test_the_network_learns_to_tell_the_populations_apart(trained):
    scores = network_scores(trained.network, trained.validation.values)
    assert auc(scores, trained.validation.label) > 0.9
    assert trained.history["loss"].iloc[-1] < trained.history["loss"].iloc[0]


def test_the_history_says_what_happened_in_each_epoch(trained):
    assert list(trained.history.columns) == ["epoch", "loss", "val_loss", "learning_rate", "best"]
    assert list(trained.history["epoch"]) == [1, 2, 3]
    assert trained.history["best"].sum() == 1
    assert trained.history.loc[trained.history["best"], "val_loss"].item() == trained.history["val_loss"].min()


def test_the_same_seed_and_stars_give_the_same_bits(trained, spec, plan):
    network = build_network(spec, seed=1)
    history = train(network, trained.training, trained.validation, plan, max_epochs=3, seed=2)
    np.testing.assert_array_equal(flat(network), flat(trained.network))
    assert history.equals(trained.history)


def test_the_loss_is_the_weighted_cross_entropy_of_equation_4(spec, plan, training, validation):
    # Without errors every draw is the star itself, so the loss of the kept weights can be computed by hand.
    exact = [dataclasses.replace(s, errors=np.zeros_like(s.errors)) for s in (training, validation)]
    network = build_network(spec, seed=1)
    history = train(network, *exact, plan, max_epochs=1, seed=2)
    mean, sigma = np.array([TABLE_2[name] for name in validation.columns]).T
    signal, weights = (validation.values - mean) / sigma, weights_of(network)
    for name in ("first", "hidden_2"):
        signal = np.maximum(signal @ weights[f"{name}/kernel"] + weights[f"{name}/bias"], 0.0)
    logit = (signal @ weights["last/kernel"] + weights["last/bias"])[:, 0]
    in_situ, accreted = class_weights(training, plan)
    losses = np.where(validation.label > 0, accreted * np.logaddexp(0, -logit), in_situ * np.logaddexp(0, logit))
    assert history["val_loss"].item() == pytest.approx(losses.mean(), rel=1e-5)


def test_the_learning_rate_falls_training_stops_and_the_best_weights_stay(trained, spec, plan):
    # Validation labels upside down: the better the network, the worse its validation loss.
    upside_down = dataclasses.replace(trained.validation, label=1 - trained.validation.label)
    hasty = plan.model_copy(update={"plateau": Plateau(factor=0.1, patience=2, floor=1e-6), "stop_patience": 4})
    network = build_network(spec, seed=1)
    seen, epochs = [], []

    def on_epoch(number: int, losses: dict[str, float]) -> None:
        seen.append((number, losses))
        epochs.append(flat(network))

    history = train(network, trained.training, upside_down, hasty, max_epochs=50, seed=3, on_epoch=on_epoch)
    assert len(history) == 5
    assert list(history["best"]) == [True, False, False, False, False]
    np.testing.assert_allclose(history["learning_rate"], [3e-3, 3e-3, 3e-3, 3e-4, 3e-4], rtol=1e-5)
    assert [number for number, _ in seen] == [1, 2, 3, 4, 5]
    assert seen[3][1] == history.loc[3, ["loss", "val_loss", "learning_rate"]].to_dict()
    np.testing.assert_array_equal(flat(network), epochs[0])
    assert not np.array_equal(epochs[0], epochs[4])
    assert not np.array_equal(epochs[0], trained.first_epoch)  # another seed, other weights


def test_weights_of_single_stars_count(spec, plan, training, validation, trained):
    tripled = dataclasses.replace(validation, weight=np.full(len(validation), 3.0, np.float32))
    history = train(build_network(spec, seed=1), training, tripled, plan, max_epochs=1, seed=2)
    assert history["loss"][0] == trained.history["loss"][0]
    assert history["val_loss"][0] == pytest.approx(3 * trained.history["val_loss"][0], rel=1e-6)


def test_validation_draws_are_new_in_each_epoch(spec, plan, training, validation):
    # Nothing is trained, so that only the draws of the errors can move the loss.
    network = build_network(spec, seed=1)
    network.trainable = False
    network.get_layer("last").trainable = True
    still = plan.model_copy(update={"learning_rate": 1e-30})
    loose = dataclasses.replace(validation, errors=validation.errors * 20)
    losses = train(network, training, loose, still, max_epochs=3, seed=2)["val_loss"]
    assert losses.nunique() == 3
    assert losses.max() - losses.min() < 0.05 * losses.mean()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("which", ["training", "validation"])
def test_stars_that_are_not_finite_are_refused_with_column_and_count(spec, plan, training, validation, bad, which):
    samples = {"training": training, "validation": validation}
    values = samples[which].values.copy()
    values[[3, 5, 8], 4] = bad
    samples[which] = dataclasses.replace(samples[which], values=values)
    network = build_network(spec, seed=1)
    before = flat(network)
    with pytest.raises(InputError, match=rf"{which}: parallax is not finite in 3 of \d+ stars"):
        train(network, *samples.values(), plan, max_epochs=1, seed=2)
    np.testing.assert_array_equal(flat(network), before)


def test_swapped_columns_are_refused(spec, plan, training, validation):
    order = np.array([0, 1, 3, 2, 4])
    names = tuple(training.columns[i] for i in order)
    swapped = Stars(training.values[:, order], training.errors[:, order], training.label, names)
    with pytest.raises(InputError, match="the stars come with l, b, pmdec, pmra, parallax"):
        train(build_network(spec, seed=1), swapped, validation, plan, max_epochs=1, seed=2)


@pytest.mark.parametrize(("label", "what"), [(0.0, "accreted"), (1.0, "in situ")])
def test_a_sample_of_one_class_is_refused(spec, plan, training, validation, label, what):
    one = dataclasses.replace(validation, label=np.full_like(validation.label, label))
    with pytest.raises(InputError, match=f"validation: 0 of 1500 stars are labelled {what}"):
        train(build_network(spec, seed=1), training, one, plan, max_epochs=1, seed=2)


def test_a_loss_that_is_not_finite_stops_the_training():
    record = module._Record(None)
    with pytest.raises(InputError, match="diverged in epoch 3"):
        record.on_epoch_end(2, {"loss": math.nan, "val_loss": 1.0, "learning_rate": 1e-3})


def test_progress_is_shown_on_standard_error_only_when_asked_for(capsys, plan, training):
    cut = schedule(training, plan)
    for shown in (True, False):
        bar = module._Progress(cut, 2, shown=shown)
        bar.on_train_batch_end(0)
        bar.on_epoch_end(0, {"loss": 0.5})
        bar.on_train_end()
        captured = capsys.readouterr()
        assert captured.out == ""
        for what in ("loss 0.5", "draw/s", " left"):
            assert (what in captured.err) is shown


@pytest.mark.slow
def test_learning_equals_that_of_fit_on_arrays_resampled_with_numpy(spec, plan, training, validation):
    # What a user would write with Keras alone, as often over the stars; only the order and the draws differ.
    ours, theirs = [], []
    few = plan.model_copy(update={"draws_per_star": 6})
    for seed in range(5):
        network = build_network(spec, seed=seed)
        train(network, training, validation, few, max_epochs=1, seed=seed)
        ours.append(loss_of(network, validation, class_weights(training, plan)))
        network = build_network(spec, seed=seed)
        fit_resampled(network, training, few, seed)
        theirs.append(loss_of(network, validation, class_weights(training, plan)))
    spread = math.hypot(np.std(ours, ddof=1), np.std(theirs, ddof=1)) / math.sqrt(5)
    assert abs(np.mean(ours) - np.mean(theirs)) < 3 * spread
    assert spread < 0.05 * np.mean(theirs)  # or nothing would have been compared


def fit_resampled(network, stars: Stars, plan, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    logits = keras.Model(network.inputs, network.get_layer("last").output)
    logits.compile(keras.optimizers.Adam(plan.learning_rate), keras.losses.BinaryCrossentropy(from_logits=True))
    in_situ, accreted = class_weights(stars, plan)
    weight = np.where(stars.label > 0, accreted, in_situ).astype(np.float32)
    for _ in range(plan.draws_per_star):
        drawn = rng.normal(stars.values, stars.errors).astype(np.float32)
        batch = schedule(stars, plan).batch
        logits.fit(drawn, stars.label, sample_weight=weight, batch_size=batch, epochs=1, verbose=0)


def loss_of(network, stars: Stars, weights: tuple[float, float]) -> float:
    score = np.clip(network_scores(network, stars.values).astype(np.float64), 1e-7, 1 - 1e-7)
    return float(np.mean(np.where(stars.label > 0, -weights[1] * np.log(score), -weights[0] * np.log1p(-score))))
