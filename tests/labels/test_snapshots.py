"""A history survives its file, one snapshot at a time, and docs/histories.md is true."""

import re
import weakref
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.labels.histories import (
    IN_SITU,
    Halos,
    Snapshot,
    accreted_from_particles,
    formation_distance,
    host_by_history,
)
from exsitu.labels.snapshots import (
    HistoryHeader,
    HistoryParticles,
    read_history_header,
    read_history_particles,
    read_snapshots,
    write_snapshots,
)
from exsitu.surveys.ananke import read_particle_ids

GUIDE = Path(__file__).parents[2] / "docs" / "histories.md"
N_PARTICLES, N_SNAPSHOTS = 8, 5
HEADER = HistoryHeader("m12i", seed=11, metadata={"halo finder": "Rockstar", "σ": "3D"})
FIRST_ID = 2**62 + 1


def particles(*, truth=True):
    rng = np.random.default_rng(5)
    return HistoryParticles(
        ids=FIRST_ID + np.arange(N_PARTICLES),
        formation_lookback_gyr=rng.uniform(1.0, 13.0, N_PARTICLES),
        formation_position=rng.normal(0.0, 30.0, (N_PARTICLES, 3)),
        today_position=rng.normal(0.0, 3.0, (N_PARTICLES, 3)),
        weight=rng.uniform(7e3, 7e4, N_PARTICLES),
        accreted_truth=np.arange(N_PARTICLES) % 2 == 0 if truth else None,
    )


def history():
    """Particles of even number follow subhalo 40 from 30 kpc; the others sit in the main galaxy. One is born late."""
    rng = np.random.default_rng(6)
    for time in range(N_SNAPSHOTS):
        centre = np.array([30.0 - 2.0 * time, 0.0, 0.0])
        position = rng.normal(0.0, 1.0, (N_PARTICLES, 3)).astype("f4")
        position[::2] += centre.astype("f4")
        born = np.ones(N_PARTICLES, bool)
        born[-1] = time > 0
        position[~born] = np.nan
        n_halos = 1 if time < N_SNAPSHOTS - 1 else 0
        subhalos = Halos(
            ids=np.array([40])[:n_halos],
            position=centre[None][:n_halos],
            velocity=np.zeros((n_halos, 3)),
            r200m=np.full(n_halos, 10.0),
            sigma_v=np.full(n_halos, 20.0),
        )
        yield Snapshot(9.0 - time, position, np.zeros_like(position), born, subhalos)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "m12i.hdf5"
    write_snapshots(path, HEADER, particles(), history())
    return path


def assert_same(found, expected):
    for field in fields(expected):
        a, b = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(b, Halos):
            assert_same(a, b)
        else:
            np.testing.assert_array_equal(a, b, strict=isinstance(b, np.ndarray))


def test_snapshots_come_back_exactly(written):
    found = list(read_snapshots(written))
    assert len(found) == N_SNAPSHOTS
    for one, expected in zip(found, history(), strict=True):
        assert_same(one, expected)


def test_particles_and_header_come_back_exactly(written):
    assert_same(read_history_particles(written), particles())
    assert read_history_header(written) == HEADER


def test_a_simulation_needs_neither_truth_nor_seed(tmp_path):
    path = tmp_path / "fire.hdf5"
    write_snapshots(path, HistoryHeader("m12f"), particles(truth=False), history())
    assert read_history_particles(path).accreted_truth is None
    assert read_history_header(path) == HistoryHeader("m12f")


def test_the_same_history_gives_the_same_bytes(written, tmp_path):
    again = tmp_path / "again.hdf5"
    write_snapshots(again, HEADER, particles(), history())
    assert again.read_bytes() == written.read_bytes()


def watched(snapshots, most):
    """Pass snapshots on and note how many of them somebody still holds."""
    seen = []
    for one in snapshots:
        seen.append(weakref.ref(one.position))
        most.append(sum(ref() is not None for ref in seen))
        yield one
        del one


def test_writing_reading_and_labelling_hold_few_snapshots(tmp_path):
    path, most = tmp_path / "long.hdf5", []
    long = (replace(next(history()), lookback_gyr=13.0 - time, position=np.ones((8, 3))) for time in range(12))
    write_snapshots(path, HEADER, particles(), watched(long, most))
    host_by_history(watched(read_snapshots(path), most))
    formation_distance(watched(read_snapshots(path), most))
    assert len(most) == 36
    assert max(most) <= 2


def test_a_file_appears_whole_or_not_at_all(written, tmp_path):
    before = written.read_bytes()

    def breaks_off():
        yield next(history())
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        write_snapshots(written, HEADER, particles(), breaks_off())
    assert written.read_bytes() == before
    assert list(tmp_path.iterdir()) == [written]


def test_what_cannot_be_read_again_is_not_written(tmp_path):
    path = tmp_path / "h.hdf5"
    with pytest.raises(InputError, match="oldest first"):
        write_snapshots(path, HEADER, particles(), reversed(list(history())))
    with pytest.raises(InputError, match="no snapshot"):
        write_snapshots(path, HEADER, particles(), [])
    fewer = [replace(one, position=one.position[1:], velocity=one.velocity[1:], born=one.born[1:]) for one in history()]
    with pytest.raises(InputError, match=r"born has shape \(7,\), not \(8,\)"):
        write_snapshots(path, HEADER, particles(), fewer)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.zeros(N_PARTICLES, int)}, "8 rows have 1 different ids"),
        ({"ids": np.arange(3)}, r"formation_lookback_gyr has shape \(8,\), not \(3,\)"),
        ({"formation_position": np.zeros((N_PARTICLES, 2))}, "formation_position has shape"),
        ({"today_position": np.zeros(N_PARTICLES)}, "today_position has shape"),
        ({"accreted_truth": np.zeros(N_PARTICLES)}, "accreted_truth holds float64, not bool"),
    ],
)
def test_particles_that_do_not_fit_together_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(particles(), **change)


def everything(path):
    list(read_snapshots(path))
    read_history_particles(path)
    read_history_header(path)


def test_a_missing_file_is_named(tmp_path):
    for read in (lambda p: next(read_snapshots(p)), read_history_particles, read_history_header):
        with pytest.raises(InputError, match=r"no file .*gone\.hdf5"):
            read(tmp_path / "gone.hdf5")


def datasets(path):
    found = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, node: found.append(name) if isinstance(node, h5py.Dataset) else None)
    return found


def test_each_missing_dataset_is_named_with_its_file(written):
    needed = [name for name in datasets(written) if name != "particles/accreted_truth"]
    assert len(needed) == 1 + 5 + N_SNAPSHOTS * (3 + 5)
    for name in needed:
        with h5py.File(written, "a") as file:
            file.move(name, "kept")
        with pytest.raises(InputError) as caught:
            everything(written)
        assert str(caught.value) == f"{written}: no dataset /{name}; docs/histories.md lists what a history file holds"
        with h5py.File(written, "a") as file:
            file.move("kept", name)
    everything(written)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("snapshots/002/position", np.zeros((3, 3), "f4"), r"/snapshots/002: particle position has shape \(3, 3\)"),
        ("snapshots/002/born", np.ones(3, "u1"), r"/snapshots/002: born has shape \(3,\), not \(8,\)"),
        ("snapshots/001/halos/id", np.array([-4]), "/snapshots/001: halo ids reach down to -4"),
        ("snapshots/001/halos/sigma_v", np.array([np.nan]), "/snapshots/001: halo sigma_v holds values that are not"),
        ("snapshots/001/velocity", np.full((8, 3), np.nan), "/snapshots/001: 8 born particles have no finite velocity"),
        ("lookback_gyr", np.arange(6.0)[::-1], "/lookback_gyr has 6 times for 5 groups"),
        ("particles/id", np.zeros(8), "particle ids must be integers"),
    ],
)
def test_a_dataset_that_does_not_fit_is_named_with_its_file(written, name, values, message):
    with h5py.File(written, "a") as file:
        del file[name]
        file[name] = values
    with pytest.raises(InputError, match=f"{re.escape(str(written))}: {message}"):
        everything(written)


def test_a_file_of_another_layout_is_refused(written):
    with h5py.File(written, "a") as file:
        file.attrs["format_version"] = 2
    with pytest.raises(InputError, match="is of format_version 2, 1 is read here"):
        everything(written)
    with h5py.File(written, "a") as file:
        del file.attrs["format_version"]
    with pytest.raises(InputError, match="has no format_version"):
        everything(written)


def test_a_galaxy_without_a_name_is_refused(written):
    with h5py.File(written, "a") as file:
        del file.attrs["galaxy"]
    with pytest.raises(InputError, match="no attribute 'galaxy'"):
        read_history_header(written)


def refusal(path):
    try:
        everything(path)
    except InputError as error:
        return str(error)
    return None


def test_a_file_cut_short_is_refused_and_named(written, tmp_path):
    whole, cut = written.read_bytes(), tmp_path / "cut.hdf5"
    for place in range(0, len(whole), 997):
        cut.write_bytes(whole[:place])
        assert str(cut) in refusal(cut)


@pytest.mark.parametrize("signature", [b"TREE", b"HEAP", b"SNOD"])
def test_a_damaged_file_is_refused_and_named(written, tmp_path, signature):
    whole, damaged = written.read_bytes(), tmp_path / "damaged.hdf5"
    refusals = set()
    for found in re.finditer(signature, whole):
        damaged.write_bytes(whole[: found.start()] + b"?" + whole[found.start() + 1 :])
        refusals.add(refusal(damaged))
    # None: the group of metadata has no members to look for, so nothing of it is read.
    assert len(refusals - {None}) > 1
    assert all(str(damaged) in text for text in refusals - {None})


def test_text_written_as_bytes_is_read_as_text(written):
    with h5py.File(written, "a") as file:
        file.attrs["galaxy"] = np.bytes_(b"m12f")
        file["metadata"].attrs["halo finder"] = np.bytes_(b"AHF")
    header = read_history_header(written)
    assert (header.galaxy, header.metadata["halo finder"]) == ("m12f", "AHF")


def test_the_guide_lists_every_dataset_with_its_type_and_unit(written):
    rows = re.findall(r"^\| `/(\S+)` \| \S.*?\| (\w\d) \| (\S*) ?\|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {name: (kind, unit) for name, kind, unit in rows}
    with h5py.File(written, "r") as file:
        found = {
            name: (file[name].dtype.str[1:], file[name].attrs.get("unit", ""))
            for name in datasets(written)
            if not name.startswith("snapshots") or "/000/" in name
        }
    assert listed == found


def test_the_guides_code_converts_and_labels(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    label, convert = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    star = particles()
    simulation = [
        SimpleNamespace(
            lookback_gyr=one.lookback_gyr,
            stars=one,
            subhalos=SimpleNamespace(
                branch=one.halos.ids,
                position=one.halos.position,
                velocity=one.halos.velocity,
                r200m=one.halos.r200m,
                vrms=one.halos.sigma_v,
            ),
        )
        for one in history()
    ]
    given = {field.name: getattr(star, field.name) for field in fields(star)} | {"oldest_to_newest": simulation}
    exec(convert, given)  # noqa: S102 - the guide's own lines
    done = {}
    exec(label, done)  # noqa: S102 - likewise
    assert done["host"].tolist() == [40, IN_SITU] * 4
    near = np.sqrt((star.today_position**2).sum(axis=1)) < 16.0
    assert near.all()
    assert "both=1.0, distance_only=0.0, history_only=0.0" in capsys.readouterr().out
    np.testing.assert_array_equal(done["born_at"], formation_distance(history()))
    accreted = accreted_from_particles(star.ids, read_particle_ids(tmp_path / "accreted.npy"))
    assert accreted.tolist() == [True, False] * 4
