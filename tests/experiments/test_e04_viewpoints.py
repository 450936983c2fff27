"""Networks of one viewpoint, of another and of pairs are set side by side on stars of a third."""

import pandas as pd
import pytest

from exsitu.errors import SettingsError
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment
from exsitu.settings import Settings

AT = "efficiency_accreted_at_1pct"
PANELS = {"LSR1": ("LSR1", "LSR0 + LSR2", "LSR2", "LSR0"), "LSR2": ("LSR2", "LSR0 + LSR1", "LSR1", "LSR0")}


def tables(own: float = 0.55, pair: float = 0.435, other: float = 0.45, first: float = 0.40) -> dict[str, pd.DataFrame]:
    """Numbers as one reads them off Fig. 6, the same on both viewpoints."""
    networks, differences, ratios, alike = [], {}, {}, {}
    for tested, labels in PANELS.items():
        at = dict(zip(labels, (own, pair, other, first), strict=True))
        local, both, *single = labels
        networks += [{"row": f"{n} on {tested}", "name": n, "group": tested, AT: v} for n, v in at.items()]
        differences |= {f"{local} less {n}, on {tested}": at[local] - at[n] for n in (both, *single)}
        differences[f"{single[0]} less {single[1]}, on {tested}"] = at[single[0]] - at[single[1]]
        differences[f"{both} less the middle of its members, on {tested}"] = pair - (other + first) / 2
        ratios |= {f"{n} over {local}, on {tested}": at[n] / at[local] for n in (both, *single)}
        ratios[f"{both} over {single[1]}, on {tested}"] = pair / first
        alike |= {f"{n}, {tested}": 0.003 + 0.001 * i for i, n in enumerate(single)}
    return {
        "networks": pd.DataFrame(networks),
        "differences": pd.DataFrame({"name": list(differences), AT: list(differences.values()), f"{AT}_error": 0.001}),
        "ratios": pd.DataFrame({"name": list(ratios), "ratio": list(ratios.values()), "ratio_error": 0.001}),
        "alike": pd.DataFrame({"name": list(alike), "sum_chi2": list(alike.values()), "sum_chi2_error": 0.0001}),
    }


def failed(**changes: float) -> set[str]:
    return {c.statement for c in experiment("E4").claims(tables(**changes)) if c.verdict == Verdict.FAILS}


def test_the_papers_numbers_are_its_findings():
    claims = experiment("E4").claims(tables())
    assert [c.verdict for c in claims] == [Verdict.HOLDS] * 10
    assert claims[4].here == "8.75 ± 0.10 % of ε_A at ε_I = 1 %"


def test_what_another_viewpoint_teaches_is_held_against_how_near_its_stars_are():
    assert experiment("E4").claims(tables(other=0.38))[2].why == (
        "in Σχ² of velocities, LSR1's accreted stars lie 0.300 ± 0.010 ×10⁻² from LSR2's and 0.400 ± 0.010 ×10⁻² from "
        "LSR0's"
    )


@pytest.mark.parametrize(
    ("change", "statement"),
    [
        ({"own": 0.44}, "on LSR1 the network that learnt there is best"),
        ({"first": 0.2}, "on LSR2 every other network holds up"),
        ({"other": 0.38}, "on LSR1 the LSR2 network does better than the LSR0 one"),
        ({"pair": 0.41}, "on LSR2 the pair is nearer to the better of its members"),
        ({"pair": 0.39}, "on LSR1 the pair gains over LSR0"),
    ],
    ids=str,
)
def test_another_number_is_another_finding(change, statement):
    assert statement in failed(**change)


def test_networks_learn_from_each_viewpoint_and_from_the_pairs(settings):
    trials = experiment("E4").trials(settings)
    assert set(trials) == {name for labels in PANELS.values() for name in labels}
    assert trials["LSR0 + LSR2"].sample.surveys == ("m12i/lsr0", "m12i/lsr2")


def test_a_galaxy_of_two_viewpoints_is_refused_with_the_remedy(settings):
    told = settings.model_dump()
    told["data"]["pretraining"]["viewpoints"] = [0, 1]
    with pytest.raises(SettingsError, match=r"has 2 viewpoints \(m12i/lsr0, m12i/lsr1\).*at least 3"):
        experiment("E4").trials(Settings.model_validate(told))


@pytest.mark.long
def test_on_mocks_differences_and_ratios_are_those_of_the_numbers(room):
    found = room("E4")
    at = found["networks"].set_index("row")[AT]
    assert list(at.index) == [f"{name} on {tested}" for tested, labels in PANELS.items() for name in labels]
    difference = found["differences"].set_index("name").loc["LSR2 less LSR0, on LSR1", AT]
    assert difference == pytest.approx(at["LSR2 on LSR1"] - at["LSR0 on LSR1"], abs=1e-6)
    ratio = found["ratios"].set_index("name").loc["LSR0 + LSR1 over LSR0, on LSR2", "ratio"]
    assert ratio == pytest.approx(at["LSR0 + LSR1 on LSR2"] / at["LSR0 on LSR2"], rel=1e-6)
    paper = found["networks"].set_index("row")[f"paper_{AT}"].dropna()
    assert paper.to_dict() == {"LSR0 on LSR1": 0.40, "LSR0 on LSR2": 0.34}


@pytest.mark.long
def test_on_mocks_viewpoints_are_as_far_apart_from_either_side(room):
    alike = room("E4")["alike"].set_index("name")["sum_chi2"]
    assert list(alike.index) == ["LSR0, LSR1", "LSR2, LSR1", "LSR0, LSR2", "LSR1, LSR2"]
    assert alike["LSR2, LSR1"] == pytest.approx(alike["LSR1, LSR2"])
    assert (alike > 0).all()
