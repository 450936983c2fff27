"""Particles are kept between runs, and never used where they are not those that would be made."""

import re
from dataclasses import fields, replace

import numpy as np
import pytest

from exsitu.mocks import kept
from exsitu.mocks.kept import kept_particles
from exsitu.mocks.particles import Particles

MASSES = {"particle_mass_msun": 5.0e6, "accreted_particle_mass_msun": 5.0e6}


@pytest.fixture
def made(monkeypatch):
    """Names of the galaxies whose particles are made, in the order in which they are."""
    names: list[str] = []
    plain = kept.make_particles

    def make(model, **options):
        names.append(model.name)
        return plain(model, **options)

    monkeypatch.setattr(kept, "make_particles", make)
    return names


def _equal(a: Particles, b: Particles) -> bool:
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name)) and getattr(a, f.name).dtype == getattr(b, f.name).dtype
        for f in fields(Particles)
    )


def test_particles_are_made_once_and_read_back_the_same(m12i, made, tmp_path):
    first = kept_particles(tmp_path, m12i, **MASSES, seed=1)
    second = kept_particles(tmp_path, m12i, **MASSES, seed=1)
    assert made == ["m12i"]
    assert _equal(first, second)
    assert [path.name.split("-")[0] for path in tmp_path.iterdir()] == ["m12i"]


def test_without_a_folder_nothing_is_kept(m12i, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        kept_particles(None, m12i, **MASSES, seed=1)
    assert made == ["m12i", "m12i"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", ["seed", "mass", "accreted mass", "model", "part of the model"])
def test_other_particles_are_kept_apart(m12i, made, tmp_path, change):
    other = {
        "seed": (m12i, MASSES, 2),
        "mass": (m12i, MASSES | {"particle_mass_msun": 5.1e6}, 1),
        "accreted mass": (m12i, MASSES | {"accreted_particle_mass_msun": 5.1e6}, 1),
        "model": (replace(m12i, code=17), MASSES, 1),
        "part of the model": (replace(m12i, disc=replace(m12i.disc, sigma=39.0)), MASSES, 1),
    }[change]
    kept_particles(tmp_path, m12i, **MASSES, seed=1)
    kept_particles(tmp_path, other[0], **other[1], seed=other[2])
    assert len(made) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_code_that_decides_particles_counts_and_other_code_does_not(m12i, tmp_path, monkeypatch):
    modules = kept._modules_below("exsitu.mocks.galaxy")
    assert {"exsitu.mocks.particles", "exsitu.mocks.orbits", "exsitu.mocks.randomness", "exsitu.elementary"} <= set(
        modules
    )
    assert not {"exsitu.mocks.stars", "exsitu.mocks.make", "exsitu.mocks.galaxies"} & set(modules)
    before = kept._identity(m12i, MASSES, 1)
    changed = tmp_path / "orbits.py"
    changed.write_bytes(modules["exsitu.mocks.orbits"].read_bytes() + b"# changed\n")
    monkeypatch.setattr(kept, "_modules_below", lambda _: modules | {"exsitu.mocks.orbits": changed})
    assert kept._identity(m12i, MASSES, 1) != before


def test_another_version_of_a_library_counts(m12i, monkeypatch):
    before = kept._identity(m12i, MASSES, 1)
    monkeypatch.setattr(kept.metadata, "version", lambda name: f"{name} 99")
    assert kept._identity(m12i, MASSES, 1) != before


def _flip(content: bytes, place: float) -> bytes:
    damaged = bytearray(content)
    damaged[int(place * len(content))] ^= 4
    return bytes(damaged)


def _shorten(content: bytes) -> bytes:
    """Let the arrays claim fewer rows than they have."""
    return re.sub(rb"'shape': \((\d)(\d+)", lambda m: b"'shape': (" + m[1] + b"0" * len(m[2]), content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-7],
        lambda _: b"",
        lambda _: b"no archive",
        lambda content: _flip(content, 0.001),
        lambda content: _flip(content, 0.4),
        lambda content: _flip(content, 0.9),
        _shorten,
    ],
    ids=["half", "end cut off", "empty", "other", "flipped early", "flipped inside", "flipped late", "shorter"],
)
def test_a_damaged_file_is_made_again(m12i, tmp_path, monkeypatch, damage):
    n, rng = 34_567, np.random.default_rng(1)
    whole = Particles.born_here(*rng.normal(size=(2, n, 3)), 1.0, *rng.normal(size=(4, n)), 3)
    made = []
    monkeypatch.setattr(kept, "make_particles", lambda *_, **__: made.append(1) or whole)
    kept_particles(tmp_path, m12i, **MASSES, seed=1)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert _equal(kept_particles(tmp_path, m12i, **MASSES, seed=1), whole)
    assert len(made) == 2
    assert path.read_bytes() == content


def test_a_file_of_other_columns_is_made_again(m12i, made, tmp_path):
    kept_particles(tmp_path, m12i, **MASSES, seed=1)
    (path,) = tmp_path.iterdir()
    np.savez(path, position=np.zeros((3, 3)))
    kept_particles(tmp_path, m12i, **MASSES, seed=1)
    assert len(made) == 2


def test_a_maker_that_fails_keeps_nothing(m12i, tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(kept, "make_particles", fail)
    with pytest.raises(RuntimeError, match="no memory"):
        kept_particles(tmp_path, m12i, **MASSES, seed=1)
    assert not list(tmp_path.iterdir())
