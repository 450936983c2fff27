"""The rows a training reads: contiguous float32, in memory or in a file larger than it, shuffled anew for every pass.

A row is a star: inputs, the diagonal of the factor of its covariance (its errors, where these are uncorrelated) but for
the leading exact inputs, the factor's elements below the diagonal, label, weight. Up to `WINDOW` rows are shuffled as a
whole. Of more, a pass takes blocks of `BLOCK` rows in a random order and shuffles the rows of each window of blocks, so
that neither memory nor cost per star grows with the number of stars. Rows are mixed once, before the first pass, for
otherwise a window of a table sorted by label would hold stars of one class.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.model.inputs import Float32s, Stars, correlated_pairs, error_column
from exsitu.provenance import publish_folder, read_json, write_json

BLOCK = 1 << 10
WINDOW = 1 << 18  # 13 MB of the rows of a 5D network; a batch then mixes 256 blocks
VALIDATION_ROWS = 1 << 14

_ROWS = "rows.f32"
_CARD = "rows.json"
_BUCKETS = 64  # a file is mixed a bucket at a time: 8.5 GB (178 M stars) by 0.13 GB
_LITTLE = np.dtype("<f4")


@dataclass(frozen=True, eq=False)
class Table:
    """
    Stars as rows, in memory or on disk.

    Parameters
    ----------
    source : ndarray of float32 or Path
        The rows, or the file that holds them.
    columns : tuple of str
        Inputs, in order.
    exact : int
        Inputs, counted from the first, that have no errors.
    covariance : bool
        Whether rows hold the elements below the diagonal.
    stars, accreted : int
        Number of stars, and of those labelled accreted.
    stated_sha256 : str
        Digest of the rows' bytes; computed when asked for if empty.
    """

    source: Float32s | Path
    columns: tuple[str, ...]
    exact: int
    covariance: bool
    stars: int
    accreted: int
    stated_sha256: str = ""

    def __len__(self) -> int:
        """Return the number of stars."""
        return self.stars

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Numbers of the inputs of each element below the diagonal."""
        return list(correlated_pairs(self.columns)) if self.covariance else []

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return 2 * len(self.columns) - self.exact + len(self.pairs) + 2

    @property
    def sha256(self) -> str:
        """Digest of the rows' bytes."""
        return self.stated_sha256 or hashlib.sha256(self.rows().data).hexdigest()

    def rows(self) -> Float32s:
        """
        Rows to read from.

        Returns
        -------
        ndarray of float32, shape (n_stars, width)
            Of a file a fresh map: what was read of it leaves memory with the map.
        """
        if isinstance(self.source, Path):
            return np.memmap(self.source, _LITTLE, "r", shape=(self.stars, self.width))
        return self.source


def leading_exact(*samples: Stars) -> int:
    """
    How many inputs, counted from the first, no sample has an error of: these need no draws.

    Parameters
    ----------
    *samples : Stars
        Of the same columns.

    Returns
    -------
    int
    """
    uncertain = np.any([stars.errors.any(axis=0) for stars in samples], axis=0)
    return int(np.argmax(uncertain)) if uncertain.any() else len(uncertain)


def _rows(stars: Stars, exact: int) -> Float32s:
    if stars.errors[:, :exact].any():
        raise InputError(
            f"{', '.join(stars.columns[:exact])} must be exact, as in the training's rows; set errors to 0"
        )
    diagonal, below = stars.factor()
    weight = np.ones(len(stars), np.float32) if stars.weight is None else stars.weight
    return np.concatenate(
        [stars.values, diagonal[:, exact:], below, stars.label[:, None], weight[:, None]],
        axis=1,
        dtype=np.float32,
    )


def table(stars: Stars, exact: int, *, seed: int | None = None) -> Table:
    """
    Rows of stars in memory.

    Parameters
    ----------
    stars : Stars
        The stars.
    exact : int
        Inputs, counted from the first, that need no draws.
    seed : int, optional
        Mix more than `WINDOW` rows; without it they stay in order.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If an input that counts as exact has errors, or a covariance is not positive definite.
    """
    rows = _rows(stars, exact)
    if seed is not None and len(stars) > WINDOW:
        rows = np.take(rows, np.random.default_rng([seed, 1]).permutation(len(stars)), axis=0)
    return Table(rows, stars.columns, exact, stars.correlations is not None, len(stars), stars.accreted)


def write_table(folder: Path, parts: Iterable[Stars], *, seed: int) -> Table:
    """
    Write stars that come in parts as mixed rows, for a training on more than memory holds.

    Parameters
    ----------
    folder : Path
        Must not exist.
    parts : iterable of Stars
        Of the same columns, all with correlations or all without.
    seed : int
        Of the rows' order. The same parts and seed give the same bytes.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If there are no stars, the parts differ in columns or `Stars.require_usable` refuses one.
    FileExistsError
        If the folder exists.

    Notes
    -----
    Each row goes to one of 64 buckets at random, then each bucket is shuffled: every order is equally likely, and
    memory holds a part or a bucket.
    """
    rng = np.random.default_rng(seed)
    with publish_folder(folder, replace=False) as staged:
        buckets = [staged / f"bucket-{k}" for k in range(_BUCKETS)]
        card = _deal(parts, buckets, rng)
        digest = hashlib.sha256()
        with (staged / _ROWS).open("wb") as out:
            for bucket in buckets:
                rows = np.fromfile(bucket, _LITTLE).reshape(-1, card["width"])
                mixed = np.take(rows, rng.permutation(len(rows)), axis=0)
                digest.update(mixed.data)
                out.write(mixed.data)
                bucket.unlink()
        write_json(staged / _CARD, {**card, "sha256": digest.hexdigest()})
    return open_table(folder)


def _deal(parts: Iterable[Stars], buckets: list[Path], rng: np.random.Generator) -> dict[str, Any]:
    """Rows to buckets at random; gives what a card says of them."""
    card: dict[str, Any] = {}
    stars = accreted = 0
    for bucket in buckets:
        bucket.touch()
    for number, part in enumerate(parts, 1):
        part.require_usable(f"part {number}")
        exact = len(list(itertools.takewhile(lambda name: error_column(name) is None, part.columns)))
        rows = _rows(part, exact)
        same = {
            "columns": list(part.columns),
            "exact": exact,
            "covariance": part.correlations is not None,
            "width": rows.shape[1],
        }
        if card and card != same:
            raise InputError(f"part {number} holds {same}, the ones before {card}; all must be alike")
        card, stars, accreted = same, stars + len(part), accreted + part.accreted
        chosen = rng.integers(0, len(buckets), len(part))
        for k, bucket in enumerate(buckets):
            with bucket.open("ab") as out:
                out.write(rows[chosen == k].astype(_LITTLE).tobytes())
    if not stars:
        raise InputError("0 stars to write; give at least one part with stars")
    return {**card, "stars": stars, "accreted": accreted}


def open_table(folder: Path) -> Table:
    """
    Find the rows that `write_table` wrote.

    Parameters
    ----------
    folder : Path
        As `write_table` made it.

    Returns
    -------
    Table
        Nothing is read before a training needs it.

    Raises
    ------
    InputError
        If a file is missing, or the file of rows has another size than its card says.
    """
    try:
        card = read_json(folder / _CARD)
        held = Table(
            folder / _ROWS,
            tuple(card["columns"]),
            card["exact"],
            card["covariance"],
            card["stars"],
            card["accreted"],
            card["sha256"],
        )
        size = (folder / _ROWS).stat().st_size
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"no rows of a training in {folder} ({error!r}); write them with write_table") from None
    expected = held.stars * held.width * _LITTLE.itemsize
    if size != expected:
        raise InputError(f"{folder / _ROWS} has {size} bytes, its card says {expected}; write it anew")
    return held


def _aligned(rows: int, width: int) -> Float32s:
    """Empty rows that begin where TensorFlow wants a tensor to: it takes them as they are, and copies all others."""
    room = np.empty(rows * width + 16, np.float32)
    begin = -room.ctypes.data % 64 // 4
    return room[begin : begin + rows * width].reshape(rows, width)


class ShuffledChunks:
    """
    Rows in chunks of one size, pass after pass without end, each pass in an order of its own.

    Parameters
    ----------
    held : Table
        The rows.
    size : int
        Rows in a chunk.
    seed : int
        Of the order.

    Notes
    -----
    A chunk can hold the end of one pass and the beginning of the next. Whoever reads may be ahead of whoever asks
    `state_at`, so the state of the generator is kept for the beginning of each pass.
    """

    def __init__(self, held: Table, size: int, seed: int) -> None:
        self._table, self._size = held, size
        self._rng = np.random.default_rng(seed)
        self._first, self._states = 0, {0: self._rng.bit_generator.state}

    def state_at(self, chunk: int) -> dict[str, Any]:
        """
        State from which the chunks go on at a number.

        Parameters
        ----------
        chunk : int
            Not below the number asked for before; every chunk before it was read.

        Returns
        -------
        dict
            For `go_on`; JSON can hold it.
        """
        row = chunk * self._size
        last = max(0, row - 1) // len(self._table)  # the pass of the last row read has begun for certain
        for number in [k for k in list(self._states) if k < last]:
            del self._states[number]
        return {"chunk": chunk, "pass": last, "generator": self._states[last]}

    def go_on(self, state: dict[str, Any]) -> None:
        """
        Begin at a later chunk.

        Parameters
        ----------
        state : dict
            As `state_at` gave it.
        """
        self._first, self._states = state["chunk"], {state["pass"]: state["generator"]}

    def _windows(self, number: int) -> Iterator[tuple[Float32s, NDArray[np.int64]]]:
        """Rows of each window of a pass, and the order to take them in."""
        self._states[number] = self._rng.bit_generator.state
        total = len(self._table)
        if total <= WINDOW:
            yield self._table.rows(), self._rng.permutation(total)
            return
        blocks = self._rng.permutation(-(-total // BLOCK))
        for chosen in np.split(blocks, range(WINDOW // BLOCK, len(blocks), WINDOW // BLOCK)):
            rows = self._table.rows()
            window = np.concatenate([rows[b * BLOCK : (b + 1) * BLOCK] for b in chosen])
            yield window, self._rng.permutation(len(window))

    def __call__(self) -> Iterator[tuple[int, Float32s]]:
        """
        Read.

        Yields
        ------
        number : int
            The chunk's.
        rows : ndarray of float32, shape (size, width)
            The chunk.
        """
        number, begun = self._first, min(self._states)
        self._rng.bit_generator.state = self._states[begun]
        skip = number * self._size - begun * len(self._table)
        chunk, filled = _aligned(self._size, self._table.width), 0
        for window, whole in itertools.chain.from_iterable(map(self._windows, itertools.count(begun))):
            order, skip = whole[skip:], max(0, skip - len(whole))
            while len(order):
                taken, order = np.split(order, [self._size - filled])
                out = chunk[filled : filled + len(taken)]
                np.take(window, taken, axis=0, out=out, mode="clip")  # the mode that writes to `out` directly
                filled += len(taken)
                if filled == self._size:
                    yield number, chunk
                    chunk, filled, number = _aligned(*chunk.shape), 0, number + 1


class ValidationBlocks:
    """
    Rows of one epoch's validation in blocks of one size, a stated number of times over.

    Parameters
    ----------
    held : Table
        The rows.
    draws : int
        How often each star counts.
    """

    def __init__(self, held: Table, draws: int) -> None:
        self._table, self._total = held, draws * len(held)
        self.count = -(-self._total // VALIDATION_ROWS)

    def __call__(self, epoch: int) -> Iterator[tuple[Float32s, int, int]]:
        """
        Read.

        Parameters
        ----------
        epoch : int
            Which epoch's blocks, from 0.

        Yields
        ------
        rows : ndarray of float32, shape (VALIDATION_ROWS, width)
            A block; the last one is filled up.
        number : int
            Its number, of all epochs' blocks: the seed of its draws.
        counting : int
            How many rows, from the first, count.
        """
        first = epoch * self.count
        for number in range(self.count):
            start = number * VALIDATION_ROWS
            chosen = np.arange(start, start + VALIDATION_ROWS) % len(self._table)
            block = np.take(self._table.rows(), chosen, axis=0)
            yield block, first + number, min(VALIDATION_ROWS, self._total - start)
