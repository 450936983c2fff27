"""Frames kept to be read in place: files mapped into memory, which processes share and the system drops when it must.

A survey of millions of stars is read anew by every training; of what is mapped only the rows that are used are copied.
"""

from pathlib import Path

import pandas as pd

from exsitu.provenance import publish_file


def keep_frame(path: Path, frame: pd.DataFrame) -> None:
    """
    Write a frame whole or not at all.

    Parameters
    ----------
    path : Path
        The file, ``.arrow`` (Feather, uncompressed, one batch).
    frame : DataFrame
        Numbers and booleans; its index is not kept.
    """
    import pyarrow as pa
    from pyarrow import feather

    # Of arrays, not of the frame: NaN must stay NaN, as a column with nulls would be copied when it is read.
    table = pa.table({str(name): pa.array(frame[name].to_numpy()) for name in frame})
    with publish_file(path) as staged:
        feather.write_feather(table, staged, compression="uncompressed", chunksize=max(1, len(frame)))


def kept_frame(path: Path) -> pd.DataFrame:
    """
    Map a frame into memory.

    Parameters
    ----------
    path : Path
        As `keep_frame` wrote it.

    Returns
    -------
    DataFrame
        Its numbers cannot be written to; a copy can.
    """
    from pyarrow import feather

    frame: pd.DataFrame = feather.read_table(path, memory_map=True).to_pandas(split_blocks=True)
    return frame
