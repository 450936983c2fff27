"""Trees and networks learn from the same stars, and are measured alike."""

import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment
from exsitu.experiments.scoring import SCORERS
from exsitu.experiments.training import TRAINERS, train_trial
from exsitu.experiments.trial import Sample, Trial

AT = "efficiency_accreted_at_1pct"
ROWS = [f"{r} on {s}" for s in ("m12i/lsr0", "m12f/lsr0", "m12f/lsr1") for r in ("measured", "rest_frame")]


def verdicts(changes: dict[str, float] | None = None) -> list[Verdict]:
    gains = dict.fromkeys(ROWS, 0.05) | (changes or {})
    rows = {f"network less trees, {name}": value for name, value in gains.items()}
    differences = pd.DataFrame({"name": list(rows), AT: list(rows.values()), f"{AT}_error": 0.01})
    return [claim.verdict for claim in experiment("E15").claims({"differences": differences})]


def test_networks_that_do_better_everywhere_are_the_papers_finding():
    assert verdicts() == [Verdict.HOLDS] * 6


def test_trees_that_do_better_somewhere_contradict_it_there():
    found = verdicts({"rest_frame on m12f/lsr0": -0.05, "measured on m12i/lsr0": 0.005})
    assert [i for i, v in enumerate(found) if v == Verdict.FAILS] == [ROWS.index("rest_frame on m12f/lsr0")]
    assert found[0] == Verdict.OPEN


def test_trees_learn_what_the_network_learns_and_the_network_is_that_of_others(settings):
    trials, e22 = (experiment(name).trials(settings) for name in ("E15", "E22"))
    for representation in ("measured", "rest_frame"):
        network, trees = (trials[f"{representation}: {kind}"].to_json() for kind in ("network", "trees"))
        assert trees == network | {"kind": "trees"}
        assert trials[f"{representation}: network"] == e22[f"{representation}: one viewpoint"]


def test_every_kind_that_is_trained_can_score():
    assert TRAINERS.keys() == SCORERS.keys()


def test_trees_that_are_to_go_on_from_a_network_are_refused(settings, data, tmp_path):
    start = Trial(sample=Sample(surveys=("m12i/lsr0",)))
    with pytest.raises(InputError, match="go on from nothing"):
        train_trial(Trial(sample=start.sample, kind="trees", start=start), settings, data, tmp_path)


@pytest.mark.long
def test_on_mocks_both_kinds_are_measured_on_three_surveys(room):
    found = room("E15")
    numbers = found["networks"].set_index("row")
    assert list(numbers.index) == [f"{kind}, {name}" for name in ROWS for kind in ("network", "trees")]
    assert (numbers.loc[[n for n in numbers.index if n.startswith("trees") and "m12i" in n], "auc"] > 0.8).all()
    sizes = found["sizes"].set_index("name")
    assert (sizes["training_stars"] == sizes["training_stars"].iloc[0]).all()
    gap = found["differences"].set_index("name").loc["network less trees, measured on m12f/lsr1", "auc"]
    on = "measured on m12f/lsr1"
    assert gap == pytest.approx(numbers.loc[f"network, {on}", "auc"] - numbers.loc[f"trees, {on}", "auc"], abs=1e-6)
