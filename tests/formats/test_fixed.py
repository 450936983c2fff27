"""IPAC's tables and the journals' machine-readable ones, with ids, units and missing values."""

import pandas as pd
import pytest
from table_files import stars, write_stars

from exsitu.errors import InputError
from exsitu.tables import describe, read_frames


@pytest.mark.parametrize("form", ["ipac", "mrt"])
def test_text_of_fixed_layout_is_read(form, tmp_path):
    path, frame = write_stars(form, tmp_path), stars()
    info = describe(path)
    assert (info.format, info.columns["parallax"]) == (form, "mas")
    found = pd.concat(read_frames(path, chunk_rows=15), ignore_index=True)
    assert found["source_id"].tolist() == frame["source_id"].tolist()
    assert found["parallax"].isna().tolist() == frame["parallax"].isna().tolist()
    assert found["ra"].tolist() == pytest.approx(frame["ra"].tolist(), rel=1e-6)


def test_a_damaged_one_is_refused(tmp_path):
    path = write_stars("mrt", tmp_path)
    path.write_text(path.read_text()[:600])
    with pytest.raises(InputError, match="cannot be read"):
        list(read_frames(path))
