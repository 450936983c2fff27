"""Text tables whose layout is more than delimiters: IPAC and the journals' machine-readable tables, by astropy."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from exsitu.formats.choice import refuse_repeated
from exsitu.formats.packed import opened
from exsitu.formats.text import decoded
from exsitu.table_formats import Contents, Format, native, nullable, plain_frame, reading


def _table(path: Path, form: str) -> Any:
    from astropy.io import ascii as astropy_ascii

    with opened(path) as stream:
        text = decoded(stream.read().decode("latin-1"))
    table = astropy_ascii.read(text, format=form, guess=False, fast_reader=False)
    refuse_repeated(path, table.colnames)
    return table


def _describe(form: str, path: Path, _: str | None) -> Contents:
    with reading(path):
        table = _table(path, form)
        return Contents({n: str(table[n].unit) if table[n].unit else None for n in table.colnames}, len(table))


def _frames(form: str, path: Path, _: str | None, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    with reading(path):
        table = _table(path, form)
        for start in range(0, len(table), chunk_rows):
            rows = {n: table[n][start : start + chunk_rows] for n in names}
            yield plain_frame(
                {n: nullable(native(np.ma.getdata(v), f"{path}: {n}"), np.ma.getmaskarray(v)) for n, v in rows.items()}
            )


IPAC = Format(partial(_describe, "ipac"), partial(_frames, "ipac"))
"""IPAC's tables, as IRSA gives them; read whole."""
MRT = Format(partial(_describe, "mrt"), partial(_frames, "mrt"))
"""Machine-readable tables of the AAS journals; read whole."""
