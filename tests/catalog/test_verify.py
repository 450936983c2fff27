"""Damage to a release is named, and the audit counts what the truth says."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from exsitu.catalog.formats import NAMES, Header, read_catalog, write_fits_catalog
from exsitu.catalog.manifest import release_files, signed
from exsitu.catalog.verify import SCORES, audit_release, verify_release
from exsitu.errors import InputError
from exsitu.tables import read_parquet, write_parquet

FILES = [*NAMES, SCORES, "README.md", "SHA256SUMS", "score.png", "sky.png"]


def failures(folder, suites):
    return {check.name: check.detail for check in verify_release(folder, suites=suites) if not check.passed}


def edit(folder, *, sign=True, **changes):
    """Change the manifest, with a digest that fits or without."""
    manifest = {**json.loads((folder / "manifest.json").read_text()), **changes}
    (folder / "manifest.json").write_text(json.dumps(signed(manifest) if sign else manifest))


def replace(folder, name, frame):
    """Put another table in the place of a Parquet file and sign for it."""
    write_parquet(folder / name, [frame])
    edit(folder, files=release_files(folder))


def test_copy_of_a_release_verifies_and_every_check_says_what_it_found(copied, suites):
    checks = verify_release(copied, suites=suites)
    assert all(check.passed and check.detail for check in checks)
    assert {f"file {name}" for name in FILES} <= {check.name for check in checks}


@pytest.mark.parametrize("name", FILES)
def test_flipped_bit_is_named(copied, suites, name):
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    failed = failures(copied, suites)
    assert set(failed) == {f"file {name}", "contents"}
    assert failed[f"file {name}"].startswith("changed")


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_named(copied, suites, name):
    (copied / name).unlink()
    assert failures(copied, suites)[f"file {name}"] == "missing"


@pytest.mark.parametrize("name", ["extra.txt", ".hidden"])
def test_file_too_many_is_named(copied, suites, name):
    (copied / name).write_text("x")
    assert "not of this release" in failures(copied, suites)[f"file {name}"]


def test_folder_and_symbolic_link_inside_a_release_are_refused(copied, suites, tmp_path):
    (copied / "folder").mkdir()
    assert "no plain file" in failures(copied, suites)["files"]
    (copied / "folder").rmdir()
    shutil.move(copied / NAMES[1], tmp_path / NAMES[1])
    (copied / NAMES[1]).symlink_to(tmp_path / NAMES[1])
    assert "no plain file" in failures(copied, suites)["files"]


def test_release_under_another_name_and_a_link_to_it_are_refused(copied, suites):
    renamed = copied.rename(copied.parent / "standin-2")
    assert "manifest is of standin-1" in failures(renamed, suites)["name"]
    link = copied.parent / "standin-1"
    link.symlink_to(renamed)
    assert "symbolic link" in failures(link, suites)["name"]


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", "null"])
def test_manifest_that_is_missing_or_none_is_named(copied, suites, content):
    if content is None:
        (copied / "manifest.json").unlink()
    else:
        (copied / "manifest.json").write_text(content)
    assert set(failures(copied, suites)) == {"name", "manifest"}


@pytest.mark.parametrize("change", [{"created": "2001-01-01T00:00:00+00:00"}, {"cut": 0.91}, {"model": {}}])
def test_edited_manifest_is_named(copied, suites, change):
    edit(copied, sign=False, **change)
    assert "changed after it was written" in failures(copied, suites)["manifest"]


@pytest.mark.parametrize(
    "name", ["../standin-1/README.md", "/etc/passwd", "a/b", "..", "manifest.json", ".lock", "a\n"]
)
def test_manifest_that_names_a_file_elsewhere_is_refused(copied, suites, name):
    edit(copied, files={**release_files(copied), name: {"bytes": 0, "sha256": "0" * 64}})
    assert "only files of the release's own folder" in failures(copied, suites)["manifest"]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"version": "standin-7"}, "name"),
        ({"version": "../x"}, "manifest"),
        ({"schema_version": 2}, "manifest"),
        ({"cut": 0.95}, "score cut"),
        ({"cut": 0.85}, "scores"),
        ({"columns": ["source_id"]}, "columns"),
    ],
)
def test_signed_manifest_that_does_not_fit_the_files_fails_by_name(copied, suites, change, check):
    edit(copied, **change)
    assert check in failures(copied, suites)


@pytest.mark.parametrize("name", ["read", "passing_parallax_cut", "scored", "selected"])
def test_wrong_counts_are_named(copied, suites, name):
    counts = json.loads((copied / "manifest.json").read_text())["counts"]
    edit(copied, counts={**counts, name: 3})
    assert set(failures(copied, suites)) == {"counts"}


def test_wrong_flag_counts_are_named(copied, suites):
    counts = json.loads((copied / "manifest.json").read_text())["counts"]
    edit(copied, counts={**counts, "flagged": {**counts["flagged"], "outside_training": 0}})
    assert "flagged outside_training" in failures(copied, suites)["counts"]


def test_formats_that_disagree_in_one_bit_are_named(copied, suites):
    frame = read_catalog(copied / NAMES[1])
    frame.loc[2, "pmra"] = np.nextafter(frame.loc[2, "pmra"], 100.0)
    header = Header("standin-1", "standin", "gaia_dr2", "m", "5" * 64, 0.9, "exsitu 0")
    write_fits_catalog(copied / NAMES[1], frame, header)
    edit(copied, files=release_files(copied))
    assert failures(copied, suites) == {"formats": "catalog.fits does not hold the rows of catalog.parquet"}


def test_scores_that_are_not_the_catalog_s_are_named(copied, suites):
    scores = read_parquet(copied / SCORES)
    chosen = scores.index[scores["score"] > 0.9][0]
    replace(copied, SCORES, scores.assign(score=scores["score"].where(scores.index != chosen, np.float32(0.99999))))
    assert set(failures(copied, suites)) == {"scores"}


def test_repeated_ids_in_the_scores_are_named(copied, suites):
    scores = read_parquet(copied / SCORES)
    low = scores.index[scores["score"] < 0.5][:2]
    scores.loc[low[0], "source_id"] = scores.loc[low[1], "source_id"]
    replace(copied, SCORES, scores)
    assert "1 of" in failures(copied, suites)["unique ids"]


def test_catalog_that_would_not_pass_the_gate_is_named(copied, suites):
    for name in NAMES:
        assert (copied / name).is_file()
    frame = read_catalog(copied / NAMES[0]).assign(parallax_error=1.0)
    replace(copied, NAMES[0], frame)
    assert "fractional_error" in failures(copied, suites)["gate catalog"]


def truth_table(small_survey, tmp_path):
    """Truth of the small survey: stars in the north are accreted."""
    survey = small_survey.stars()
    truth = pd.DataFrame({"source_id": survey["source_id"], "accreted": survey["dec"].to_numpy() > 0.0})
    write_parquet(tmp_path / "truth.parquet", [truth.iloc[::-1].reset_index(drop=True)])
    return survey, truth["accreted"].to_numpy()


def test_audit_counts_what_the_truth_says(small_survey, finished, tmp_path):
    survey, accreted = truth_table(small_survey, tmp_path)
    score = small_survey.ScoreOfPosition().score(survey)["score"].to_numpy()
    scored, selected = np.isfinite(score), score > 0.9
    audit = audit_release(finished, tmp_path / "truth.parquet")
    assert audit["stars"] == scored.sum()
    assert audit["accreted"] == (scored & accreted).sum()
    assert audit["selected"] == selected.sum()
    assert audit["selected_accreted"] == (selected & accreted).sum()
    assert audit["purity"] == (selected & accreted).sum() / selected.sum()
    assert audit["efficiency_accreted"] == (selected & accreted).sum() / (scored & accreted).sum()
    assert audit["efficiency_in_situ"] == (selected & ~accreted).sum() / (scored & ~accreted).sum()


def test_audit_joins_ids_as_integers(small_survey, finished, tmp_path):
    # As floats all ids of the survey are a few numbers, so that a join through floats would mix the stars up.
    survey, accreted = truth_table(small_survey, tmp_path)
    assert survey["source_id"].astype(np.float64).nunique() < len(survey) / 100
    chosen = read_catalog(finished / NAMES[0])["source_id"]
    expected = pd.Series(accreted, index=survey["source_id"]).loc[chosen].sum()
    assert audit_release(finished, tmp_path / "truth.parquet")["selected_accreted"] == expected


def test_truth_of_another_survey_and_truth_given_twice_are_refused(small_survey, finished, tmp_path):
    survey, accreted = truth_table(small_survey, tmp_path)
    truth = pd.DataFrame({"source_id": survey["source_id"] + 2**40, "accreted": accreted})
    write_parquet(tmp_path / "other.parquet", [truth])
    with pytest.raises(InputError, match=r"does not know .* scored stars"):
        audit_release(finished, tmp_path / "other.parquet")
    write_parquet(tmp_path / "twice.parquet", [truth, truth])
    with pytest.raises(InputError, match="names a star twice"):
        audit_release(finished, tmp_path / "twice.parquet")
