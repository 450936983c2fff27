"""Two definitions of truth are set side by side, and findings follow from the tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.experiments.bench import Bench
from exsitu.experiments.experiment import Verdict, cell
from exsitu.experiments.registry import experiment
from exsitu.experiments.samples import Surveys
from exsitu.labels.histories import Halos, Snapshot
from exsitu.labels.snapshots import HistoryHeader, HistoryParticles, write_snapshots

SHARES = {"m12i": (74.0, 7.0, 19.0), "m12f": (65.0, 17.0, 18.0)}
PICKED = ("both", "formation distance only", "merger history only")


def tables(**changes: tuple[float, float, float]) -> dict[str, pd.DataFrame]:
    rows = [
        {"row": f"{galaxy}, {says}", "name": says, "group": galaxy, "share": share, "share_error": 0.5}
        for galaxy, shares in {**SHARES, **changes}.items()
        for says, share in zip(PICKED, shares, strict=True)
    ]
    return {"overlap": pd.DataFrame(rows)}


def failed(**changes: tuple[float, float, float]) -> list[int]:
    claims = experiment("E14").claims(tables(**changes))
    return [i for i, claim in enumerate(claims) if claim.verdict == Verdict.FAILS]


def test_the_papers_numbers_are_its_findings():
    assert [c.verdict for c in experiment("E14").claims(tables())] == [Verdict.HOLDS] * 8


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"m12i": (38.0, 30.0, 32.0)}, [0, 1, 2, 3]),
        ({"m12f": (78.0, 4.0, 18.0)}, [5, 6]),
        ({"m12i": (60.0, 7.0, 33.0)}, [1, 3]),
    ],
    ids=str,
)
def test_other_shares_are_other_findings(change, places):
    assert failed(**change) == places


def test_a_galaxy_the_paper_has_not_is_held_against_no_number():
    claims = experiment("E14").claims(tables(m12m=(80.0, 10.0, 10.0)))
    assert len(claims) == 9
    assert claims[-1].statement == "most of what either definition picks in m12m, both pick"


def write_history(folder: Path, galaxy: str, *, truth: bool = True) -> None:
    """Ten particles in a satellite, eight of them born far out; two more born far out, and ninety here."""
    n = 102
    far = np.isin(np.arange(n), [*range(8), 10, 11])
    place = np.stack([np.where(np.arange(n) < 10, 60.0, 5.0), np.zeros(n), np.zeros(n)], axis=1)
    halo = Halos(np.array([3]), np.array([[60.0, 0.0, 0.0]]), np.zeros((1, 3)), np.array([9.0]), np.array([30.0]))
    snapshots = (Snapshot(t, place, np.zeros((n, 3)), np.ones(n, bool), halo) for t in (4.0, 3.0, 2.0, 1.0))
    particles = HistoryParticles(
        ids=np.arange(n),
        formation_lookback_gyr=np.full(n, 5.0),
        formation_position=np.stack([np.where(far, 60.0, 5.0), np.zeros(n), np.zeros(n)], axis=1),
        today_position=np.full((n, 3), 4.0),
        weight=np.ones(n),
        accreted_truth=np.arange(n) < 10 if truth else None,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_snapshots(folder / f"{galaxy}.hdf5", HistoryHeader(galaxy), particles, snapshots)


@pytest.fixture
def bench(settings, data, tmp_path) -> Bench:
    return Bench(settings, Surveys(settings, data, tmp_path), tmp_path, {})


def test_shares_and_scores_are_counted_on_the_histories_that_were_given(bench):
    write_history(bench.kept / "histories", "m12i")
    write_history(bench.kept / "histories", "m12f", truth=False)
    found = experiment("E14").measure(bench).tables
    shares = [cell(found["overlap"], f"m12i, {says}", "share")[0] for says in PICKED]
    assert shares == pytest.approx([100 * 8 / 12, 100 * 2 / 12, 100 * 2 / 12])
    assert (found["overlap"]["share_error"] > 0).all()
    assert list(found["against_truth"]["name"]) == ["m12i, merger history", "m12i, formation distance"]
    assert cell(found["against_truth"], "m12i, merger history", "purity")[0] == pytest.approx(100.0)
    assert cell(found["against_truth"], "m12i, formation distance", "completeness")[0] == pytest.approx(80.0)


def test_an_imported_galaxy_without_a_history_says_what_to_do(bench):
    with pytest.raises(InputError, match=r"no history of m12i, which is no built-in galaxy; put one at .*m12i\.hdf5"):
        experiment("E14").measure(bench)


def test_histories_of_a_built_in_galaxy_are_made_once(bench, monkeypatch):
    from exsitu.experiments import origins
    from exsitu.mocks import histories
    from exsitu.mocks.galaxies import GALAXIES

    asked = []

    def made(path: Path, model, particles, **more):
        asked.append((model.name, particles, more["accreted_particle_mass_msun"], more["seed"]))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a history")

    masses = {"particle_mass_msun": 1e4, "accreted_particle_mass_msun": 2e4}
    monkeypatch.setattr(origins, "_made", lambda _: origins._Made(GALAXIES["m12f"], masses, 11))
    monkeypatch.setattr(origins, "kept_particles", lambda folder, model, **_: f"{model.name} of {folder.name}")
    monkeypatch.setattr(histories, "make_histories", made)
    first, second = (origins.history_of(bench, "m12f/lsr0") for _ in range(2))
    assert first == second
    assert asked == [("m12f", "m12f of particles", 2e4, 11)]


def test_the_satellite_of_a_particle_is_told_by_its_number(bench, monkeypatch):
    from types import SimpleNamespace

    from exsitu.experiments import origins
    from exsitu.mocks.galaxies import GALAXIES
    from exsitu.mocks.particles import FIRST_SATELLITE, HEATED

    model = GALAXIES["m12f"]
    named = len(model.satellites)
    origin = np.array([HEATED, FIRST_SATELLITE, FIRST_SATELLITE + named - 1, FIRST_SATELLITE + named], np.int16)
    monkeypatch.setattr(origins, "_made", lambda _: origins._Made(model, {}, 11))
    monkeypatch.setattr(origins._Made, "particles", lambda *_: SimpleNamespace(origin=origin))
    born = origins.progenitors(bench, "m12f/lsr0")
    assert born.tolist() == ["", model.satellites[0].name, model.satellites[-1].name, origins.DWARFS]


def test_of_an_imported_galaxy_nobody_knows_the_satellites(bench):
    from exsitu.experiments.origins import progenitors

    assert progenitors(bench, "m12f/lsr0") is None


@pytest.mark.long
def test_in_a_run_both_galaxies_have_their_rows(room, kept):
    for galaxy in SHARES:
        write_history(kept / "histories", galaxy)
    found = room("E14")
    assert found["overlap"].groupby("group")["share"].sum().to_dict() == pytest.approx(dict.fromkeys(SHARES, 100.0))
    assert found["overlap"].set_index("row").loc["m12f, both", "paper_share"] == 65.0
