"""A compiled chunk does what Keras's own optimiser would do, on one core and on several."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.model.blocks import table
from exsitu.model.network import build_network, weights_of
from exsitu.model.runtime import keras, tf
from exsitu.model.steps import Steps
from exsitu.model.training import class_weights, schedule, train

STEPS, BATCH, RATE = 6, 50, 3e-3


def exact(stars):
    return dataclasses.replace(stars, errors=np.zeros_like(stars.errors))


@pytest.fixture
def batches(training):
    held = table(exact(training), len(training.columns))
    return held, held.rows()[: STEPS * BATCH].reshape(STEPS, BATCH, -1)


def by_keras(network, batches, weights) -> float:
    """Gradients by TensorFlow, steps by Keras."""
    optimizer, losses = keras.optimizers.Adam(RATE), []
    logits = keras.Model(network.input, network.get_layer("last").output)
    for rows in batches:
        with tf.GradientTape() as tape:
            logit = logits(tf.constant(rows[:, :5]))[:, 0]
            entropy = tf.nn.sigmoid_cross_entropy_with_logits(rows[:, -2], logit)
            loss = tf.reduce_mean(np.where(rows[:, -2] > 0, weights[1], weights[0]).astype(np.float32) * entropy)
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        losses.append(float(loss))
    return float(np.mean(losses))


def by_us(network, held, batches, weights) -> tuple[list[np.ndarray], float]:
    optimizer = keras.optimizers.Adam(RATE)
    steps = Steps(network, optimizer, held, weights, (1, 2))
    learnt = [v.numpy() for v in network.trainable_variables]
    zeros = [np.zeros_like(w) for w in learnt]
    steps.begin((learnt, zeros, zeros), [v.numpy() for v in network.non_trainable_variables], 0)
    losses = [float(steps.take(part, k, RATE)) for k, part in enumerate(np.split(batches, 2))]
    assert steps.done == STEPS
    return [np.asarray(w) for w in steps.state[0]], float(np.mean(losses))


@pytest.mark.parametrize("frozen", [(), ("first",), ("hidden_2", "last")], ids=str)
@pytest.mark.parametrize("representation", ["measured", "rest_frame"])
def test_steps_are_those_of_keras(spec, plan, training, batches, representation, frozen):
    held, rows = batches
    network = build_network(spec.model_copy(update={"representation": representation}), seed=1)
    for name in frozen:
        network.get_layer(name).trainable = False
    weights = class_weights(training, plan)
    ours, loss = by_us(network, held, rows, weights)
    before = weights_of(network)
    expected = by_keras(network, rows, weights)
    assert loss == pytest.approx(expected, rel=1e-5)
    for found, variable in zip(ours, network.trainable_variables, strict=True):
        np.testing.assert_allclose(found, variable.numpy(), rtol=2e-3, atol=2e-5)
    assert any(not np.array_equal(before[name], after) for name, after in weights_of(network).items())


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import test_steps as shared
import conftest
from exsitu.model.inputs import stars_from_frame
from exsitu.model.network import build_network, weights_of
from exsitu.settings import Network, Plateau, Training
plan = Training(noise="errors", draws_per_star=5, accreted_per_batch=5, accreted_weight=0.2, learning_rate=3e-3,
                plateau=Plateau(factor=0.1, patience=5, floor=1e-6), stop_patience=10, cores=int(sys.argv[3]))
samples = [shared.exact(stars_from_frame(conftest.survey(n, k), "5D", "accreted")) for n, k in ((4000, 1), (1500, 2))]
network = build_network(Network(input_set="5D", representation="measured", hidden=(16, 16)), seed=1)
history = shared.train(network, *samples, plan, max_epochs=2, seed=2)
np.savez(sys.argv[2], losses=history[["loss", "val_loss"]].to_numpy(),
         weights=np.concatenate([w.ravel() for w in weights_of(network).values()]))
"""


@pytest.mark.slow
def test_two_cores_learn_what_one_does_and_the_same_bits_each_time(tmp_path, request):
    # Stars without errors: each core has draws of its own, which are nothing here but the order of sums.
    found = []
    for number, cores in enumerate((1, 2, 2)):
        path = tmp_path / f"{number}.npz"
        subprocess.run([sys.executable, "-c", CHILD, str(request.path.parent), str(path), str(cores)], check=True)
        found.append(np.load(path))
    one, two, again = found
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-3)
    np.testing.assert_array_equal(two["weights"], again["weights"])
    assert not np.array_equal(two["weights"], one["weights"])  # or the second core would have had no part in it


def test_a_batch_is_divided_between_cores_without_rest(plan, training):
    assert schedule(training, plan).batch == 50
    assert schedule(training, plan.model_copy(update={"cores": 3})).batch == 51


def test_more_cores_than_stars_in_a_batch_are_refused(spec, plan, training, validation):
    greedy = plan.model_copy(update={"cores": len(training) + 1})
    with pytest.raises(InputError, match=r"4001 cores for 4000 stars; lower training\.cores"):
        train(build_network(spec, seed=1), training, validation, greedy, max_epochs=1, seed=2)
