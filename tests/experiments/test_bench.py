"""A network is measured on stars it has not learnt from, and refuses others before anything is loaded."""

import dataclasses

import pytest

from exsitu.errors import InputError
from exsitu.experiments.bench import Bench
from exsitu.experiments.samples import Surveys
from exsitu.experiments.trial import Sample, Trial
from exsitu.provenance import write_json

HERE, THERE = "m12i/lsr0", "m12i/lsr1"
BY_STAR = Trial(sample=Sample(surveys=(HERE,)))
BY_PARTICLE = Trial(sample=Sample(surveys=(HERE,), split="particle"))
TRIALS = {
    "learnt": BY_STAR,
    "goes on": dataclasses.replace(BY_STAR, sample=Sample(surveys=(THERE,)), start=BY_STAR, layers=("last",)),
    "stopped": dataclasses.replace(BY_STAR, sample=Sample(surveys=(THERE,)), validation=Sample(surveys=(HERE,))),
    "apart": BY_PARTICLE,
}


@pytest.fixture(scope="module")
def bench(settings, data, tmp_path_factory) -> Bench:
    kept = tmp_path_factory.mktemp("untrained")
    return Bench(settings, Surveys(settings, data, kept), kept, TRIALS)


@pytest.mark.parametrize("label", ["learnt", "goes on", "stopped"])
@pytest.mark.parametrize("measure", ["scores", "judge", "roc", "scan"])
def test_stars_of_another_split_than_a_network_learnt_by_are_refused(bench, measure, label):
    with pytest.raises(InputError, match=f"{label} learnt from {HERE} split by star;.*split='star'"):
        getattr(bench, measure)(label, HERE, split="particle")


def test_the_split_it_learnt_by_and_surveys_it_never_saw_are_not_refused(bench):
    for label, survey, split in (("learnt", HERE, "star"), ("learnt", THERE, "particle"), ("apart", HERE, "particle")):
        with pytest.raises(InputError, match="no model in"):  # nothing is trained here: it came as far as the weights
            bench.scores(label, survey, split=split)


def test_stars_that_teach_are_never_measured_and_those_that_stop_a_training_only_by_its_split(bench):
    with pytest.raises(InputError, match="training stars of m12i/lsr0 are for learning from"):
        bench.scores("learnt", HERE, part="training")
    with pytest.raises(InputError, match="split='star'"):
        bench.scores("learnt", HERE, split="particle", part="validation")
    with pytest.raises(InputError, match="no model in"):
        bench.scores("learnt", HERE, part="validation")


def test_networks_that_ended_by_the_limit_of_epochs_are_told(settings, data, tmp_path):
    bench = Bench(settings, Surveys(settings, data, tmp_path), tmp_path, TRIALS)
    fresh, transferred = settings.experiments.epochs, settings.experiments.transfer_epochs
    ran = {"learnt": fresh, "goes on": transferred, "stopped": fresh - 1, "apart": fresh}

    def cut_short(epochs: dict[str, int]) -> str:
        for label, number in epochs.items():
            for folder in bench.folders(label):
                folder.mkdir(parents=True, exist_ok=True)
                write_json(folder / "trial.json", {"epochs": number})
        return bench.cut_short()

    seeds = settings.experiments.seeds
    assert fresh != transferred
    assert cut_short(ran) == (
        f"of {4 * seeds} networks the limit, not their validation loss, ended {2 * seeds} after {fresh} epochs, "
        f"{seeds} after {transferred} epochs"
    )
    assert cut_short(dict.fromkeys(ran, 1)) == ""
