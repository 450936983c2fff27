"""Scores are written as the file's name says, to be read by others, with what was kept of the survey."""

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from exsitu.catalog import score_files
from exsitu.catalog.score_files import SUFFIXES, kept_columns, write_scores
from exsitu.columns import COLUMNS
from exsitu.errors import InputError
from exsitu.tables import describe

ROWS = 10
FACTS = {"weights_sha256": "5" * 64}


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A survey with an id that no float holds, text, whole numbers some of which are missing, and flags."""
    frame = pd.DataFrame(
        {
            "source_id": np.arange(ROWS) + (1 << 60) + 1,
            "plx": np.linspace(0.1, 3.0, ROWS),
            "name": ["a", None, "ccc", *"defghij"],
            "visits": pd.array([1, None, 999999, *range(7)], dtype="Int64"),
            "good": [True, False] * (ROWS // 2),
        }
    )
    path = tmp_path_factory.mktemp("survey") / "stars.vot"
    table = Table.from_pandas(frame)
    table["plx"].unit = "mas"
    table.write(path, format="votable")
    return path, frame


def scores(frame, rows=3):
    """Scores of the survey's rows, in chunks that are not those in which it is read."""
    score = np.linspace(0.0, 1.0, ROWS, dtype=np.float32)
    score[1] = np.nan
    for start in range(0, ROWS, rows):
        part = slice(start, start + rows)
        yield {
            "row": np.arange(ROWS)[part],
            "source_id": frame["source_id"].to_numpy()[part],
            "score": score[part],
            "flags": np.arange(ROWS, dtype=np.int32)[part],
        }


def read(path):
    if path.suffix == ".parquet":
        return Table.from_pandas(pd.read_parquet(path))
    return Table.read(path, format={"votable": "votable"}.get(SUFFIXES[path.suffix]))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("keep", [None, "all"])
def test_every_format_holds_the_scores_and_what_was_kept(survey, tmp_path, suffix, keep):
    path, frame = survey
    kept = None if keep is None else kept_columns(describe(path), keep, "source_id")
    written = tmp_path / f"scores{suffix}"
    write_scores(written, scores(frame), metadata=FACTS, kept=kept, chunk_rows=4)
    found = read(written)
    assert found.colnames == ["row", "source_id", "score", "flags", *([] if keep is None else list(frame)[1:])]
    np.testing.assert_array_equal(found["source_id"], frame["source_id"])
    expected = np.concatenate([chunk["score"] for chunk in scores(frame)])
    np.testing.assert_array_equal(np.ma.filled(found["score"].astype(np.float32), np.nan), expected)
    if keep is not None:
        np.testing.assert_array_equal(found["plx"], frame["plx"])
        visits = np.ma.filled(np.ma.masked_invalid(np.ma.asarray(found["visits"]).astype(float)), -1)
        np.testing.assert_array_equal(visits, frame["visits"].fillna(-1).to_numpy(float))
        assert [str(value) in ("True", "1") for value in found["good"]] == frame["good"].tolist()
        assert [str(n) for n in found["name"][2:]] == frame["name"][2:].tolist()


@pytest.mark.parametrize("suffix", [".fits", ".vot", ".ecsv"])
def test_formats_with_a_place_for_them_state_units_ucds_and_descriptions(survey, tmp_path, suffix):
    path, frame = survey
    written = tmp_path / f"scores{suffix}"
    write_scores(written, scores(frame), metadata=FACTS, kept=kept_columns(describe(path), "plx", None), chunk_rows=4)
    found = read(written)
    for name in ("source_id", "score", "flags"):
        assert found[name].description == COLUMNS[name].description
        assert found[name].meta["ucd"] == COLUMNS[name].ucd
    assert str(found["plx"].unit) == "mas"


def test_parquet_states_units_of_what_was_kept_and_the_weights(survey, tmp_path):
    import pyarrow.parquet as pq

    path, frame = survey
    kept = kept_columns(describe(path), "plx", None)
    write_scores(tmp_path / "s.parquet", scores(frame), metadata=FACTS, kept=kept, chunk_rows=4)
    schema = pq.read_schema(tmp_path / "s.parquet")
    assert schema.field("plx").metadata[b"unit"] == b"mas"
    assert schema.field("score").metadata[b"ucd"].decode() == COLUMNS["score"].ucd
    assert schema.metadata[b"weights_sha256"] == b"5" * 64


def test_fits_is_whole_for_java_tools_too_and_carries_checksums(survey, tmp_path):
    from astropy.io import fits

    write_scores(tmp_path / "s.fits", scores(survey[1]), metadata=FACTS, kept=None, chunk_rows=4)
    with fits.open(tmp_path / "s.fits", checksum=True) as file:
        file.verify("exception")
        header = file[1].header
    assert header["TUCD3"] == COLUMNS["score"].ucd
    assert header["TCOMM3"] == COLUMNS["score"].description
    assert header["WEIGHTS"] == "5" * 64
    assert {"CHECKSUM", "DATASUM"} <= set(header)


@pytest.mark.parametrize("suffix", [".fits", ".vot", ".ecsv"])
def test_a_table_too_large_to_be_held_is_refused_and_nothing_is_left(survey, tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(score_files, "MOST_ROWS", 5)
    with pytest.raises(
        InputError, match=rf"s{suffix}: this format is written whole, at most 5 rows .*\.parquet or \.csv"
    ):
        write_scores(tmp_path / f"s{suffix}", scores(survey[1]), metadata=FACTS, kept=None, chunk_rows=4)
    assert list(tmp_path.iterdir()) == []


def test_text_that_fits_cannot_hold_is_refused_by_column(tmp_path):
    pd.DataFrame({"ra": [1.0] * ROWS, "star": ["é"] * ROWS}).to_parquet(tmp_path / "in.parquet")
    frame = pd.DataFrame({"source_id": np.arange(ROWS)})
    kept = kept_columns(describe(tmp_path / "in.parquet"), "star", None)
    with pytest.raises(InputError, match="star holds 'é', and FITS knows ASCII alone"):
        write_scores(tmp_path / "s.fits", scores(frame), metadata=FACTS, kept=kept, chunk_rows=4)


@pytest.mark.parametrize(
    ("names", "clash"), [(["score", "ra"], "score"), (["Flags", "ra"], "Flags"), (["V", "v"], "V, v")]
)
def test_names_that_clash_are_refused(tmp_path, names, clash):
    pd.DataFrame({name: [1.0] for name in names}).to_parquet(tmp_path / "in.parquet")
    with pytest.raises(InputError, match=f"{clash} cannot be kept: it has"):
        kept_columns(describe(tmp_path / "in.parquet"), "all", None)


def test_an_id_that_is_written_anyway_is_kept_once_and_another_stays(tmp_path):
    pd.DataFrame({"SOURCE_ID": [1], "HIP": [7], "ra": [1.0]}).to_parquet(tmp_path / "in.parquet")
    info = describe(tmp_path / "in.parquet")
    assert kept_columns(info, "all", "SOURCE_ID").names == ("HIP", "ra")
    with pytest.raises(InputError, match="SOURCE_ID cannot be kept"):
        kept_columns(info, "all", "HIP")
