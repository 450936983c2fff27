"""README's numbers are those of the recorded outcome, which is of what is committed; a run is compared with them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from exsitu.catalog.manifest import MANIFEST, SCHEMA_VERSION, release_files, signed
from exsitu.cli import main
from exsitu.errors import InputError
from exsitu.operations import outcome as module
from exsitu.operations.outcome import (
    BEGIN,
    END,
    NAMES,
    Outcome,
    compared,
    measured_outcome,
    paragraph,
    read_outcome,
    with_spreads,
    write_outcome,
)
from exsitu.provenance import read_json, write_json
from exsitu.settings import load_settings
from exsitu.tables import write_parquet

RUN = Outcome("quick", "a" * 40, "b" * 32, "c" * 64, "vm_last", 0.75, {"standin_selected": 2444.0, "hd_134439": 0.58})


def test_the_numbers_of_readme_are_those_of_the_record(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    told = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert told == paragraph(read_outcome(repository / "docs" / "outcome.json")), "run exsitu outcome --write"


def test_the_record_is_of_the_data_and_the_champion_that_are_committed(repository):
    recorded = read_outcome(repository / "docs" / "outcome.json")
    champion = read_json(repository / "champion.json")
    data = yaml.safe_load((repository / "data.dvc").read_text())["outs"][0]["md5"]
    remedy = "make catalog, exsitu promote --commit, exsitu outcome --write, and commit all of it"
    assert recorded.weights_sha256 == champion["weights_sha256"], remedy
    assert recorded.data == data, remedy
    assert recorded.cut == champion["cut"], remedy
    for name in ("auc", "purity", "efficiency_accreted"):
        assert recorded.numbers[f"target_{name}"] == champion["evaluation"][name], remedy


def test_the_record_has_every_number(repository):
    assert set(read_outcome(repository / "docs" / "outcome.json").numbers) == set(NAMES)


def test_a_run_is_compared_number_by_number_within_the_spread():
    others = [replace(RUN, numbers={"standin_selected": n, "hd_134439": s}) for n, s in ((2400.0, 0.9), (2500.0, 0.7))]
    recorded = with_spreads(RUN, others)
    assert recorded.spreads == {
        "standin_selected": pytest.approx(np.std([2444, 2400, 2500], ddof=1)),
        "hd_134439": pytest.approx(np.std([0.58, 0.9, 0.7], ddof=1)),
    }
    assert recorded.runs == 3
    assert compared(recorded, RUN) == ["all numbers of README came out here"]
    here = replace(RUN, numbers={"standin_selected": 1454.0, "hd_134439": 0.98})
    assert compared(recorded, here) == [
        "stand-in stars released: README says 2,444; this run 1,454: OUTSIDE ± 150 (3 sigma of 3 runs)",
        "score of HD 134439: README says 0.58; this run 0.98: within ± 0.48 (3 sigma of 3 runs)",
    ]
    assert compared(RUN, here)[0].endswith("this run 1,454: its spread over runs is not measured yet")
    assert "not compared" in compared(recorded, replace(here, profile="laptop"))[0]


def test_a_record_is_written_with_readme_and_read_again(tmp_path):
    readme, record = tmp_path / "README.md", tmp_path / "outcome.json"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    told = with_spreads(RUN, [replace(RUN, numbers={"standin_selected": 2400.0})])
    write_outcome(told, path=record, readme=readme)
    assert read_outcome(record) == told
    assert readme.read_text() == f"before\n{BEGIN}\n{paragraph(told)}\n{END}\nafter\n"
    assert "holds 2,444 of (not measured) stars" in paragraph(told).replace("\n", " ")
    assert "± 31 (stand-in stars released)" in paragraph(told).replace("\n", " ")
    assert max(map(len, paragraph(told).splitlines())) <= 120
    readme.write_text("no marks")
    with pytest.raises(InputError, match="must hold the marks"):
        write_outcome(told, path=record, readme=readme)


@pytest.mark.parametrize("change", [{"numbers": {"magic": 1}}, {"extra": 1}])
def test_a_record_of_something_else_is_refused(tmp_path, change):
    write_json(tmp_path / "outcome.json", {**json.loads(json.dumps(RUN.__dict__)), **change})
    with pytest.raises(InputError, match="exsitu outcome --write"):
        read_outcome(tmp_path / "outcome.json")


def release(folder, ids, counts):
    """A release of these stars, the first of which are selected."""
    scores = np.linspace(0.9, 0.0, len(ids))
    write_parquet(folder / "scores.parquet", [pd.DataFrame({"source_id": np.array(ids, np.int64), "score": scores})])
    empty = {key: {} for key in ("identity", "flags", "data", "code", "provenance")}
    named = {"version": folder.name, "survey": "x", "data_release": "gaia_dr2", "created": "2026-01-01T00:00:00Z"}
    numbers = {"schema_version": SCHEMA_VERSION, "cut": 0.5, "max_fractional_parallax_error": 0.1, "columns": []}
    model = {"weights_sha256": "c" * 64}
    files = release_files(folder)
    write_json(
        folder / MANIFEST, signed({**empty, **named, **numbers, "model": model, "counts": counts, "files": files})
    )


@pytest.fixture
def made(tmp_path, repository, monkeypatch):
    """A checkout in which the pipeline ran."""
    monkeypatch.chdir(tmp_path)
    params = (repository / "params.yaml").read_text()
    Path("params.yaml").write_text(params)
    best = {"auc": 0.95, "purity": 0.3, "efficiency_accreted": 0.5, "cut": 0.75}
    found = {"variants": {"vm_last": best}, "best": "vm_last", "passed": True, "holdout": best}
    write_json(Path("build/evaluation/evaluation.json"), found)
    write_json(Path("build/pretrained/metrics.json"), {"auc": 0.97})
    release(Path("releases/standin-9"), [1], {"passing_parallax_cut": 1, "selected": 1})
    release(Path("releases/standin-10"), range(10), {"passing_parallax_cut": 10, "selected": 5})
    pair = [74235, 7, 74234, 71683, 87937]
    release(Path("releases/hipparcos2-1"), pair, {"passing_parallax_cut": 5, "selected": 2})
    truth = pd.DataFrame({"source_id": np.arange(10), "accreted": np.arange(10) % 2 == 0})
    write_parquet(Path("data/milkyway/truth.parquet"), [truth])
    Path("data.dvc").write_text("outs:\n- md5: abc.dir\n  path: data\n")
    return tmp_path


def test_a_run_is_gathered_from_what_stages_and_the_newest_releases_hold(made):
    here = measured_outcome(load_settings(), build=Path("build"), releases=Path("releases"), root=Path())
    assert set(here.numbers) == set(NAMES)
    assert (here.data, here.weights_sha256, here.variant, here.cut) == ("abc.dir", "c" * 64, "vm_last", 0.75)
    assert here.numbers["standin_selected"] == 5
    assert here.numbers["standin_purity"] == pytest.approx(2 / 4)
    assert here.numbers["standin_efficiency_in_situ"] == pytest.approx(2 / 5)
    assert here.numbers["hd_134439"] == pytest.approx(0.9)
    assert here.numbers["barnards_star"] == 0.0


def test_the_command_saves_records_and_compares(made, monkeypatch):
    Path("docs").mkdir()
    Path("README.md").write_text(f"{BEGIN}\n{END}\n")
    assert CliRunner().invoke(main, ["outcome", "--save", "other.json"]).exit_code == 1  # there is no record yet
    done = CliRunner().invoke(main, ["outcome", "--write", "--other", "other.json"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "all numbers of README came out here"
    assert read_outcome(module.OUTCOME).runs == 2
    assert "HD 134439/134440 comes to 0.90" in Path("README.md").read_text().replace("\n", " ")


def test_without_a_release_it_says_what_to_run(made):
    import shutil

    shutil.rmtree("releases")
    with pytest.raises(InputError, match="make catalog"):
        measured_outcome(load_settings(), build=Path("build"), releases=Path("releases"), root=Path())
