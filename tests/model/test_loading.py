"""A model's folder is loaded once, and anew when it holds another model."""

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.model.loading import open_scorer
from exsitu.model.network import CARD, WEIGHTS, build_network, save_model
from exsitu.model.scoring import Scorer

LIMIT = 0.1


def test_scores_are_those_of_the_network_that_was_saved(saved, trained, make_survey):
    stars = make_survey(100, 3)
    expected = Scorer(trained.network, trained.card, max_fractional_parallax_error=LIMIT).score(stars)
    found = open_scorer(saved, max_fractional_parallax_error=LIMIT).score(stars)
    np.testing.assert_array_equal(found, expected)


def test_a_folder_is_loaded_once(saved):
    first = open_scorer(saved, max_fractional_parallax_error=LIMIT)
    assert open_scorer(saved, max_fractional_parallax_error=LIMIT) is first
    assert open_scorer(saved, max_fractional_parallax_error=2 * LIMIT) is not first
    assert open_scorer(saved, max_fractional_parallax_error=LIMIT, require_errors=False) is not first


def test_another_model_in_the_folder_is_loaded_anew(saved, trained, spec, make_survey):
    before = open_scorer(saved, max_fractional_parallax_error=LIMIT)
    save_model(saved, build_network(spec, seed=5), trained.card)
    after = open_scorer(saved, max_fractional_parallax_error=LIMIT)
    assert after.card.weights_sha256 != before.card.weights_sha256
    stars = make_survey(100, 3)
    assert (after.score(stars)["score"] != before.score(stars)["score"]).any()


def test_a_model_that_was_loaded_is_refused_once_its_file_was_changed(saved):
    digest = open_scorer(saved, max_fractional_parallax_error=LIMIT).card.weights_sha256
    with pytest.raises(InputError, match="expected 000"):
        open_scorer(saved, max_fractional_parallax_error=LIMIT, weights_sha256="0" * 64)
    (saved / WEIGHTS).write_bytes((saved / WEIGHTS).read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=digest[:12]):
        open_scorer(saved, max_fractional_parallax_error=LIMIT)


@pytest.mark.parametrize("name", [CARD, WEIGHTS])
def test_a_folder_without_one_of_its_files_is_refused(saved, name):
    open_scorer(saved, max_fractional_parallax_error=LIMIT)
    (saved / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        open_scorer(saved, max_fractional_parallax_error=LIMIT)
