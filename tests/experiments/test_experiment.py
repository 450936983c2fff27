"""Findings are decided by numbers and their errors; every experiment has the one shape."""

import math

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import SettingsError
from exsitu.experiments.experiment import Verdict, above, cell, near
from exsitu.experiments.registry import EXPERIMENTS, chosen, experiment
from exsitu.experiments.trial import Trial


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [
        (0.05, 0.01, Verdict.HOLDS),
        (0.015, 0.01, Verdict.OPEN),
        (-0.015, 0.01, Verdict.OPEN),
        (-0.05, 0.01, Verdict.FAILS),
        (math.nan, 0.01, Verdict.OPEN),
    ],
)
def test_a_difference_counts_beyond_two_errors(value, error, verdict):
    assert above("a beats b", value, error, paper="it does").verdict == verdict


@pytest.mark.parametrize(("value", "verdict"), [(-0.09, Verdict.HOLDS), (0.11, Verdict.OPEN), (-0.13, Verdict.FAILS)])
def test_closeness_fails_only_beyond_the_error(value, verdict):
    assert near("a is close to b", value, 0.01, paper="close", within=0.1).verdict == verdict


def test_a_reason_stands_only_with_what_does_not_hold():
    claims = [above("a beats b", value, 0.1, paper="it does", why="few stars") for value in (1.0, -1.0)]
    assert [claim.why for claim in claims] == ["", "few stars"]


def test_a_claim_tells_its_number_with_error_and_unit():
    claim = above("a beats b", 0.12345, 0.01, paper="it does", unit="in AUC")
    assert claim.here == "0.123 ± 0.010 in AUC"
    assert above("a beats b", math.nan, 0.0, paper="it does").here == "not measured"


def test_a_cell_comes_with_its_error_or_without():
    table = pd.DataFrame({"name": ["a", "b"], "auc": [0.1, 0.2], "auc_error": [0.01, 0.02], "cut": [0.5, 0.6]})
    assert cell(table, "b", "auc") == (0.2, 0.02)
    assert cell(table, "a", "cut") == (0.5, 0.0)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_the_one_shape(settings, name):
    found = experiment(name)
    assert found.name == name
    assert found.title
    assert found.source
    assert found.finding.endswith(".")
    trials = found.trials(settings)
    assert all(isinstance(trial, Trial) and trial.seed == 0 for trial in trials.values())
    assert trials or found.surveys(settings)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_trial_learns_labels_that_an_observer_could_not_give(settings, name):
    """Truth of the target galaxy is for oracles, which say so in their name."""
    target = set(settings.data.target.surveys)
    for label, trial in experiment(name).trials(settings).items():
        if trial.label == "accreted" and target & set(trial.surveys):
            assert "truth" in label


def test_experiments_that_ask_for_the_same_network_share_it(settings):
    e6, e22 = (experiment(name).trials(settings) for name in ("E6", "E22"))
    assert all(e22[f"measured: {name}"] == trial for name, trial in e6.items())


def test_experiments_come_once_in_the_order_of_the_report():
    assert [e.name for e in chosen(("E6", "e1", "E6"))] == ["E1", "E6"]
    assert [e.name for e in chosen(("all",))] == list(EXPERIMENTS)


def test_an_unknown_experiment_is_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match=r"no experiment 'E99'.*known: E1, E2"):
        chosen(("E99",))


def test_dvc_knows_every_experiment(repository):
    import yaml

    told = yaml.safe_load((repository / "experiments" / "dvc.yaml").read_text(encoding="utf-8"))
    assert told["stages"]["experiment"]["foreach"] == list(EXPERIMENTS)
    assert told["metrics"] == [f"../build/experiments/{name}/metrics.json" for name in EXPERIMENTS]


def test_claims_of_e6_follow_from_its_tables():
    claims = experiment("E6").claims
    names = [f"{label} {layers}" for label in ("VM", "ZM") for layers in ("first", "last", "first + last")]
    chi2 = dict(zip(("none", *names), (1.07, 2.13, 1.20, 2.28, 1.04, 1.02, 1.03), strict=True))

    def verdicts(found: dict[str, float]) -> list[Verdict]:
        rows = {
            f"VM less ZM, {layers}": found[f"VM {layers}"] - found[f"ZM {layers}"]
            for layers in ("first", "last", "first + last")
        }
        rows |= {f"{n} less ZM last": v - found["ZM last"] for n, v in found.items() if n != "ZM last"}
        differences = pd.DataFrame(
            {"name": list(rows), "sum_chi2": np.array(list(rows.values())) / 100, "sum_chi2_error": 1e-5}
        )
        variants = pd.DataFrame({"name": list(found), "sum_chi2": list(found.values()), "cut": 0.75})
        sizes = pd.DataFrame({"name": ["VM last", "ZM last"], "training_accreted": [9000, 500]})
        labels = pd.DataFrame({"name": ["VM", "ZM"], "purity": [0.3, 0.5], "sum_chi2": [0.02, 0.01]})
        labels = labels.assign(purity_error=0.01, sum_chi2_error=0.001)
        tables = {"differences": differences, "variants": variants, "sizes": sizes, "labels": labels}
        failed = [claim for claim in claims(tables) if claim.verdict == Verdict.FAILS and claim.why.startswith("VM")]
        assert all("ZM labels 500 stars, 50.0 ± 1.0 % of its stars are accreted" in claim.why for claim in failed)
        return [claim.verdict for claim in claims(tables)]

    assert verdicts(chi2) == [Verdict.HOLDS] * 5
    swapped = {**chi2, "ZM last": 1.30}
    assert verdicts(swapped) == [Verdict.HOLDS, Verdict.FAILS, Verdict.HOLDS, Verdict.FAILS, Verdict.HOLDS]
