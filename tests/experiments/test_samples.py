"""Parts never mix, samples nest, and all of it is fixed by the seed."""

import dataclasses
import itertools

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.experiments.samples import FILTERS, PARTS, SPLITS, Surveys, cut_into_parts, particle_blocks
from exsitu.experiments.trial import Sample

SURVEY = "m12i/lsr0"


@pytest.fixture(scope="module")
def surveys(settings, data, kept) -> Surveys:
    return Surveys(settings, data, kept)


@pytest.mark.parametrize("split", SPLITS)
def test_no_star_is_in_two_parts_and_none_is_lost(surveys, split):
    rows = [surveys.rows(SURVEY, part, split=split) for part in PARTS]
    np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(len(surveys.stars(SURVEY))))


def test_no_test_star_is_in_the_training_sample_of_any_trial(surveys):
    tested = set(surveys.part(SURVEY, "test")["source_id"])
    for filters in itertools.chain.from_iterable(itertools.combinations(FILTERS, n) for n in range(3)):
        for stars in (10, 500, 10**9):
            sample = Sample(surveys=(SURVEY,), filters=filters)
            for part in ("training", "validation"):
                assert tested.isdisjoint(surveys.drawn(sample, part, stars)[SURVEY]["source_id"])


def test_no_star_particle_is_in_two_parts_of_a_split_by_particle(surveys):
    parents = [set(surveys.part(SURVEY, part, split="particle")["parentid"]) for part in PARTS]
    assert all(a.isdisjoint(b) for a, b in itertools.combinations(parents, 2))


def test_a_split_by_star_shares_particles(surveys):
    parents = [set(surveys.part(SURVEY, part)["parentid"]) for part in PARTS]
    assert not parents[0].isdisjoint(parents[2])


def test_parts_have_the_shares_asked_for(surveys, settings):
    n_stars, shares = len(surveys.stars(SURVEY)), settings.experiments
    assert abs(len(surveys.rows(SURVEY, "test")) - shares.test_share * n_stars) <= 1
    assert abs(len(surveys.rows(SURVEY, "validation")) - shares.validation_share * n_stars) <= 1


def test_a_part_is_the_same_in_every_process(settings, data, kept, surveys, tmp_path):
    again = Surveys(settings, data, tmp_path)
    np.testing.assert_array_equal(again.rows(SURVEY, "test"), surveys.rows(SURVEY, "test"))
    assert again.part(SURVEY, "test").equals(surveys.part(SURVEY, "test"))


def test_another_seed_makes_other_parts(settings, data, tmp_path, surveys):
    other = Surveys(settings.model_copy(update={"seed": settings.seed + 1}), data, tmp_path)
    assert set(other.rows(SURVEY, "test")) != set(surveys.rows(SURVEY, "test"))


def test_a_smaller_sample_is_part_of_a_larger_one(surveys):
    sample = Sample(surveys=(SURVEY,), filters=("radial_velocity",))
    small, large = (set(surveys.drawn(sample, "training", n)[SURVEY]["source_id"]) for n in (100, 300))
    assert len(small) == 100
    assert small < large


def test_a_sample_holds_only_what_passes_its_filters(surveys):
    sample = Sample(surveys=(SURVEY,), filters=("radial_velocity", "g<15"))
    drawn = surveys.drawn(sample, "training", 10**9)[SURVEY]
    assert drawn["radial_velocity"].notna().all()
    assert (drawn["phot_g_mean_mag"] < 15.0).all()
    assert 0 < len(drawn) < len(surveys.rows(SURVEY, "training"))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"filters": ("bright",)}, "'bright' is none of"), ({"split": "galaxy"}, "'galaxy' is none of")],
)
def test_an_unknown_filter_or_split_is_refused_with_the_known_ones(surveys, change, words):
    with pytest.raises(InputError, match=words):
        surveys.drawn(dataclasses.replace(Sample(surveys=(SURVEY,)), **change), "training", 10)


def test_a_missing_survey_says_what_to_run(surveys):
    with pytest.raises(InputError, match="run `exsitu data`"):
        surveys.digest("m12x/lsr0")


def test_groups_larger_than_a_part_go_somewhere_whole():
    together = np.repeat([0, 1, 2], [10, 1, 1])
    parts = cut_into_parts(together, {"test": 0.5, "validation": 0.2}, np.random.default_rng(1))
    assert len(set(parts[:10])) == 1


def test_stars_of_a_particle_share_a_jackknife_block_and_blocks_are_alike():
    parents = np.repeat(np.arange(1000), 3)
    blocks = particle_blocks(parents, 10)
    assert all(len(set(blocks[i : i + 3])) == 1 for i in range(0, len(blocks), 3))
    assert np.ptp(np.bincount(blocks)) <= 3
