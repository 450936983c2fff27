"""Ensembles are made of networks of several seeds, and what they gain is counted against the mean single one."""

import numpy as np
import pandas as pd
import pytest

from exsitu.evaluation.estimates import Estimate
from exsitu.experiments import e19_ensembles
from exsitu.experiments.e19_ensembles import groups
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment

AT = "efficiency_accreted_at_1pct"
SURVEYS = ("m12i/lsr0", "m12f/lsr0")


def verdicts(*gains: float) -> list[Verdict]:
    rows = [
        {"name": f"{n} on {s}", "group": s, "networks": n, AT: gain if n == 5 else 0.0, f"{AT}_error": 0.002}
        for s, gain in zip(SURVEYS, gains, strict=True)
        for n in range(2, 6)
    ]
    return [claim.verdict for claim in experiment("E19").claims({"gains": pd.DataFrame(rows)})]


def test_a_small_gain_everywhere_is_what_prototypes_found():
    assert verdicts(0.01, 0.008) == [Verdict.HOLDS] * 4


def test_another_number_is_another_finding():
    assert verdicts(-0.01, 0.01) == [Verdict.FAILS, Verdict.HOLDS, Verdict.HOLDS, Verdict.HOLDS]
    assert verdicts(0.01, 0.1) == [Verdict.HOLDS, Verdict.HOLDS, Verdict.HOLDS, Verdict.FAILS]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_every_network_is_in_as_many_ensembles(size):
    found = groups(5, size)
    assert len(set(map(frozenset, found))) == len(found) == (5 if size < 5 else 1)
    assert all(len(set(group)) == size for group in found)
    assert len(set(np.bincount(np.ravel(found), minlength=5))) == 1


def test_the_error_of_a_gain_counts_stars_and_networks():
    single = Estimate(np.array([0.1, 0.2, 0.3, 0.2]), np.zeros((4, 2)))
    gain = Estimate(np.array([0.05]), np.array([[0.04, 0.06]]))
    row = e19_ensembles._row(gain, single, "auc")
    assert row["auc"] == 0.05
    assert row["auc_error"] == pytest.approx(np.hypot(gain.sampling_error, single.spread / 2.0))


def test_it_asks_for_five_networks_of_the_pretraining_others_share_and_keeps_to_more(settings):
    e19, e6 = experiment("E19"), experiment("E6")
    assert e19.trials(settings)["pretrained"] == e6.trials(settings)["none"]
    assert e19.seeded(settings).experiments.seeds == 5
    assert e6.seeded(settings).experiments.seeds == settings.experiments.seeds
    more = settings.model_copy(update={"experiments": settings.experiments.model_copy(update={"seeds": 7})})
    assert e19.seeded(more).experiments.seeds == 7


@pytest.mark.long
def test_on_mocks_five_networks_are_trained_and_the_ensemble_is_one_number(room):
    found = room("E19")
    table = found["ensembles"].set_index("name")
    assert list(table.index) == [f"{n} on {s}" for s in SURVEYS for n in range(1, 6)]
    assert (table.loc["1 on m12i/lsr0", "auc_spread"]) > 0.0
    assert np.isnan(table.loc["5 on m12i/lsr0", "auc_spread"])
    gains = found["gains"].set_index("name")
    for name in gains.index:
        single = table.loc[f"1 on {name.split(' on ')[1]}", "auc"]
        assert gains.loc[name, "auc"] == pytest.approx(table.loc[name, "auc"] - single, abs=1e-6)
