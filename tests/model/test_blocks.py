import dataclasses
import itertools
import subprocess
import sys

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.model import blocks as module
from exsitu.model.blocks import (
    VALIDATION_ROWS,
    ShuffledChunks,
    Table,
    ValidationBlocks,
    leading_exact,
    open_table,
    table,
    write_table,
)
from exsitu.model.inputs import Stars
from exsitu.model.network import build_network, weights_of
from exsitu.model.training import schedule, train


def numbered(n: int) -> Stars:
    """Stars whose one input is their number."""
    column = np.arange(n, dtype=np.float32)[:, None]
    return Stars(column, np.zeros_like(column), (column[:, 0] % 10 == 0).astype(np.float32), ("pmra",))


def first_column(chunks, count: int) -> np.ndarray:
    return np.concatenate([rows[:, 0] for _, rows in itertools.islice(chunks, count)])


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 16)
    monkeypatch.setattr(module, "WINDOW", 64)


@pytest.fixture(params=["memory", "file"])
def held(request, tmp_path) -> Table:
    stars = numbered(1000)
    if request.param == "memory":
        return table(stars, 1, seed=5)
    parts = (stars.take(np.arange(k, min(k + 300, 1000))) for k in range(0, 1000, 300))
    return write_table(tmp_path / "rows", parts, seed=5)


def test_every_pass_takes_every_star_once_in_a_new_order(held):
    taken = first_column(ShuffledChunks(held, 400, 0)(), 10)
    passes = taken.reshape(4, 1000)
    assert all(np.array_equal(np.sort(one), np.arange(1000)) for one in passes)
    assert len({tuple(one) for one in passes}) == 4


def test_so_it_does_of_more_rows_than_a_window_holds(small_windows, held):
    passes = first_column(ShuffledChunks(held, 400, 0)(), 10).reshape(4, 1000)
    assert all(np.array_equal(np.sort(one), np.arange(1000)) for one in passes)
    assert len({tuple(one) for one in passes}) == 4
    # Neighbours in one pass are none in the next, and every stretch holds stars of the whole table.
    together = [set(itertools.pairwise(one)) for one in passes]
    assert not together[0] & together[1] or len(together[0] & together[1]) < 10
    means = passes.reshape(4, 10, 100).mean(axis=2)
    assert np.abs(means - 499.5).max() < 5 * 1000 / 12**0.5 / 100**0.5


def test_an_epoch_sees_each_star_as_often_as_asked(small_windows, held, plan):
    cut = schedule(held, plan)
    taken = first_column(ShuffledChunks(held, cut.rows, 3)(), cut.chunks)
    counts = np.bincount(taken.astype(int), minlength=1000)
    assert counts.sum() == cut.chunks * cut.rows
    assert set(counts) <= {plan.draws_per_star - 1, plan.draws_per_star, plan.draws_per_star + 1}
    assert abs(len(taken) - plan.draws_per_star * 1000) <= cut.batch


@pytest.mark.parametrize("size", [10, 64, 400, 1000, 2300])
@pytest.mark.parametrize("begin", [1, 5, 20])
def test_reading_goes_on_where_it_stopped(small_windows, held, size, begin):
    whole = ShuffledChunks(held, size, 0)
    expected = list(itertools.islice(whole(), begin + 7))
    state = whole.state_at(begin)
    again = ShuffledChunks(held, size, 0)
    again.go_on(state)
    for (number, rows), (expected_number, expected_rows) in zip(again(), expected[begin:], strict=False):
        assert number == expected_number
        np.testing.assert_array_equal(rows, expected_rows)
    assert again.state_at(begin + 7) == whole.state_at(begin + 7)


def test_chunks_need_no_copy_and_are_not_written_again(held):
    chunks = list(itertools.islice(ShuffledChunks(held, 37, 0)(), 20))
    assert all(rows.ctypes.data % 64 == 0 and rows.flags.c_contiguous for _, rows in chunks)
    assert not any(np.shares_memory(a, b) for (_, a), (_, b) in itertools.combinations(chunks, 2))


def test_validation_counts_every_star_equally_often():
    held = table(numbered(5000), 1)
    blocks = ValidationBlocks(held, 3)
    numbers = []
    for epoch in (0, 1):
        read = list(blocks(epoch))
        seen = np.concatenate([rows[:counting, 0] for rows, _, counting in read])
        np.testing.assert_array_equal(np.bincount(seen.astype(int)), 3)
        assert all(len(rows) == VALIDATION_ROWS for rows, _, _ in read)
        numbers += [number for _, number, _ in read]
    assert numbers == list(range(2 * blocks.count))  # the seeds of draws: no two blocks share one


def test_a_training_from_a_file_learns_as_one_from_memory(spec, plan, training, validation, trained, tmp_path):
    parts = (training.take(np.arange(k, k + 1000)) for k in range(0, 4000, 1000))
    held = write_table(tmp_path / "rows", parts, seed=1)
    assert schedule(held, plan) == schedule(training, plan)
    network = build_network(spec, seed=1)
    history = train(network, held, validation, plan, max_epochs=3, seed=2)
    np.testing.assert_allclose(history["val_loss"].min(), trained.history["val_loss"].min(), rtol=0.1)
    # The same rows in the same order, in memory: the same bits.
    ordered = Table(np.array(held.rows()), held.columns, held.exact, held.covariance, held.stars, held.accreted)
    twin = build_network(spec, seed=1)
    train(twin, ordered, validation, plan, max_epochs=3, seed=2)
    for name, weights in weights_of(network).items():
        np.testing.assert_array_equal(weights, weights_of(twin)[name])


def test_a_table_written_twice_has_the_same_bytes_and_says_so(training, tmp_path):
    one, two, other = (write_table(tmp_path / name, [training], seed=s) for name, s in (("a", 1), ("b", 1), ("c", 2)))
    assert one.sha256 == two.sha256 != other.sha256
    assert one.source.read_bytes() == two.source.read_bytes()
    assert dataclasses.replace(one, stated_sha256="").sha256 == one.sha256
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["rows.f32", "rows.json"]
    assert (one.exact, one.stars, one.accreted) == (leading_exact(training), len(training), training.accreted)


def test_parts_that_differ_or_hold_nothing_are_refused(training, tmp_path):
    full = dataclasses.replace(training, correlations=np.zeros((len(training), 3), np.float32))
    with pytest.raises(InputError, match="part 2 holds"):
        write_table(tmp_path / "rows", [training, full], seed=1)
    with pytest.raises(InputError, match="0 stars to write"):
        write_table(tmp_path / "rows", [], seed=1)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_cut_short_or_missing_is_refused(training, tmp_path):
    with pytest.raises(InputError, match="no rows of a training"):
        open_table(tmp_path / "rows")
    write_table(tmp_path / "rows", [training], seed=1)
    with (tmp_path / "rows" / "rows.f32").open("r+b") as rows:
        rows.truncate(100)
    with pytest.raises(InputError, match="has 100 bytes, its card says"):
        open_table(tmp_path / "rows")


READER = """
import itertools, resource, sys
from pathlib import Path
from exsitu.model.blocks import ShuffledChunks, open_table
held = open_table(Path(sys.argv[1]))
for _, rows in itertools.islice(ShuffledChunks(held, 36_160, 0)(), len(held) // 36_160 + 1):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    def part(seed: int) -> Stars:
        values = np.random.default_rng(seed).standard_normal((250_000, 6), np.float32)
        label = (values[:, 0] > 1).astype(np.float32)
        columns = ("pmra", "pmdec", "parallax", "phot_g_mean_mag", "feh", "radial_velocity")
        return Stars(values, np.abs(values), label, columns)

    peaks = []
    for name, count in (("small", 2), ("large", 12)):
        held = write_table(tmp_path / name, map(part, range(count)), seed=1)
        command = [sys.executable, "-c", READER, str(tmp_path / name)]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) * 1024)
    grown = held.source.stat().st_size - (tmp_path / "small" / "rows.f32").stat().st_size
    assert grown > 100e6
    assert peaks[1] - peaks[0] < 0.2 * grown
