"""Compressed files, unpacked as they are read, and limits on what a file may make of its size."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

from exsitu.errors import InputError

_PACKED: Mapping[bytes, Callable[..., Any]] = MappingProxyType(
    {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
)
PACKED_SUFFIXES = (".gz", ".bz2", ".xz")
"""How names of compressed files end."""

# Tables of numbers pack to a third, constant ones to a hundredth; what unpacks further is no table.
_UNPACKED_RATIO = 300
_UNPACKED_FREE = 1 << 28
_STATED_RATIO = 2000
_STATED_FREE = 1 << 33


def _unpacker(path: Path) -> Callable[..., Any] | None:
    with path.open("rb") as stream:
        head = stream.read(8)
    return next((opener for signature, opener in _PACKED.items() if head.startswith(signature)), None)


def is_packed(path: Path) -> bool:
    """
    Say whether a file is compressed by gzip, bzip2 or xz, by its first bytes.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bool
    """
    return _unpacker(path) is not None


class _Limited(io.RawIOBase):
    """Bytes of a compressed file, up to what an honest table unpacks to."""

    def __init__(self, stream: Any, path: Path) -> None:
        super().__init__()
        self._stream, self._path, self._bytes = stream, path, 0
        self._most = max(_UNPACKED_FREE, _UNPACKED_RATIO * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        block = self._stream.read(len(view))
        view[: len(block)] = block
        self._bytes += len(block)
        if self._bytes > self._most:
            raise InputError(
                f"{self._path} unpacks to more than {_UNPACKED_RATIO} times its size, which no table does; "
                "unpack it yourself and look at it"
            )
        return len(block)

    def close(self) -> None:
        self._stream.close()
        super().close()


def opened(path: Path) -> IO[bytes]:
    """
    Open a file for reading, unpacked where its first bytes say that it is compressed.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    file object of bytes
        Reading it raises InputError where it unpacks to what no table would.
    """
    opener = _unpacker(path)
    if opener is None:
        return path.open("rb")
    return cast("IO[bytes]", io.BufferedReader(_Limited(opener(path, "rb"), path), 1 << 20))


def refuse_overstated(path: Path, rows: int, row_bytes: int) -> None:
    """
    Refuse a file that states more rows than it can hold, before memory or time is spent on them.

    Parameters
    ----------
    path : Path
        The file.
    rows : int
        Rows it states.
    row_bytes : int
        Bytes of one row in memory.

    Raises
    ------
    InputError
        If they are thousands of times what lies in the file.
    """
    size = path.stat().st_size
    if rows * row_bytes > max(_STATED_FREE, _STATED_RATIO * size):
        raise InputError(f"{path} states {rows} rows and is {size} bytes long, too short for them; fetch it again")
