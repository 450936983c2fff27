"""The recipe is that of E6, and what its stars look like is told by unit area."""

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import SettingsError
from exsitu.evaluation.estimates import Estimate
from exsitu.experiments.recipe import AXES, distributions, hundredfold, recipe, selections_table
from exsitu.experiments.registry import experiment
from exsitu.experiments.trial import Sample
from exsitu.settings import Settings


def test_the_recipe_is_that_of_e6_and_may_be_transferred_elsewhere(settings):
    assert recipe(settings) == experiment("E6").trials(settings)["ZM last"]
    elsewhere = recipe(settings, sample=Sample(surveys=("milky_way/spectra",)))
    assert (elsewhere.start, elsewhere.layers) == (recipe(settings).start, ("last",))
    assert elsewhere.sample.surveys == ("milky_way/spectra",)


@pytest.mark.parametrize("name", ["E7", "E8", "E12", "E21"])
def test_a_target_of_one_viewpoint_is_refused_with_the_remedy(settings, name):
    told = settings.model_dump()
    told["data"]["target"]["viewpoints"] = [0]
    with pytest.raises(SettingsError, match=rf"data.target has 1 viewpoints \(m12f/lsr0\); {name} needs 2"):
        experiment(name).surveys(Settings.model_validate(told))


def test_the_photometric_viewpoints_need_three(settings):
    told = settings.model_dump()
    told["data"]["pretraining"]["viewpoints"] = [0, 1]
    with pytest.raises(SettingsError, match=r"data.pretraining has 2 viewpoints .*; E12 needs 3"):
        experiment("E12").trials(Settings.model_validate(told))


def test_histograms_have_unit_area_and_columns_that_a_sample_lacks_are_left_out():
    rng = np.random.default_rng(1)
    samples = {
        "a": pd.DataFrame({"b": rng.uniform(-90.0, 90.0, 500), "age": 10.0}),
        "b": pd.DataFrame({"b": [200.0]}),
    }
    table = distributions(samples, ("b", "age"))
    assert set(table["column"]) == {"b"}
    area = (table["density"] * (table["high"] - table["low"])).groupby(table["name"]).sum()
    assert area.to_dict() == pytest.approx({"a": 1.0, "b": 0.0})


def test_axes_have_ascending_edges():
    assert all((np.diff(axis.edges) > 0).all() and len(axis.edges) == axis.bins + 1 for axis in AXES.values())


def test_counts_of_a_selection_follow_from_its_shares():
    def one(value: float) -> Estimate:
        return Estimate(np.array([value]), np.empty((1, 0)))

    judged = {"cut": 0.7, "selected_share": 0.2, "efficiency_accreted": 0.5, "purity": 0.25, "sum_chi2": 0.01}
    table = selections_table({"a": {name: one(v) for name, v in judged.items()}}, np.arange(40) < 4)
    assert table[["stars", "accreted", "selected", "selected_accreted"]].iloc[0].tolist() == [40, 4, 8.0, 2.0]


def test_per_cent_keeps_its_error_positive():
    assert hundredfold((0.2, 0.01), -1.0) == (-20.0, 1.0)
    assert str(hundredfold((0.0, 0.0), -1.0)[0]) == "0.0"
