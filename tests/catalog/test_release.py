"""A release appears whole, once, and stays as it is."""

import fcntl
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exsitu.catalog.formats import NAMES, read_catalog
from exsitu.catalog.manifest import is_selected, published, read_manifest, release_folder
from exsitu.catalog.release import current_release, next_version
from exsitu.catalog.verify import SCORES, verify_release
from exsitu.errors import GateError, ReleaseError
from exsitu.provenance import sha256_file, sha256_tree
from exsitu.tables import read_parquet

FILES = {*NAMES, SCORES, "README.md", "SHA256SUMS", "manifest.json", "score.png", "sky.png"}


def test_first_release_is_number_one_even_where_there_is_no_folder(tmp_path):
    assert next_version(tmp_path / "releases", "gaia") == "gaia-1"


def test_next_release_follows_the_highest_number_of_its_survey(tmp_path):
    for name in ("gaia-2", "gaia-10", "gaia-9", "hipparcos2-40", ".gaia-99-abc", "gaia-011", "gaia-x", "gaia2-50"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path, "gaia") == "gaia-11"
    assert next_version(tmp_path, "hipparcos2") == "hipparcos2-41"


@pytest.mark.parametrize("survey", ["", "Gaia", "../gaia", "gaia-1", ".gaia", "gaia\n", "2mass", "gaia_dr2"])
def test_survey_that_cannot_name_a_folder_is_refused(tmp_path, survey):
    with pytest.raises(ReleaseError, match="no release can be named after survey"):
        next_version(tmp_path, survey)


@pytest.mark.parametrize("version", ["", "gaia", "gaia-0", "gaia-01", "../gaia-1", "gaia-1/..", ".gaia-1", "gaia-1\n"])
def test_version_that_is_no_name_is_refused(tmp_path, version):
    with pytest.raises(ReleaseError, match="is no version"):
        release_folder(tmp_path, version)


def test_symbolic_link_in_the_place_of_a_release_is_refused(small_survey, suites, tmp_path):
    (tmp_path / "releases").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "releases" / "standin-1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReleaseError, match="symbolic link"):
        small_survey.build(tmp_path / "releases", suites)
    assert next_version(tmp_path / "releases", "standin") == "standin-2"
    assert not any((tmp_path / "elsewhere").iterdir())


def test_release_is_complete_read_only_and_verifies(finished, suites):
    assert {path.name for path in finished.iterdir()} == FILES
    assert finished.stat().st_mode & 0o777 == 0o555
    assert {path.stat().st_mode & 0o777 for path in finished.iterdir()} == {0o444}
    assert [check for check in verify_release(finished, suites=suites) if not check.passed] == []


def test_catalog_is_what_the_scorer_selects_in_the_survey_s_order(small_survey, finished):
    survey = small_survey.stars()
    outcome = small_survey.ScoreOfPosition().score(survey)
    expected = survey[is_selected(outcome["score"], small_survey.CUT)].reset_index(drop=True)
    catalog = read_catalog(finished / NAMES[0])
    assert len(catalog) > 10
    for name in catalog.columns.drop(["score", "flags"]):
        np.testing.assert_array_equal(catalog[name], expected[name])
    assert "ra_error" not in catalog
    assert catalog["radial_velocity"].isna().any()
    assert catalog["source_id"].min() > 2**53


def test_scores_are_those_of_all_stars_that_pass_the_parallax_cut(small_survey, finished):
    survey = small_survey.stars()
    passing = (survey["parallax"] > 0) & (survey["parallax_error"] < 0.1 * survey["parallax"])
    outcome = small_survey.ScoreOfPosition().score(survey)[passing]
    scores = read_parquet(finished / SCORES)
    assert scores["source_id"].tolist() == survey["source_id"][passing].tolist()
    np.testing.assert_array_equal(scores["score"], outcome["score"])
    np.testing.assert_array_equal(scores["flags"], outcome["flags"])
    assert scores["score"].isna().any()


def test_manifest_counts_every_star_and_says_where_all_came_from(small_survey, finished):
    survey, manifest = small_survey.stars(), read_manifest(finished)
    outcome = small_survey.ScoreOfPosition().score(survey)
    flags = outcome["flags"].to_numpy()
    counts = manifest["counts"]
    assert counts["read"] == len(survey)
    assert counts["scored"] == outcome["score"].notna().sum()
    assert counts["selected"] == len(read_catalog(finished / NAMES[0]))
    assert counts["passing_parallax_cut"] == len(read_parquet(finished / SCORES))
    assert counts["flagged"] == {
        "not_finite": ((flags & 1) != 0).sum(),
        "parallax_cut": ((flags & 2) != 0).sum(),
        "outside_training": ((flags & 4) != 0).sum(),
        "errors_missing": 0,
        "not_physical": 0,
    }
    assert manifest["model"] == small_survey.CHAMPION
    assert manifest["identity"]["weights_sha256"] == small_survey.WEIGHTS
    assert manifest["data"] == {"survey_digest": "a" * 64, "training_data_digest": "7" * 64}
    assert len(manifest["code"]["code_digest"]) == 64
    for name, entry in manifest["files"].items():
        assert entry == {"bytes": (finished / name).stat().st_size, "sha256": sha256_file(finished / name)}


def test_checksums_verify_without_exsitu(finished):
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=finished, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_page_says_what_it_is_what_columns_mean_and_how_to_verify_and_cite(finished):
    page = (finished / "README.md").read_text()
    catalog = read_catalog(finished / NAMES[0])
    assert page.startswith("# standin-1: accreted (ex situ) stars")
    assert f"{len(catalog)} stars of the survey `standin`" in page
    assert all(f"| `{name}` |" in page for name in catalog)
    for said in ("exsitu verify releases/standin-1", "arXiv:1907.06652", "exsitu 0", "J2015.5", "outside_training"):
        assert said in page


def test_release_does_not_depend_on_chunks_and_repeats_bit_by_bit(
    small_survey, finished, suites, tmp_path, monkeypatch
):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    built = [
        small_survey.build(
            tmp_path / str(rows) / "releases", suites, frames=small_survey.chunks(small_survey.stars(), rows)
        )
        for rows in (64, 400)
    ]
    assert sha256_tree(built[0]) == sha256_tree(built[1])
    assert read_manifest(built[0])["created"] == "2023-11-14T22:13:20+00:00"
    for name in (*NAMES, SCORES, "score.png", "sky.png"):
        assert sha256_file(built[0] / name) == sha256_file(finished / name)


def test_version_is_released_once(small_survey, copied, suites):
    before = sha256_tree(copied)
    with pytest.raises(ReleaseError, match=r"exists already.* use standin-2"):
        small_survey.build(copied.parent, suites)
    assert sha256_tree(copied) == before


def test_version_of_another_survey_is_refused(small_survey, suites, tmp_path):
    with pytest.raises(ReleaseError, match="gaia-1 is no version of survey 'standin'"):
        small_survey.build(tmp_path / "releases", suites, version="gaia-1")


@pytest.mark.parametrize("digest", ["weights_sha256", "model_digest"])
def test_network_that_is_not_the_champion_is_refused(small_survey, suites, tmp_path, digest):
    champion = {**small_survey.CHAMPION, digest: "4" * 64}
    with pytest.raises(ReleaseError, match=f"{digest} .*…, the champion 444444444444…"):
        small_survey.build(tmp_path / "releases", suites, champion=champion)


def test_empty_selection_is_refused_with_its_counts(small_survey, suites, tmp_path):
    with pytest.raises(
        ReleaseError, match=r"of 400 stars read \d+ pass the parallax cut, .* none has a score above 0.9999"
    ):
        small_survey.build(tmp_path / "releases", suites, cut=0.9999)
    assert published(tmp_path / "releases", "standin") == []
    assert [path.name for path in (tmp_path / "releases").iterdir()] == [".lock"]


def test_empty_selection_is_published_where_that_is_allowed_and_verifies(small_survey, suites, tmp_path):
    path = small_survey.build(tmp_path / "releases", suites, cut=0.9999, allow_empty=True)
    checks = verify_release(path, suites=suites)
    assert all(check.passed for check in checks), [check for check in checks if not check.passed]
    assert read_manifest(path)["counts"]["selected"] == 0
    assert len(read_parquet(path / "scores.parquet")) == read_manifest(path)["counts"]["passing_parallax_cut"] > 0
    assert "sky.png" not in (path / "README.md").read_text(encoding="utf-8")


def test_survey_without_one_well_measured_star_is_refused(small_survey, suites, tmp_path):
    frame = small_survey.stars().assign(parallax_error=5.0)
    with pytest.raises(ReleaseError, match="none of 400 stars passes the parallax cut"):
        small_survey.build(tmp_path / "releases", suites, frames=[frame])


def test_catalog_that_fails_its_gate_is_not_published_and_leaves_a_report(small_survey, suites, tmp_path):
    frame = small_survey.stars()
    with pytest.raises(GateError, match=r"gate catalog: .*source_id: expect_column_values_to_be_unique"):
        small_survey.build(tmp_path / "releases", suites, frames=[frame, frame], allow_doubts=True)
    assert published(tmp_path / "releases", "standin") == []
    assert (tmp_path / "reports" / "catalog-standin-1.md").is_file()


def test_survey_that_fails_its_suite_is_not_published_and_the_report_is_named(small_survey, suites, tmp_path):
    frame = small_survey.stars()
    with pytest.raises(
        GateError, match=r"gate gaia_survey: 1 of \d+ expectations failed on 800 rows, see .*survey-.*\.md"
    ):
        small_survey.build(tmp_path / "releases", suites, frames=[frame, frame])
    assert published(tmp_path / "releases", "standin") == []
    assert "source_id" in (tmp_path / "reports" / "survey-standin-1.md").read_text()


def test_release_without_the_suite_of_surveys_is_refused_whatever_is_allowed(small_survey, tmp_path):
    with pytest.raises(GateError, match=r"no suite .*gaia_survey\.json"):
        small_survey.build(tmp_path / "releases", tmp_path, allow_doubts=True)


def test_release_that_does_not_verify_is_not_published(small_survey, suites, tmp_path, monkeypatch):
    monkeypatch.setattr("exsitu.catalog.release._Tally.counts", {"read": 1, "scored": 1, "selected": 1, "flagged": {}})
    with pytest.raises((ReleaseError, KeyError)):
        small_survey.build(tmp_path / "releases", suites)
    assert published(tmp_path / "releases", "standin") == []


def test_two_releases_at_once_are_refused(small_survey, suites, tmp_path):
    releases = tmp_path / "releases"
    releases.mkdir()
    with (releases / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ReleaseError, match="another release is being written"):
            small_survey.build(releases, suites)


def test_survey_is_never_held_whole(small_survey, suites, tmp_path):
    seen = []
    most = 0

    def frames():
        nonlocal most
        for frame in small_survey.chunks(small_survey.stars(), 40):
            seen.append(weakref.ref(frame))
            most = max(most, sum(reference() is not None for reference in seen))
            yield frame

    small_survey.build(tmp_path / "releases", suites, frames=frames())
    assert most <= 3


def test_score_equal_to_the_cut_in_single_precision_is_compared_in_double():
    assert is_selected(np.array([0.8, 0.9, np.nan], np.float32), 0.8).tolist() == [True, True, False]
    assert is_selected(pd.Series([0.9], dtype="float32"), 0.9).tolist() == [False]


def test_release_is_current_while_all_that_decides_its_content_is_the_same(small_survey, copied):
    releases = copied.parent
    identity = small_survey.inputs().identity
    assert current_release(releases, "standin", identity) == copied
    assert current_release(releases, "gaia", identity) is None
    for change in ({"cut": 0.8}, {"survey_digest": "b" * 64}, {"max_fractional_parallax_error": 0.2}):
        assert current_release(releases, "standin", small_survey.inputs(**change).identity) is None
    champion = {**small_survey.CHAMPION, "weights_sha256": "4" * 64}
    assert current_release(releases, "standin", small_survey.inputs(champion=champion).identity) is None


def test_damaged_release_is_not_current(small_survey, copied):
    (copied / "manifest.json").write_text("{")
    assert current_release(copied.parent, "standin", small_survey.inputs().identity) is None


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    ["scoring", "exsitu.catalog.release.write_json", "exsitu.provenance._swap"],
    ids=["scoring", "manifest", "rename"],
)
def test_killed_release_leaves_nothing_under_its_name_and_the_next_one_succeeds(
    small_survey, finished, suites, tmp_path, moment
):
    releases = tmp_path / "releases"
    program = [sys.executable, str(Path(small_survey.__file__)), str(releases), str(suites), moment]
    died = subprocess.run(program, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert [path.name for path in releases.glob(".standin-1-*")], "the kill came too early to leave anything"
    assert published(releases, "standin") == []
    assert next_version(releases, "standin") == "standin-1"
    built = small_survey.build(releases, suites)
    assert [check for check in verify_release(built, suites=suites) if not check.passed] == []
    assert sorted(path.name for path in releases.iterdir()) == [".lock", "standin-1"]
    assert sha256_file(built / NAMES[0]) == sha256_file(finished / NAMES[0])
