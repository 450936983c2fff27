"""How the model of a finished trial scores stars, by the trial's kind."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.phase_space import SolarFrame

Scores = NDArray[np.float32]


def _by_network(folder: Path, solar: SolarFrame, stars: pd.DataFrame) -> Scores:
    from exsitu.model.inputs import values_from_frame
    from exsitu.model.network import load_model, rebuilt, seen_from
    from exsitu.model.scoring import network_scores

    network, card = load_model(folder)
    here = seen_from(card, solar)
    return network_scores(rebuilt(network, here), values_from_frame(stars, here.inputs))


def _by_trees(folder: Path, solar: SolarFrame, stars: pd.DataFrame) -> Scores:
    from exsitu.model.inputs import values_from_frame
    from exsitu.model.network import seen_from
    from exsitu.model.trees import load_trees, tree_scores

    booster, card = load_trees(folder)
    here = seen_from(card, solar)
    return tree_scores(booster, here, values_from_frame(stars, here.inputs))


Scorer = Callable[[Path, SolarFrame, pd.DataFrame], Scores]
"""Takes the folder of a finished trial, the Sun of the stars' survey, and the stars."""

SCORERS: Mapping[str, Scorer] = MappingProxyType({"network": _by_network, "trees": _by_trees})
"""By the kinds of `exsitu.experiments.training.TRAINERS`."""
