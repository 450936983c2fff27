"""Means and standard deviations of chunks are those of the whole."""

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.phase_space import SolarFrame
from exsitu.surveys.mock_files import Moments, describe_view, described_sun, stated_sun


def _chunks(n=5_000, parts=7):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"parallax": rng.exponential(0.5, n), "feh": rng.normal(1e6, 0.4, n), "l": 2.5})
    frame.loc[rng.random(n) < 0.3, "parallax"] = np.nan
    frame.loc[3, "parallax"] = np.inf
    return frame, [frame.iloc[rows] for rows in np.array_split(np.arange(n), parts)]


def test_moments_of_chunks_are_those_of_the_whole():
    frame, chunks = _chunks()
    moments = Moments(("parallax", "feh", "l", "b"))
    for chunk in chunks:
        moments.add(chunk)
    found = moments.summary()
    finite = frame["parallax"][np.isfinite(frame["parallax"])]
    assert moments.rows == len(frame)
    assert found["parallax"] == {
        "mean": pytest.approx(finite.mean(), rel=1e-12),
        "std": pytest.approx(finite.std(ddof=0), rel=1e-12),
        "count": len(finite),
    }
    # A scatter of 0.4 about a million: a sum of squares would have lost it.
    assert found["feh"]["std"] == pytest.approx(frame["feh"].std(ddof=0), rel=1e-6)
    assert found["l"] == {"mean": 2.5, "std": 0.0, "count": len(frame)}
    assert found["b"] == {"mean": None, "std": None, "count": 0}


def test_moments_do_not_depend_on_what_is_asked_of_the_processor(monkeypatch):
    # NumPy's own sums differ in the last bits between processors; these must not use them.
    _, chunks = _chunks()
    plain = Moments(("parallax", "feh"))
    for chunk in chunks:
        plain.add(chunk)
    monkeypatch.setattr(np, "sum", lambda *_: pytest.fail("np.sum was used"))
    monkeypatch.setattr(np, "mean", lambda *_: pytest.fail("np.mean was used"))
    again = Moments(("parallax", "feh"))
    for chunk in chunks:
        again.add(chunk)
    assert again.summary() == plain.summary() != Moments(()).summary()


def test_the_sun_reads_back_as_it_was_written():
    sun = SolarFrame(8.2, 0.0208, (11.1, 245.0, 7.25), "somewhere")
    about = describe_view("milky_way", 0, sun)
    back = described_sun(about)
    assert about["survey"] == "milky_way/lsr0"
    assert (back.r_sun_kpc, back.z_sun_kpc, back.v_sun_kms) == (sun.r_sun_kpc, sun.z_sun_kpc, sun.v_sun_kms)
    assert all(isinstance(value, str) for value in about.values())


@pytest.mark.parametrize("velocity", [None, "[1.0, 2.0]", "fast", '{"a": 1}'])
def test_a_file_that_does_not_say_where_the_sun_is_is_refused(velocity):
    about = {"solar_r_kpc": "8.2", "solar_z_kpc": "0.0"} | (
        {} if velocity is None else {"solar_velocity_kms": velocity}
    )
    with pytest.raises(InputError, match="does not say where the Sun is"):
        described_sun(about)


def test_metadata_that_are_no_text_are_refused_in_one_line(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"ra": [1.0]}).replace_schema_metadata({b"galaxy": b"\xff\xfe"})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InputError, match="cannot be read"):
        stated_sun(tmp_path / "t.parquet")
