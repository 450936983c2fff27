"""HDF5 in the layouts of tables: flat (ananke), a group of columns (vaex), compound (astropy, PyTables)."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from exsitu.errors import InputError
from exsitu.formats.choice import Table, choose_table
from exsitu.formats.packed import refuse_overstated
from exsitu.table_formats import Contents, Format, Units, native, nullable, plain_frame, reading

_PROBE_SECONDS = 30
_PROBE = """
import sys, h5py

def look(name, node):
    dict(node.attrs)
    if isinstance(node, h5py.Dataset) and node.shape and all(node.shape) and not (node.external or node.is_virtual):
        node[(0,) * node.ndim], node[tuple(n - 1 for n in node.shape)]

with h5py.File(sys.argv[1], "r") as file:
    file.visititems(look)
"""
_DEEPEST = 4
_META = ".__table_column_meta__"
_INDEX = "_index"


@dataclass(frozen=True, slots=True)
class _Stored:
    """One table: its columns as datasets (with their masks), or the fields of one compound dataset."""

    rows: int
    units: Units
    columns: Mapping[str, Any] = field(default_factory=dict)
    masks: Mapping[str, Any] = field(default_factory=dict)
    compound: Any = None

    def read(self, names: Sequence[str], rows: slice, path: Path) -> pd.DataFrame:
        """Some columns of some rows."""
        if self.compound is not None:
            read = self.compound.fields(list(names))[rows]
            return plain_frame({n: native(read[n], f"{path}: {n}") for n in names})
        values = {n: native(self.columns[n][rows], f"{path}: {n}") for n in names}
        masks = {n: np.asarray(self.masks[n][rows], bool) for n in names if n in self.masks}
        return plain_frame({n: nullable(v, masks[n]) if n in masks else v for n, v in values.items()})


def refuse_endless(path: Path) -> None:
    """
    Refuse a damaged file in which the HDF5 library would loop for ever or crash, by having another process try.

    Parameters
    ----------
    path : Path
        The file; one that did not change is looked at once.

    Raises
    ------
    InputError
        If that process crashed or did not come to an end.
    """
    state = path.stat()
    _probe(path.absolute(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _probe(path: Path, size: int, _: int) -> None:
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-c", _PROBE, str(path)], capture_output=True, timeout=_PROBE_SECONDS, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        ended = -1
    if ended < 0:
        raise InputError(f"{path} ({size} bytes) is damaged so that the HDF5 library does not end; fetch it again")


def _members(path: Path, group: Any) -> dict[str, Any]:
    """What lies in a group, of this file alone: a link may lead to any other on the machine."""
    import h5py

    members = {}
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise InputError(f"{path}: {name} is a link to another place, which is not followed; copy what it leads to")
        node = group[name]
        if isinstance(node, h5py.Dataset) and (node.external or node.is_virtual):
            raise InputError(f"{path}: the rows of {name} lie in other files, which are not read; copy them into one")
        members[name] = node
    return members


def _tables(path: Path, group: Any, place: str = "/", depth: int = 0) -> dict[str, _Stored]:
    """Every table below a group, by its place in the file."""
    import h5py

    if "pandas_type" in group.attrs:
        raise InputError(
            f"{path}: {place} has the layout of pandas' to_hdf (PyTables), which is not read; write it with to_parquet"
        )
    members = _members(path, group)
    found = _flat(path, place, members)
    for name, node in members.items():
        below = f"{place.rstrip('/')}/{name}"
        if isinstance(node, h5py.Dataset):
            if node.ndim == 1 and node.dtype.names:
                found[below] = _compound(node, members.get(name + _META))
        elif not name.startswith(_INDEX) and depth < _DEEPEST and "data" not in node:
            found |= _tables(path, node, below, depth + 1)
    return found


def _flat(path: Path, place: str, members: Mapping[str, Any]) -> dict[str, _Stored]:
    """Datasets of one length in a group, or groups of one column each, with its mask, as vaex has them."""
    import h5py

    groups = {n: _members(path, g) for n, g in members.items() if isinstance(g, h5py.Group)}
    columns = {**members, **{n: g["data"] for n, g in groups.items() if "data" in g}}
    columns = {n: c for n, c in columns.items() if isinstance(c, h5py.Dataset) and c.ndim == 1 and not c.dtype.names}
    columns = {n: c for n, c in columns.items() if not n.endswith(_META)}
    lengths = {c.shape[0] for c in columns.values()}
    if len(lengths) > 1 and place == "/":
        raise InputError(f"{path} has datasets of lengths {sorted(lengths)} at its root; all columns need one length")
    if len(lengths) != 1:
        return {}
    holed = [n for n in columns if "null_bitmap" in groups.get(n, {})]
    if holed:
        raise InputError(f"{path}: {holed[0]} has a bitmap of missing values, which is not read; export it as Parquet")
    masks = {n: groups[n]["mask"] for n in columns if "mask" in groups.get(n, {})}
    return {place: _Stored(lengths.pop(), {n: _unit(c.attrs) for n, c in columns.items()}, columns, masks)}


def _unit(attributes: Any) -> str | None:
    unit = next((attributes[key] for key in attributes if key.lower() in {"unit", "units"}), None)
    if isinstance(unit, np.ndarray) and unit.size == 1:
        unit = unit.item()
    return (unit.decode() if isinstance(unit, bytes) else str(unit)) if unit is not None else None


def _compound(node: Any, meta: Any) -> _Stored:
    units: Units = {n: None for n in node.dtype.names if node.dtype[n].shape == () and not node.dtype[n].names}
    if meta is not None:
        from astropy.table.meta import get_header_from_yaml

        columns = get_header_from_yaml([line.decode() for line in meta[()]])["datatype"]
        units |= {c["name"]: str(c["unit"]) for c in columns if c.get("unit") and c["name"] in units}
    return _Stored(node.shape[0], units, compound=node)


def _chosen(path: Path, file: Any, wanted: str | None) -> tuple[str | None, _Stored]:
    found = _tables(path, file)
    if not found:
        raise InputError(f"{path} holds no table: no datasets of one dimension; {', '.join(file) or 'it is empty'}")
    tables = [Table(n, place, tuple(each.units)) for n, (place, each) in enumerate(found.items(), 1)]
    chosen = choose_table(path, tables, wanted)
    stored = found[chosen.name]
    width = sum(c.dtype.itemsize for c in stored.columns.values()) or stored.compound.dtype.itemsize
    refuse_overstated(path, stored.rows, width)
    return (str(chosen.number) if len(found) > 1 else None), stored


def _describe(path: Path, table: str | None) -> Contents:
    import h5py

    refuse_endless(path)
    with reading(path), h5py.File(path, "r") as file:
        number, stored = _chosen(path, file, table)
        return Contents(stored.units, stored.rows, number)


def _frames(path: Path, table: str | None, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    import h5py

    with reading(path), h5py.File(path, "r") as file:
        _, stored = _chosen(path, file, table)
        for start in range(0, stored.rows, chunk_rows):
            yield stored.read(names, slice(start, start + chunk_rows), path)


HDF5 = Format(_describe, _frames)
"""HDF5, but for pandas' own layout."""
