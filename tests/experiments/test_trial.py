"""A trial is named by what decides its network, and by nothing else."""

import dataclasses

import pytest

from exsitu.errors import InputError
from exsitu.experiments.trial import Sample, Trial, in_order, trial_key
from exsitu.settings import Settings

SAMPLE = Sample(surveys=("m12i/lsr0",))
START = Trial(sample=SAMPLE)
TRANSFERRED = Trial(sample=Sample(surveys=("m12f/lsr0",)), label="label_zm", start=START, layers=("last",))
DIGESTS = {"m12i/lsr0": "a", "m12i/lsr1": "b", "m12f/lsr0": "c"}


@pytest.fixture(scope="module")
def key(settings: Settings):
    return lambda trial, digests=DIGESTS: trial_key(trial, settings, digests)


CHANGES = {
    "sample": Sample(surveys=("m12i/lsr1",)),
    "input_set": "6D",
    "representation": "rest_frame",
    "label": "label_vm",
    "planing": "v_phi",
    "noise": "none",
    "hidden": (7,),
    "seed": 1,
    "start": START,
    "layers": ("first",),
    "validation": Sample(surveys=("m12i/lsr1",)),
    "validation_label": "label_zm",
    "kind": "trees",
    "flipped": 0.1,
    "stays": True,
}


def test_every_field_of_a_trial_changes_its_key(key):
    assert CHANGES.keys() == {field.name for field in dataclasses.fields(Trial)}
    keys = {name: key(dataclasses.replace(START, **{name: value})) for name, value in CHANGES.items()}
    assert len({key(START), *keys.values()}) == len(keys) + 1


def test_every_field_of_a_sample_changes_the_key(key):
    changes = {"surveys": ("m12i/lsr1",), "filters": ("g<15",), "stars": 9, "split": "particle"}
    assert changes.keys() == {field.name for field in dataclasses.fields(Sample)}
    samples = [dataclasses.replace(SAMPLE, **{name: value}) for name, value in changes.items()]
    assert len({key(Trial(sample=s)) for s in (SAMPLE, *samples)}) == len(samples) + 1


def test_other_data_are_another_trial_even_where_only_the_start_read_them(key):
    assert key(TRANSFERRED) != key(TRANSFERRED, {**DIGESTS, "m12i/lsr0": "changed"})
    assert key(TRANSFERRED) == key(TRANSFERRED, {**DIGESTS, "m12i/lsr1": "changed"})


def test_settings_that_decide_nothing_about_a_network_keep_its_key(settings: Settings):
    seeds = settings.experiments.model_copy(update={"seeds": 7, "jackknife_blocks": 3})
    cuts = settings.evaluation.model_copy(update={"min_selected": 1})
    same = settings.model_copy(update={"experiments": seeds, "evaluation": cuts, "profile": "another"})
    assert trial_key(START, same, DIGESTS) == trial_key(START, settings, DIGESTS)


@pytest.mark.parametrize(
    "change", [{"seed": 3}, {"experiments": {"epochs": 9}}, {"training": {"learning_rate": 0.5}}], ids=str
)
def test_settings_that_decide_a_network_change_its_key(settings: Settings, change: dict):
    told = settings.model_dump()
    for name, value in change.items():
        told[name] = {**told[name], **value} if isinstance(value, dict) else value
    assert trial_key(START, Settings.model_validate(told), DIGESTS) != trial_key(START, settings, DIGESTS)


def test_the_limit_of_epochs_of_transfers_names_transferred_networks_alone(settings: Settings):
    more = settings.experiments.model_copy(update={"transfer_epochs": 77})
    longer = settings.model_copy(update={"experiments": more})
    assert trial_key(START, longer, DIGESTS) == trial_key(START, settings, DIGESTS)
    assert trial_key(TRANSFERRED, longer, DIGESTS) != trial_key(TRANSFERRED, settings, DIGESTS)


def test_a_field_at_its_default_is_not_part_of_the_key():
    assert START.to_json() == {"sample": {"surveys": ["m12i/lsr0"]}}


def test_what_others_go_on_from_comes_first_and_once():
    rounds = in_order([TRANSFERRED, START, dataclasses.replace(TRANSFERRED, label="label_vm")])
    assert rounds[0] == [START]
    assert len(rounds[1]) == 2


def test_another_seed_goes_on_from_a_network_of_that_seed():
    assert TRANSFERRED.with_seed(2).start == START.with_seed(2)


def test_a_network_cannot_go_on_from_one_of_other_inputs():
    with pytest.raises(InputError, match="5D rest_frame cannot go on from one of 5D measured"):
        dataclasses.replace(TRANSFERRED, representation="rest_frame")


def test_networks_of_other_shapes_are_told_apart_by_name():
    assert Trial(sample=SAMPLE, hidden=(100, 100)).says == "5D m12i-lsr0 100-100 seed 0"
