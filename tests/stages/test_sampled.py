"""Stars of several viewpoints in one sample: each teaches and is scored under its own Sun, and no model keeps that."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from star_makers import measured_stars

from exsitu.errors import InputError
from exsitu.model.inputs import input_columns, values_from_frame
from exsitu.model.network import ModelCard, build_network, load_model, rebuilt, save_model, seen_from, weights_of
from exsitu.model.scoring import network_scores
from exsitu.phase_space import SOLAR_MOTION, SolarFrame
from exsitu.phase_space import frame as solar_frame
from exsitu.samples import sun_of, with_sun
from exsitu.settings import load_settings
from exsitu.stages.learning import Sample, carry_over, labelled_stars
from exsitu.stages.sampled import sample_scores, told_of_suns

VIEWPOINTS = ("m12i/lsr0", "m12i/lsr2")


@pytest.fixture(scope="module")
def stacked():
    frames = [with_sun(measured_stars(600, seed), solar_frame(name)) for seed, name in enumerate(VIEWPOINTS)]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def card():
    found = ModelCard("5D", "rest_frame", (8, 8), dict.fromkeys(input_columns("5D"), (-400.0, 400.0)))
    return seen_from(found, solar_frame("m12f/lsr1"))


def test_the_sun_of_a_sample_is_that_of_the_frame_it_was_measured_in():
    for name in (*VIEWPOINTS, "milky_way"):
        assert dataclasses.replace(
            sun_of(with_sun(measured_stars(3, 1), solar_frame(name))), source=""
        ) == dataclasses.replace(solar_frame(name), source="")


def test_a_sample_without_a_sun_or_with_suns_at_two_places_is_refused(stacked):
    with pytest.raises(InputError, match=r"do not say from where they are seen \(z_sun_kpc\); run `exsitu prepare`"):
        sun_of(stacked.drop(columns="z_sun_kpc"))
    elsewhere = with_sun(measured_stars(3, 1), SolarFrame(8.0, 0.0, (0.0, 220.0, 0.0), "test"))
    with pytest.raises(InputError, match=r"seen from 2 places .*8\.2.*8\.0.*take the representation measured"):
        sun_of(pd.concat([stacked, elsewhere]))


def test_each_star_of_a_sample_is_scored_under_its_own_sun(stacked, card):
    network = build_network(card, seed=3)
    found = sample_scores(network, card, stacked)
    for name, rows in zip(VIEWPOINTS, (slice(0, 600), slice(600, None)), strict=True):
        here = seen_from(card, solar_frame(name))
        values = values_from_frame(stacked.iloc[rows], here.inputs)
        np.testing.assert_allclose(found[rows], network_scores(rebuilt(network, here), values), atol=1e-6)
    of_one = seen_from(card, solar_frame(VIEWPOINTS[0]))
    as_one = network_scores(rebuilt(network, of_one), values_from_frame(stacked, of_one.inputs))
    assert np.abs(found[600:] - as_one[600:]).max() > 1e-4


def test_a_network_of_measured_inputs_asks_for_no_sun(stacked):
    plain = ModelCard("5D", "measured", (8, 8), dict.fromkeys(input_columns("5D"), (-400.0, 400.0)))
    network = build_network(plain, seed=3)
    bare = stacked.drop(columns=[*SOLAR_MOTION, "r_sun_kpc", "z_sun_kpc"])
    np.testing.assert_array_equal(
        sample_scores(network, plain, bare), network_scores(network, values_from_frame(bare, plain.inputs))
    )
    assert told_of_suns(plain, bare) is plain


@pytest.mark.parametrize("variant", ["none", "vm_last"])
def test_what_is_carried_over_is_kept_with_plain_inputs_under_the_new_surveys_sun(
    repository, stacked, card, variant, tmp_path
):
    settings = load_settings(repository / "params.yaml")
    settings = settings.model_copy(update={"epochs": settings.epochs.model_copy(update={"transfer": 2})})
    labelled = with_sun(measured_stars(2000, 5), solar_frame("milky_way"))
    sample = Sample(labelled, with_sun(measured_stars(500, 6), solar_frame("milky_way")), digest="0" * 64)
    before = build_network(card, seed=3)
    first = weights_of(before)["first/kernel"]
    network, told, history = carry_over(
        settings, before, card, variant, sample, stage="adapt", output=tmp_path / "m", progress=False
    )
    assert len(history) == (0 if variant == "none" else 2)
    assert told.inputs == input_columns("5D")
    assert told.constants["v_sun_kms"] == list(solar_frame("milky_way").v_sun_kms)
    assert told.constants["z_sun_kpc"] == solar_frame("milky_way").z_sun_kpc
    np.testing.assert_array_equal(weights_of(network)["first/kernel"], first)
    save_model(tmp_path / "m", network, told)
    again, card_again = load_model(tmp_path / "m")
    np.testing.assert_array_equal(sample_scores(again, card_again, labelled), sample_scores(network, told, labelled))


def test_stars_of_a_sample_bring_their_suns_to_the_training(repository, stacked, card):
    settings = load_settings(repository / "params.yaml")
    told = told_of_suns(card, stacked)
    training, _ = labelled_stars(settings, Sample(stacked, stacked, digest=""), told, "label_vm")
    assert training.columns == (*SOLAR_MOTION, *input_columns("5D"))
    assert not training.errors[:, :3].any()
    for row, name in ((0, VIEWPOINTS[0]), (-1, VIEWPOINTS[1])):
        (star,) = training.take(np.array([row])).values  # noqa: PD011 - not a table's
        np.testing.assert_allclose(star[:3], solar_frame(name).v_sun_kms, rtol=1e-6)
