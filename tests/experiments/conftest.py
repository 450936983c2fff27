"""A project small enough that its networks train in seconds: mock surveys of 4,200 stars, two epochs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from mock_folder import A_PARTICLE, ACCRETED, FIRST_ACCRETED, STARS, stars
from numpy.typing import NDArray
from project import REPOSITORY

from exsitu.experiments.bench import Bench
from exsitu.experiments.registry import chosen
from exsitu.experiments.run import run_experiments
from exsitu.experiments.samples import Surveys
from exsitu.phase_space import frame
from exsitu.provenance import read_json, write_json
from exsitu.settings import Settings, load_settings
from exsitu.stages.data_record import RECORD, record_of
from exsitu.surveys.mock_files import describe_view, write_particle_ids
from exsitu.tables import write_parquet

GALAXIES = {"m12i": (0, 1, 2), "m12f": (0, 1)}


def _measured(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Give the stars errors, and spread radial velocities over bright and faint ones alike."""
    rng = np.random.default_rng(seed)
    small = {f"{name}_error": rng.uniform(0.02, 0.1, len(table)) for name in ("pmra", "pmdec", "radial_velocity")}
    bands = {f"phot_{band}_mean_mag_error": np.full(len(table), 0.01) for band in ("g", "bp", "rp")}
    correlations = {
        name: rng.uniform(-0.3, 0.3, len(table))
        for name in ("parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr")
    }
    young = np.random.default_rng([seed, 1]).uniform(8.5, 10.1, len(table))
    age = np.where(table["source_id"] >= STARS, 10.05, young)
    return table.assign(**small, **bands, **correlations, age=age)


FRACTIONS = {"sampling_fraction_fields": "0.5", "sampling_fraction_within_cut": "0.1"}


def _write_milky_way(folder: Path) -> None:
    """A survey of 4,200 stars, spectra of its bright ones, which of them are neighbours, and the truth."""
    table = _measured(stars(33), 33).sample(frac=1.0, random_state=33)
    names = [f"20030411_{i:04d}" for i in range(len(table))]
    gaia = table.drop(columns=["parentid", "feh", "age", *(c for c in table if c.endswith(("_true", "mag_error")))])
    spectra = table[["ra", "dec", "radial_velocity", "radial_velocity_error", "feh"]].assign(
        original_ext_source_id=names, feh_error=0.1, quality_flag=0
    )
    bright = table["radial_velocity"].notna().to_numpy()
    neighbours = pd.DataFrame({"source_id": table["source_id"], "original_ext_source_id": names})
    truth = table[["source_id", "parentid"]].assign(accreted=table["source_id"] >= STARS)
    write_parquet(folder / "gaia.parquet", [gaia.assign(l=gaia["l"] % 360.0)], metadata=FRACTIONS)
    write_parquet(folder / "rave.parquet", [spectra[bright]])
    write_parquet(folder / "best_neighbour.parquet", [neighbours[bright]])
    write_parquet(folder / "truth.parquet", [truth])


def make_data(folder: Path) -> Path:
    """Data as the stage ``data`` leaves them: mocks, and a Milky Way."""
    for number, (galaxy, viewpoints) in enumerate(GALAXIES.items()):
        for viewpoint in viewpoints:
            seed = 10 * number + viewpoint + 1
            table = _measured(stars(seed, viewpoint), seed).sample(frac=1.0, random_state=seed)
            about = describe_view(galaxy, viewpoint, frame(f"m12i/lsr{viewpoint}"))
            write_parquet(folder / "mocks" / galaxy / f"lsr{viewpoint}.parquet", [table], metadata=about)
        ids = np.arange(FIRST_ACCRETED, FIRST_ACCRETED + ACCRETED // A_PARTICLE)
        write_particle_ids(folder / "mocks" / galaxy, ids)
    _write_milky_way(folder / "milkyway")
    write_json(folder / RECORD, record_of(folder, load_settings(REPOSITORY / "params.yaml", "quick")))
    return folder


SMALL = {
    "network": {"hidden": [8, 8]},
    "experiments": {
        "training_stars": 2000, "transfer_stars": 1000, "validation_stars": 900, "epochs": 2, "transfer_epochs": 3,
        "draws_per_epoch": 8000, "validation_share": 0.2, "jackknife_blocks": 5, "population_stars": 3000,
        "population_galaxies": [1, 2],
    },
    "evaluation": {"min_selected": 5},
}  # fmt: skip
"""What of params.yaml is smaller in tests; ZM is looser, for there are few stars to find some among."""


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("experiments") / "data")


@pytest.fixture(scope="session")
def params(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of the tests as a file, with a tracking store of their own."""
    told = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    for room, changes in SMALL.items():
        told[room] |= changes
    told["labels"]["zm"] = {"min_height_kpc": 0.5, "max_feh": -1.2}
    told["profiles"]["quick"]["experiments"] = {"seeds": 2}
    root = tmp_path_factory.mktemp("tracking")
    told["tracking"] |= {"uri": f"sqlite:///{root / 'mlflow.db'}", "artifacts": str(root / "artifacts")}
    path = root / "params.yaml"
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def settings(params: Path) -> Settings:
    return load_settings(params, "quick")


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of experiments that tests share: what one trains another needs not."""
    return tmp_path_factory.mktemp("kept") / "experiments"


class MadeUp(Bench):
    """Scores that no network gave: the faster a star moves on the sky at its distance, the higher."""

    def scores_of(self, label: str, survey: str, stars: pd.DataFrame) -> list[NDArray[np.float32]]:  # noqa: ARG002 - as Bench
        speed = 4.74 * np.hypot(stars["pmra"], stars["pmdec"]) / stars["parallax"]
        return [(1.0 / (1.0 + np.exp((150.0 - speed) / 30.0))).to_numpy(np.float32)]

    def scores(self, label: str, survey: str, **which: Any) -> list[NDArray[np.float32]]:
        return self.scores_of(label, survey, self.test(survey, **which))

    def sizes(self) -> pd.DataFrame:
        return pd.DataFrame({"name": list(self.trials), "training_stars": 1000, "training_accreted": 10})


@pytest.fixture(scope="session")
def without_truth(settings: Settings, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bench]:
    """Make a bench with made-up scores, on data whose Milky Way is a real one: nobody knows who is accreted."""
    folder = tmp_path_factory.mktemp("real")
    shutil.copytree(data, folder / "data")
    (folder / "data" / "milkyway" / "truth.parquet").unlink()
    (folder / "data" / "data.json").unlink()
    single = settings.model_copy(update={"experiments": settings.experiments.model_copy(update={"seeds": 1})})

    def made(name: str) -> Bench:
        surveys = Surveys(single, folder / "data", folder / "kept")
        return MadeUp(single, surveys, folder / "kept", chosen((name,))[0].trials(single))

    return made


@pytest.fixture(scope="session")
def room(settings: Settings, data: Path, kept: Path) -> Callable[[str], dict[str, pd.DataFrame]]:
    """Run an experiment with one network of each kind; give the tables it left."""
    single = settings.model_copy(update={"experiments": settings.experiments.model_copy(update={"seeds": 1})})

    def ran(name: str) -> dict[str, pd.DataFrame]:
        (folder,) = run_experiments(single, chosen((name,)), data=data, kept=kept, processes=1, progress=False)
        results = read_json(folder / "results.json")
        assert results["claims"]
        assert all((folder / f"{figure}.png").stat().st_size > 5000 for figure in results["figures"])
        return {table: pd.read_csv(folder / f"{table}.csv") for table in results["tables"]}

    return ran
