"""Damaged files of every format end in the stars as they were, or in one line: no traceback, no endless reading."""

import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from table_files import WRITERS, write_stars

from exsitu.errors import InputError
from exsitu.tables import describe, frames_of

# astropy leaves a file to the garbage collector where its first header is damaged.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

SECONDS = 150
"""Far beyond what any reading here takes; what takes longer hangs."""

CHECKED = ("fits", "fits.gz", "fits.bz2", "vot.gz", "csv.gz", "csv.bz2", "parquet", "fletcher.hdf5")
"""Formats whose files carry checksums of the values; the last two of nothing else."""


def flip(data: bytearray, rng: np.random.Generator) -> bytearray:
    for place in rng.integers(0, len(data), rng.integers(1, 4)):
        data[place] ^= 1 << rng.integers(0, 8)
    return data


def cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: rng.integers(1, len(data))]


def repeat(data: bytearray, rng: np.random.Generator) -> bytearray:
    start = rng.integers(0, len(data))
    stop = start + rng.integers(1, 600)
    return data[:stop] + data[start:]


def insert(data: bytearray, rng: np.random.Generator) -> bytearray:
    place = rng.integers(0, len(data))
    return data[:place] + rng.bytes(rng.integers(1, 40)) + data[place:]


def zero(data: bytearray, rng: np.random.Generator) -> bytearray:
    start = rng.integers(0, len(data))
    stop = min(len(data), start + rng.integers(1, 600))
    return data[:start] + bytes(stop - start) + data[stop:]


class TooLongError(BaseException):
    """Not of the kinds that the readers turn into a line of their own."""


DAMAGES = (flip, cut, repeat, insert, zero)


@contextmanager
def no_longer_than(seconds: int):
    def stop(*_):
        raise TooLongError(f"still reading after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def read(path: Path) -> tuple[dict[str, str | None], pd.DataFrame]:
    info = describe(path)
    return info.columns, pd.concat(frames_of(info, chunk_rows=30), ignore_index=True)


def outcome(path: Path) -> tuple[dict[str, str | None], pd.DataFrame] | None:
    line = ""
    try:
        with no_longer_than(SECONDS):
            return read(path)
    except InputError as error:
        line = str(error)
    assert line
    assert "\n" not in line
    return None


def damage_and_read(form: str, seeds: range, folder: Path) -> None:
    whole = write_stars(form, folder)
    data, (units, stars) = whole.read_bytes(), read(whole)
    for seed in seeds:
        rng = np.random.default_rng([seed, *form.encode()])
        damaged = DAMAGES[seed % len(DAMAGES)](bytearray(data), rng)
        path = folder / f"{seed}.{form}"
        path.write_bytes(damaged)
        found = outcome(path)
        path.unlink()
        if found is not None and form in CHECKED:
            of_values_alone = form in CHECKED[-2:]
            assert found[0] == units or of_values_alone, seed
            same = found[1].set_axis(stars.columns, axis="columns") if of_values_alone else found[1]
            pd.testing.assert_frame_equal(same, stars, obj=f"seed {seed}")


@pytest.mark.slow
@pytest.mark.parametrize("form", WRITERS)
def test_damaged_files_are_refused_in_one_line(form, tmp_path):
    damage_and_read(form, range(20 if "hdf5" in form else 95), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("form", WRITERS)
def test_many_damaged_files_are_refused_in_one_line(form, tmp_path):
    damage_and_read(form, range(95, 200 if "hdf5" in form else 500), tmp_path)
