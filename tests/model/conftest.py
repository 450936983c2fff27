"""A small two-population survey and a network trained on it once, shared by the tests of the model."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from exsitu.model.inputs import Stars, stars_from_frame
from exsitu.settings import Network, Plateau, Training


def pytest_configure(config: pytest.Config) -> None:
    # Keras 3.15 turns TensorFlow variables into arrays the way NumPy 1 had it.
    config.addinivalue_line(
        "filterwarnings", "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
    )


def survey(n_stars: int, seed: int) -> pd.DataFrame:
    """In-situ stars close together in proper motion, a tenth of the stars accreted and far apart."""
    rng = np.random.default_rng(seed)
    accreted = rng.random(n_stars) < 0.1
    spread = np.where(accreted, 14.0, 4.0)
    parallax = rng.uniform(0.3, 3.0, n_stars)
    return pd.DataFrame(
        {
            "source_id": rng.permutation(n_stars) + (1 << 60),
            "l": rng.uniform(-179.0, 180.0, n_stars),
            "b": rng.uniform(-60.0, 60.0, n_stars),
            "pmra": rng.normal(0.0, spread),
            "pmdec": rng.normal(np.where(accreted, -9.0, 0.0), spread),
            "parallax": parallax,
            "pmra_error": rng.uniform(0.05, 0.3, n_stars),
            "pmdec_error": rng.uniform(0.05, 0.3, n_stars),
            "parallax_error": parallax * rng.uniform(0.01, 0.099, n_stars),
            "radial_velocity": rng.normal(0.0, 50.0, n_stars),
            "radial_velocity_error": rng.uniform(0.5, 2.0, n_stars),
            "feh": rng.normal(np.where(accreted, -1.2, -0.2), 0.3),
            "accreted": accreted,
        }
    )


@dataclass(frozen=True)
class Trained:
    """A trained network with what it was trained on."""

    network: Any
    card: Any
    history: pd.DataFrame
    first_epoch: np.ndarray
    training: Stars
    validation: Stars


@pytest.fixture(scope="session")
def make_survey() -> Callable[[int, int], pd.DataFrame]:
    return survey


@pytest.fixture(scope="session")
def plan() -> Training:
    return Training(
        noise="errors",
        draws_per_star=5,
        accreted_per_batch=5,
        accreted_weight=0.2,
        learning_rate=3e-3,
        plateau=Plateau(factor=0.1, patience=5, floor=1e-6),
        stop_patience=10,
        cores=1,
    )


@pytest.fixture(scope="session")
def spec() -> Network:
    return Network(input_set="5D", representation="measured", hidden=(16, 16))


@pytest.fixture(scope="session")
def training() -> Stars:
    return stars_from_frame(survey(4000, 1), "5D", "accreted")


@pytest.fixture(scope="session")
def validation() -> Stars:
    return stars_from_frame(survey(1500, 2), "5D", "accreted")


@pytest.fixture(scope="session")
def trained(spec: Network, plan: Training, training: Stars, validation: Stars) -> Trained:
    from exsitu.model.network import ModelCard, build_network, weights_of
    from exsitu.model.training import train

    network, epochs = build_network(spec, seed=1), []
    history = train(
        network,
        training,
        validation,
        plan,
        max_epochs=3,
        seed=2,
        on_epoch=lambda *_: epochs.append(weights_of(network)),
    )
    domain = {n: (float(x.min()), float(x.max())) for n, x in zip(training.columns, training.values.T, strict=True)}  # noqa: PD011
    card = ModelCard("5D", "measured", spec.hidden, domain)
    first = np.concatenate([w.ravel() for w in epochs[0].values()])
    return Trained(network, card, history, first, training, validation)


@pytest.fixture
def saved(trained: Trained, tmp_path: Path) -> Path:
    """Folder that holds the trained network."""
    from exsitu.model.network import save_model

    save_model(tmp_path / "model", trained.network, trained.card)
    return tmp_path / "model"


@pytest.fixture
def pretrained(saved: Path) -> Any:
    """A copy of the trained network that a test may change."""
    from exsitu.model.network import load_model

    return load_model(saved)[0]
