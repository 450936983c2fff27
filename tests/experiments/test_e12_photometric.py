"""The photometric network is followed from viewpoints to the catalog, and findings follow from the tables."""

import numpy as np
import pandas as pd
import pytest

from exsitu.experiments.e12_photometric import disc_like
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.milky_way import SPECTRA
from exsitu.experiments.registry import experiment


def tables(**changes: float) -> dict[str, pd.DataFrame]:
    """As the paper's App. C has it, with changes."""
    found = {"gain": 1.08, "rival": 2e-4, "cut": 0.9, "validated": 0.42, "ratio": 0.5, "disc": 0.2} | changes
    compared = {
        "stars selected: 5D+phot over 5D": found["ratio"],
        "disc-like share of the selected: 5D+phot less 5D": found["disc"],
    }
    return {
        "gain": pd.DataFrame({"name": ["pair over single"], "ratio": [found["gain"]], "ratio_error": [0.005]}),
        "differences": pd.DataFrame(
            {"name": ["none less ZM last", "ZM first less ZM last"], "sum_chi2": [0.01, found["rival"]]}
        ).assign(sum_chi2_error=5e-5),
        "variants": pd.DataFrame({"name": ["ZM last"], "cut": found["cut"], "purity": 0.41, "purity_error": 0.01}),
        "validation": pd.DataFrame({"name": ["best cut"], "purity": [found["validated"]], "purity_error": [0.01]}),
        "compared": pd.DataFrame({"name": list(compared), "value": list(compared.values()), "value_error": 0.02}),
        "catalog": pd.DataFrame(
            {
                "name": ["5D+phot, best cut", "5D, best cut"],
                "disc_like_share": [0.3, 0.1],
                "purity": [60.0, 30.0],
            }
        ),
    }  # fmt: skip


def verdicts(**changes: float) -> list[Verdict]:
    return [claim.verdict for claim in experiment("E12").claims(tables(**changes))]


def test_the_papers_numbers_are_its_findings():
    assert verdicts() == [Verdict.HOLDS] * 6


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"gain": 0.9}, 0),
        ({"rival": -0.002}, 1),
        ({"cut": 0.5}, 2),
        ({"validated": 0.2}, 3),
        ({"ratio": 1.2}, 4),
        ({"disc": -0.2}, 5),
    ],
    ids=str,
)
def test_another_number_is_another_finding(change, place):
    assert [i for i, v in enumerate(verdicts(**change)) if v == Verdict.FAILS] == [place]


def test_what_fails_is_explained_by_the_truth():
    claim = experiment("E12").claims(tables(ratio=1.2))[4]
    assert claim.why == "by the truth the catalogs are 60 % and 30 % pure"


def test_it_shares_what_other_rooms_train(settings):
    e3, e6, e10, e12 = (experiment(name).trials(settings) for name in ("E3", "E6", "E10", "E12"))
    assert e12["LSR0"] == e3["5D+phot, all"]
    assert e12["5D: ZM last"] == e6["ZM last"]
    assert e12["5D: Milky Way"] == e10["measured: transferred"]
    assert e12["ZM last"].start == e12["none"]
    assert e12["Milky Way"].sample.surveys == (SPECTRA,)
    assert {t.input_set for name, t in e12.items() if not name.startswith("5D")} == {"5D+phot"}
    layers = {name: (e12[name].label, e12[name].layers) for name in ("ZM last", "ZM first", "VM last")}
    assert layers == {
        "ZM last": ("label_zm", ("last",)),
        "ZM first": ("label_zm", ("first",)),
        "VM last": ("label_vm", ("last",)),
    }


def test_the_disc_is_counted_among_selected_stars_of_known_rotation():
    score, v_phi = np.array([0.9, 0.9, 0.9, 0.1, 0.9]), np.array([200.0, 0.0, np.nan, 200.0, 400.0])
    weight = np.array([1.0, 0.5, 1.0, 1.0, 0.5])
    assert disc_like(score, 0.5, v_phi, weight)(np.ones(5, bool))["disc_like"] == pytest.approx(0.5)
    assert np.isnan(disc_like(score, 0.95, v_phi, weight)(np.ones(5, bool))["disc_like"])


@pytest.mark.long
def test_on_mocks_all_the_way_from_viewpoints_to_the_catalog(room):
    found = room("E12")
    assert list(found["viewpoints"]["name"]) == ["LSR1", "LSR0 + LSR2", "LSR0"]
    assert list(found["variants"]["name"]) == ["none", "ZM last", "ZM first", "VM last"]
    at = found["viewpoints"].set_index("name")["efficiency_accreted_at_1pct"]
    assert found["gain"]["ratio"].iloc[0] == pytest.approx(at["LSR0 + LSR2"] / at["LSR0"], rel=1e-6)
    catalog = found["catalog"].set_index("name")
    assert list(catalog.index) == ["5D+phot, best cut", "5D+phot, S > 0.9", "5D, best cut", "5D, S > 0.75"]
    ratio = found["compared"].set_index("name").loc["stars selected: 5D+phot over 5D", "value"]
    assert ratio == pytest.approx(catalog.loc["5D+phot, best cut", "share"] / catalog.loc["5D, best cut", "share"])
