"""Priors that cover every parameter, galaxies that follow them, and a population that is made whole, once, the same."""

import ast
import dataclasses
import itertools
import signal
import subprocess
import sys
import time
import typing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import exsitu
from exsitu.errors import InputError
from exsitu.mocks.galaxies import GALAXIES, GalaxyModel
from exsitu.mocks.make import first_source_id
from exsitu.mocks.orbits import circular_velocity
from exsitu.mocks.particles import HEATED
from exsitu.mocks.population import make as population
from exsitu.mocks.population import priors
from exsitu.mocks.population.make import make_population, read_population, summarise
from exsitu.mocks.population.predictive import MEASUREMENTS, measurements_page, predictive_figure
from exsitu.mocks.population.priors import (
    CIRCULAR_VELOCITY,
    LARGEST_INDEX,
    MERGED_MASS,
    PRIORS,
    draw_galaxy,
    priors_page,
    read_galaxy,
)
from exsitu.provenance import read_json, sha256_file, write_json

DRAWN = [draw_galaxy(3, index) for index in range(300)]
COARSE = {"stars_per_viewpoint": 400, "particle_mass_msun": 1.0e6, "accreted_particle_mass_msun": 4.0e6}
ROWS = {prior.parameter: prior for prior in PRIORS}


def parameters(kind=GalaxyModel, path=""):
    """Paths of all fields that hold no further dataclass, and of all tuples of dataclasses."""
    for name, hint in typing.get_type_hints(kind).items():
        inner = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint
        if inner is not hint or not dataclasses.is_dataclass(hint):
            yield path + name
        if dataclasses.is_dataclass(inner):
            yield from parameters(inner, f"{path}{name}.")


def values(model, path):
    """Numbers of a galaxy at a parameter of the table: one, or one of each satellite, inflow or sun."""
    found = [model]
    for step in path.split("."):
        axis = {"R": 0, "phi": 1, "x": 0, "y": 1}.get(step, 2 if step == "z" else None)
        found = [item[axis] if axis is not None else getattr(item, step) for item in found]
        if isinstance(found[0] if found else None, tuple) and dataclasses.is_dataclass((found[0] or (None,))[0]):
            found = list(itertools.chain.from_iterable(found))
        found = [item for item in found if item != ()]
    return found


def drawn(path):
    return np.array(list(itertools.chain.from_iterable(values(model, path) for model in DRAWN)), float)


# ---------------------------------------------------------------------------------------------------------- the table


def test_every_parameter_of_the_generator_has_its_row():
    assert {path for path in parameters() if not any(r == path or r.startswith(f"{path}.") for r in ROWS)} == set()


def test_the_walk_over_the_parameters_sees_every_kind_of_part():
    assert {"code", "disc.early", "heated.sigma", "satellites", "satellites.orbit.node"} <= set(parameters())
    assert "suns.v_sun_kms" in set(parameters())


def test_no_row_stands_for_nothing_and_none_twice():
    known = set(parameters())
    assert {r for r in ROWS if r not in known and r.rsplit(".", 1)[0] not in known} == set()
    assert len(ROWS) == len(PRIORS)


@pytest.mark.parametrize("prior", PRIORS, ids=lambda p: p.parameter)
def test_what_is_drawn_has_a_source_and_what_is_not_says_what_it_becomes(prior):
    if prior.kind == "derived":
        assert prior.becomes
    else:
        assert prior.source
        assert prior.first <= prior.second or prior.kind == "normal"


BRACKETS = [p for p in PRIORS if "brackets the built-in galaxies" in p.source and p.kind != "derived" and not p.becomes]


@pytest.mark.parametrize("prior", BRACKETS, ids=lambda p: p.parameter)
@pytest.mark.parametrize("galaxy", GALAXIES)
def test_a_range_that_is_said_to_bracket_the_built_in_galaxies_does(prior, galaxy):
    found = values(GALAXIES[galaxy], prior.parameter)
    assert found
    assert prior.first <= min(found)
    assert max(found) <= prior.second


def test_sizes_of_mergers_bracket_the_built_in_ones():
    mergers = [s for model in GALAXIES.values() for s in model.satellites if s.mass >= ROWS["satellites.mass"].first]
    assert len(mergers) > 6
    for merger in mergers:
        decades = np.log10(merger.mass) - 8.0
        for name, typical in (("scale", 0.8 + 0.55 * decades), ("sigma", 33.0 + 20.0 * decades)):
            row = ROWS[f"satellites.{name}"]
            assert row.first <= getattr(merger, name) / typical <= row.second, merger.name


@pytest.mark.parametrize("galaxy", GALAXIES)
def test_the_disc_is_heated_when_the_built_in_galaxies_have_it(galaxy):
    model = GALAXIES[galaxy]
    assert priors._heating(model.satellites) == pytest.approx(model.heated.heated, abs=0.2)


def test_the_documentation_holds_the_tables_of_the_code():
    text = (Path(__file__).parents[3] / "docs" / "population.md").read_text(encoding="utf-8")
    assert priors_page() in text, "put what exsitu.mocks.population.priors.priors_page() gives into docs/population.md"
    assert measurements_page() in text, "put what exsitu.mocks.population.predictive.measurements_page() gives there"


def test_every_prior_and_measurement_is_on_its_page():
    assert all(f"| `{name}` |" in priors_page() for name in ROWS)
    assert all(f"| {m.name} |" in measurements_page() for m in MEASUREMENTS)


# ---------------------------------------------------------------------------------------------------------- the draws


@pytest.mark.parametrize(
    "prior", [p for p in PRIORS if p.kind == "uniform" and not p.becomes], ids=lambda p: p.parameter
)
def test_uniform_draws_fill_their_range_and_stay_in_it(prior):
    found, span = drawn(prior.parameter), prior.second - prior.first
    assert prior.first <= found.min() < prior.first + 0.1 * span
    assert prior.second - 0.1 * span < found.max() <= prior.second


def test_masses_are_uniform_in_their_logarithm():
    decades = np.log10(drawn("dwarfs.mass"))
    low, high = np.log10(ROWS["dwarfs.mass"].first), np.log10(ROWS["dwarfs.mass"].second)
    assert low <= decades.min() < decades.max() <= high
    assert abs(np.mean(decades) - 0.5 * (low + high)) < 0.1 * (high - low)


def test_orbits_are_isotropic():
    cosine = np.cos(np.radians(drawn("satellites.orbit.inclination")))
    assert abs(cosine.mean()) < 0.1
    assert cosine.var() == pytest.approx(1.0 / 3.0, rel=0.15)


def test_each_viewpoint_has_a_solar_motion_of_its_own_about_the_local_circular_velocity():
    motion = np.array([[sun.v_sun_kms for sun in model.suns] for model in DRAWN])
    circular = np.array([float(circular_velocity(model.potential, 8.2)) for model in DRAWN])
    motion[:, :, 1] -= circular[:, None]
    assert motion.shape == (300, 3, 3)
    assert np.abs(motion.mean(axis=(0, 1))).max() < 2.0
    np.testing.assert_allclose(motion.std(axis=(0, 1)), [14.0, 10.0, 6.0], rtol=0.1)
    assert np.corrcoef(motion[:, 0, 0], motion[:, 1, 0])[0, 1] == pytest.approx(0.0, abs=0.2)


def test_counts_take_every_value_they_may():
    assert {len(model.satellites) for model in DRAWN} == {2, 3, 4, 5, 6}
    assert {len(model.inflows) for model in DRAWN} == {0, 1, 2}


def test_every_galaxy_meets_the_conditions():
    for model in DRAWN:
        assert CIRCULAR_VELOCITY[0] <= float(circular_velocity(model.potential, 8.2)) <= CIRCULAR_VELOCITY[1]
        assert MERGED_MASS[0] <= sum(s.mass for s in model.satellites) <= MERGED_MASS[1]


def test_metallicity_grows_with_mass_and_falls_with_lookback_time():
    mass, infall, feh = (drawn(f"satellites.{name}") for name in ("mass", "infall", "feh"))
    known = np.stack([np.log10(mass) - 6.0, infall, np.ones(len(mass))], axis=1)
    slope, trend, _ = np.linalg.lstsq(known, feh, rcond=None)[0]
    assert slope == pytest.approx(0.30, abs=0.05)
    assert trend == pytest.approx(-0.04, abs=0.01)


def test_time_runs_forwards():
    for model in DRAWN:
        assert all(s.infall > s.disrupted >= 1.0 for s in model.satellites)
        assert all(i.began > i.ended > 0.0 for i in model.inflows)
        assert 7.0 <= model.heated.heated < 11.5


def test_the_most_massive_early_merger_heated_the_disc():
    for model in DRAWN:
        early = [s for s in model.satellites if s.infall > 8.0]
        if early:
            merger = max(early, key=lambda s: s.mass)
            assert model.heated.heated == pytest.approx(
                max(merger.infall - (merger.infall - merger.disrupted) / 1.5, 7.0)
            )


def test_sizes_of_mergers_follow_their_rows():
    decades = np.log10(drawn("satellites.mass")) - 8.0
    for name, typical in (("scale", 0.8 + 0.55 * decades), ("sigma", 33.0 + 20.0 * decades)):
        factor, row = drawn(f"satellites.{name}") / typical, ROWS[f"satellites.{name}"]
        assert row.first <= factor.min() < factor.max() <= row.second


def test_bars_end_inside_corotation():
    for model in DRAWN:
        corotation = ROWS["bar.pattern_speed"].first * model.bar.length
        assert model.bar.pattern_speed <= float(circular_velocity(model.potential, corotation)) / corotation


def test_a_draw_is_repeatable_and_no_two_are_alike():
    assert draw_galaxy(3, 7) == DRAWN[7]
    assert draw_galaxy(4, 7) != DRAWN[7]
    assert len({model.potential for model in DRAWN}) == len({model.name for model in DRAWN}) == len(DRAWN)


def test_a_changed_row_moves_no_other_parameter(monkeypatch):
    changed = dataclasses.replace(ROWS["disc.sigma"], first=1.0, second=2.0)
    monkeypatch.setitem(priors._ROWS, "disc.sigma", changed)
    again = draw_galaxy(3, 0)
    assert 1.0 <= again.disc.sigma <= 2.0
    sigma = DRAWN[0].disc.sigma
    assert dataclasses.replace(again, disc=dataclasses.replace(again.disc, sigma=sigma)) == DRAWN[0]


def test_ids_of_stars_never_collide_and_fit_64_bits():
    last = draw_galaxy(0, LARGEST_INDEX)
    firsts = [first_source_id(model, n) for model in (*GALAXIES.values(), *DRAWN, last) for n in range(3)]
    assert len(set(firsts)) == len(firsts)
    assert max(firsts) < 2**63


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1), (0, LARGEST_INDEX + 1)])
def test_what_cannot_be_drawn_is_refused(seed, index):
    with pytest.raises(InputError, match="counts from 0"):
        draw_galaxy(seed, index)


def test_a_galaxy_survives_json_exactly(tmp_path):
    for model in DRAWN[:20]:
        write_json(tmp_path / "galaxy.json", {"model": dataclasses.asdict(model)})
        assert read_galaxy(tmp_path / "galaxy.json") == model


# ----------------------------------------------------------------------------------------------------- the population


@pytest.fixture(autouse=True)
def few_uncut_stars(monkeypatch):
    monkeypatch.setattr("exsitu.mocks.make.UNCUT_STARS", 2_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A population of two coarse galaxies; tests that change it take a copy."""
    output = tmp_path_factory.mktemp("population")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exsitu.mocks.make.UNCUT_STARS", 2_000)
        make_population(output, count=2, seed=5, processes=1, **COARSE)
    return output


def folders(output):
    return sorted(path for path in output.iterdir() if path.is_dir())


def test_a_galaxy_is_a_folder_of_surveys_with_all_that_made_it(made):
    first, second = folders(made)
    assert (first.name, second.name) == ("population-5-00000", "population-5-00001")
    expected = {f"lsr{n}.{kind}" for n in range(3) for kind in ("parquet", "uncut.json")}
    assert {p.name for p in first.iterdir()} == {*expected, "accreted_particle_ids.npy", "galaxy.json"}
    about = read_json(first / "galaxy.json")
    assert read_galaxy(first / "galaxy.json") == draw_galaxy(5, 0)
    assert about["recipe"]["stars_per_viewpoint"] == COARSE["stars_per_viewpoint"]
    assert about["sha256"] == {n: sha256_file(first / n) for n in (*expected, "accreted_particle_ids.npy")}


def test_surveys_are_of_the_drawn_galaxy(made):
    first = folders(made)[0]
    stars = pd.read_parquet(first / "lsr1.parquet")
    model = draw_galaxy(5, 0)
    assert 0.7 * COARSE["stars_per_viewpoint"] < len(stars) < 1.3 * COARSE["stars_per_viewpoint"]
    assert stars["source_id"].min() >= first_source_id(model, 1)
    # A star at rest in the disc seems to drift by the Sun's own rotation; the disc lags by up to 40 km/s. Stars of one
    # particle move together, so that the particles count for the error of a median.
    rotation = stars["vy_true"].median() + model.suns[1].v_sun_kms[1]
    off = 4.0 * 1.25 * stars["vy_true"].std() / stars["parentid"].nunique() ** 0.5
    assert -40.0 - off < rotation - float(circular_velocity(model.potential, 8.2)) < off
    assert off < 100.0


def test_the_table_has_a_row_a_galaxy_with_what_was_drawn_and_measured(made):
    table = read_population(made)
    assert list(table["name"]) == [f.name for f in folders(made)]
    for row, index in zip(table.to_dict("records"), (0, 1), strict=True):
        model = draw_galaxy(5, index)
        assert row["disc.sigma"] == model.disc.sigma
        assert row["satellites.1.orbit.node"] == model.satellites[1].orbit.node
        assert row["summary.v_c_sun_kms"] == float(circular_velocity(model.potential, 8.2))
    assert (made / "population.png").read_bytes().startswith(b"\x89PNG")


def test_a_population_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no population in"):
        read_population(tmp_path)


def test_what_is_there_is_left_alone_and_more_can_be_added(made, tmp_path):
    output = copied(made, tmp_path)
    before = {p: p.stat().st_mtime_ns for f in folders(output) for p in f.iterdir()}
    make_population(output, count=3, seed=5, processes=1, **COARSE)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert len(folders(output)) == len(read_population(output)) == 3


@pytest.mark.parametrize("change", ["recipe", "file", "code"])
def test_what_is_not_as_asked_for_is_made_again(made, tmp_path, monkeypatch, change):
    output = copied(made, tmp_path)
    made_again = []
    monkeypatch.setattr(population, "_make_galaxy", lambda folder, *_: made_again.append(folder.name) or folder.name)
    recipe = dict(COARSE)
    if change == "recipe":
        recipe["stars_per_viewpoint"] += 1
    elif change == "file":
        (output / "population-5-00000" / "lsr2.parquet").unlink()
    else:
        monkeypatch.setattr(population, "_MAKERS", population._MAKERS[:-1])
    make_population(output, count=2, seed=5, processes=1, **recipe)
    both = ["population-5-00000", "population-5-00001"]
    assert made_again == (both[:1] if change == "file" else both)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_any_number_of_processes(made, tmp_path, monkeypatch):
    monkeypatch.undo()  # processes of their own know nothing of patches
    make_population(tmp_path / "one", count=2, seed=6, processes=1, viewpoints=(0,), **COARSE)
    make_population(tmp_path / "two", count=2, seed=6, processes=2, viewpoints=(0,), **COARSE)
    one, two = (
        {p.relative_to(output): sha256_file(p) for p in output.rglob("*") if p.is_file()}
        for output in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two


def test_a_failure_leaves_no_half_galaxy_and_what_was_made_stays(tmp_path, monkeypatch):
    make = population.make_surveys

    def failing(folder, model, *rest, **options):
        written = make(folder, model, *rest, **options)
        if model.name.endswith("1"):
            raise OSError("no space left on device")
        return written

    monkeypatch.setattr(population, "make_surveys", failing)
    with pytest.raises(OSError, match="no space"):
        make_population(tmp_path, count=3, seed=5, processes=1, viewpoints=(0,), **COARSE)
    assert [p.name for p in tmp_path.iterdir()] == ["population-5-00000"]


@pytest.mark.fault
def test_a_kill_at_any_moment_leaves_no_half_galaxy_and_the_rest_is_made_later(tmp_path):
    recipe = COARSE | {"stars_per_viewpoint": 4_000}
    script = (
        "from pathlib import Path; from exsitu.mocks.population.make import make_population;"
        f"make_population(Path({str(tmp_path)!r}), count=4, seed=5, processes=1, viewpoints=(0,), **{recipe!r})"
    )
    worker = subprocess.Popen([sys.executable, "-c", script])
    try:
        # Until one galaxy is there and the next one is being written.
        while not (folders(tmp_path) and len({p.name.startswith(".") for p in folders(tmp_path)}) == 2):
            assert worker.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    whole = [p for p in folders(tmp_path) if not p.name.startswith(".")]
    assert 0 < len(whole) < 4
    for folder in whole:
        assert all(sha256_file(folder / n) == d for n, d in read_json(folder / "galaxy.json")["sha256"].items())
    before = (whole[0] / "galaxy.json").stat().st_mtime_ns
    make_population(tmp_path, count=4, seed=5, processes=1, viewpoints=(0,), **recipe)
    assert (whole[0] / "galaxy.json").stat().st_mtime_ns == before
    assert [p.name for p in folders(tmp_path)] == [f"population-5-{n:05d}" for n in range(4)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"count": 0}, "at least one"), ({"profile": "dr22"}, "dr2"), ({"viewpoints": (3,)}, "no viewpoints")],
)
def test_what_cannot_be_made_is_refused(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        make_population(tmp_path, **({"count": 1, "seed": 5, "processes": 1} | COARSE | wrong))


def test_the_identity_knows_every_module_that_makes_a_galaxy():
    source = Path(exsitu.__file__).parent
    # These decide no byte of a galaxy that its parameters do not, or only how it is published; formats are for reading.
    apart = {
        "mocks/galaxies.py", "mocks/population/priors.py", "mocks/population/predictive.py", "errors.py",
        "provenance.py", "settings.py", "evaluation/style.py", "table_formats.py",
    }  # fmt: skip
    found, waiting = set(), ["mocks/population/make.py"]
    while waiting:
        name = waiting.pop()
        if name in found or name in apart or name.startswith("formats/") or not (source / name).is_file():
            continue
        found.add(name)
        for node in ast.walk(ast.parse((source / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("exsitu."):
                own = node.module.split(".", 1)[1].replace(".", "/")
                waiting += [f"{own}.py", *(f"{own}/{alias.name}.py" for alias in node.names)]
            elif isinstance(node, ast.ImportFrom) and node.module == "exsitu":
                waiting += [f"{alias.name}.py" for alias in node.names]
    assert found | {"mocks/isochrones.npz"} == set(population._MAKERS)


# ------------------------------------------------------------------------------------------- what it is held against


def test_a_summary_measures_what_the_particles_are(particles, m12i):
    rows = np.flatnonzero(particles.accreted)[:30]
    stars = np.concatenate([rows, np.flatnonzero(~particles.accreted)[:70]])
    found = summarise(m12i, particles, {"lsr0": particles.id[stars]})
    assert found["accreted"]["share_of_stars"] == {"lsr0": pytest.approx(0.3)}
    assert found["v_c_kms"]["8"] == pytest.approx(float(circular_velocity(m12i.potential, 8.0)))
    spread = {name: group["R"] for name, group in found["sigma_kms"].items()}
    assert spread["young"] < spread["old thin"] < spread["thick"]
    # The generator's own law: sigma (0.62 + 0.10 age) at the Sun, of 4 to 8 Gyr here.
    assert spread["old thin"] == pytest.approx(m12i.disc.sigma * (0.62 + 0.10 * 6.0), rel=0.1)
    assert found["feh"]["heated"]["mean"] == pytest.approx(m12i.heated.feh, abs=0.05)
    assert 0.001 < found["accreted"]["over_in_situ_in_plane"] < found["accreted"]["share_within_1kpc"] < 0.1


def test_a_summary_of_what_is_not_there_is_none(particles, m12i):
    found = summarise(m12i, particles.rows(particles.origin < HEATED), {})
    assert found["feh"]["heated"] == found["feh"]["accreted"] == {"mean": None, "sigma": None}
    assert found["accreted"]["share_within_1kpc"] == 0.0


def test_the_figure_shows_every_galaxy_and_the_milky_way(made):
    table = read_population(made)
    panels = predictive_figure(table).axes
    assert len(panels) == 4
    labels = [text.get_text() for axes in panels for text in axes.get_legend().get_texts()]
    assert "2 galaxies drawn from the priors" in labels
    for name in ("Eilers", "Anguiano", "Bensby", "Jurić", "Allende Prieto", "Feuillet", "Belokurov"):
        assert any(name in label for label in labels)
    rotation = panels[0].get_lines()
    np.testing.assert_allclose(rotation[1].get_ydata(), table.filter(like="summary.v_c_kms.").to_numpy()[1])


def copied(made, tmp_path):
    import shutil

    return Path(shutil.copytree(made, tmp_path / "copy"))
