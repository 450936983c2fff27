"""Frames read in place: what was kept comes back, shared and not writable."""

import numpy as np
import pandas as pd
import pytest

from exsitu.experiments.frames import keep_frame, kept_frame


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "source_id": np.array([3, 1, 2**62], np.int64),
            "parallax": [0.5, np.nan, 2.0],
            "v_r": np.array([1.0, -np.inf, np.nan], np.float32),
            "accreted": [True, False, True],
        },
        index=[7, 8, 9],
    )


def test_a_frame_comes_back_as_it_was_but_for_its_index(frame, tmp_path):
    keep_frame(tmp_path / "deep" / "frame.arrow", frame)
    pd.testing.assert_frame_equal(kept_frame(tmp_path / "deep" / "frame.arrow"), frame.reset_index(drop=True))


def test_numbers_are_read_in_place_and_cannot_be_written_to(frame, tmp_path):
    keep_frame(tmp_path / "frame.arrow", frame)
    kept = kept_frame(tmp_path / "frame.arrow")
    assert not any(kept[name].to_numpy().flags.owndata for name in ("source_id", "parallax", "v_r"))
    with pytest.raises(ValueError, match="read-only"):
        kept["parallax"].to_numpy()[0] = 1.0


def test_no_stars_are_a_frame_too(frame, tmp_path):
    keep_frame(tmp_path / "frame.arrow", frame.iloc[:0])
    assert kept_frame(tmp_path / "frame.arrow").dtypes.to_dict() == frame.dtypes.to_dict()
