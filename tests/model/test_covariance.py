import dataclasses

import jax
import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.model.blocks import table
from exsitu.model.inputs import Stars, correlated_pairs, stars_from_frame
from exsitu.model.network import build_network, weights_of
from exsitu.model.steps import draw
from exsitu.model.training import train

STATED = {"parallax_pmra_corr": 0.6, "parallax_pmdec_corr": -0.5, "pmra_pmdec_corr": 0.2}


@pytest.fixture
def frame(make_survey):
    return make_survey(300, 3).assign(**STATED)


def with_correlations(stars: Stars, *three: float) -> Stars:
    return dataclasses.replace(stars, correlations=np.tile(np.float32(three), (len(stars), 1)))


def test_pairs_are_those_of_the_inputs_at_hand():
    assert correlated_pairs(("l", "b", "pmra", "pmdec")) == {(3, 2): "pmra_pmdec_corr"}
    assert correlated_pairs(("l", "b", "pmra", "pmdec", "parallax")) == {
        (3, 2): "pmra_pmdec_corr",
        (4, 2): "parallax_pmra_corr",
        (4, 3): "parallax_pmdec_corr",
    }


def drawing(rows, held):
    return np.asarray(jax.jit(lambda stars: draw(stars, held, jax.random.key(3)))(rows))


@pytest.mark.parametrize("input_set", ["4D", "5D", "6D+feh"])
def test_the_covariance_of_the_draws_is_the_stated_one(frame, input_set):
    stars = stars_from_frame(frame, input_set, "accreted", covariance=True, allow_missing_errors=True)
    errors = stars.errors[7].astype(float)
    correlation = np.eye(len(errors))
    for (i, j), name in correlated_pairs(stars.columns).items():
        correlation[i, j] = correlation[j, i] = STATED[name]
    held, n = table(stars.take(np.array([7])), 2), 200_000
    drawn = drawing(np.tile(held.rows(), (n, 1)), held)
    noise = drawn.astype(float) - stars.values[7]
    exact = errors == 0
    np.testing.assert_array_equal(noise[:, exact], 0.0)
    scaled = np.cov(noise[:, ~exact].T) / np.outer(errors[~exact], errors[~exact])
    np.testing.assert_allclose(scaled, correlation[np.ix_(~exact, ~exact)], atol=5 * 2**0.5 / n**0.5)


def test_correlations_of_zero_give_the_bits_of_uncorrelated_errors(spec, plan, training, validation, trained):
    network = build_network(spec, seed=1)
    samples = [with_correlations(stars, 0, 0, 0) for stars in (training, validation)]
    np.testing.assert_array_equal(samples[0].factor()[0], training.errors)
    rows = [table(stars, 2) for stars in (training, samples[0])]
    drawn = [drawing(held.rows(), held) for held in rows]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    history = train(network, *samples, plan, max_epochs=3, seed=2)
    np.testing.assert_allclose(history["val_loss"], trained.history["val_loss"], rtol=0.02)


def test_a_training_draws_from_the_covariance(spec, plan, training, validation):
    losses, networks = [], []
    for samples in ((training, validation), [with_correlations(s, 0.9, -0.3, -0.3) for s in (training, validation)]):
        networks.append(build_network(spec, seed=1))
        losses.append(train(networks[-1], *samples, plan, max_epochs=1, seed=2)["loss"].item())
    assert losses[0] != losses[1]
    plain, full = (weights_of(network)["first/kernel"] for network in networks)
    assert not np.array_equal(plain, full)


def test_a_covariance_that_is_not_positive_definite_is_refused_with_the_count(frame):
    frame.loc[[3, 5], "pmra_pmdec_corr"] = 1.0
    frame.loc[8, ["parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr"]] = 0.9, 0.9, -0.9
    with pytest.raises(InputError, match=r"covariance of the errors is not positive definite in 3 of 300 stars"):
        stars_from_frame(frame, "5D", "accreted", covariance=True)
    stars_from_frame(frame, "5D", "accreted")  # nobody asked for it


def test_a_correlation_that_is_missing_is_refused_unless_errors_may_be_missing(frame):
    with pytest.raises(InputError, match="no column 'parallax_pmra_corr'"):
        stars_from_frame(frame.drop(columns="parallax_pmra_corr"), "5D", "accreted", covariance=True)
    frame.loc[4, "parallax_pmra_corr"] = np.nan
    with pytest.raises(InputError, match="not positive definite in 1 of 300"):
        stars_from_frame(frame, "5D", "accreted", covariance=True)
    stars = stars_from_frame(frame, "5D", "accreted", covariance=True, allow_missing_errors=True)
    np.testing.assert_array_equal(stars.take(np.array([4])).correlations, np.float32([[0.2, 0.0, -0.5]]))


def test_samples_drawn_in_different_ways_are_refused(spec, plan, training, validation):
    with pytest.raises(InputError, match="training stars have correlations, validation stars none"):
        train(build_network(spec, seed=1), with_correlations(training, 0, 0, 0), validation, plan, max_epochs=1, seed=2)
