"""A file of stars goes in, a file of scores comes out, in the same order, whatever the chunks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.model.scoring import Flag
from exsitu.settings import Settings, load_settings
from exsitu.stages.score import load_scorer, score
from exsitu.tables import read_parquet


@pytest.fixture(scope="module")
def settings(repository: Path) -> Settings:
    return load_settings(repository / "params.yaml")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Folder of a network that nobody trained."""
    from exsitu.model.inputs import input_columns
    from exsitu.model.network import ModelCard, build_network, save_model
    from exsitu.provenance import write_json

    folder = tmp_path_factory.mktemp("model")
    card = ModelCard("5D", "measured", (8, 8), dict.fromkeys(input_columns("5D"), (-400.0, 400.0)))
    save_model(folder, build_network(card, seed=1), card)
    write_json(folder / "recipe.json", {"cut": 0.5})
    return folder


@pytest.fixture
def stars() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    rows = 3000
    return pd.DataFrame(
        {
            "source_id": rng.permutation(rows) + (1 << 60),
            "l": rng.uniform(-180.0, 180.0, rows),
            "b": rng.uniform(-90.0, 90.0, rows),
            "pmra": np.where(rng.random(rows) < 0.01, np.nan, rng.normal(0.0, 10.0, rows)),
            "pmdec": rng.normal(0.0, 10.0, rows),
            "parallax": rng.uniform(-0.5, 3.0, rows),
            "parallax_error": 0.1,
            "pmra_error": np.float32(0.5),
            "pmdec_error": np.float32(0.5),
        }
    )


def scored(settings, model, source, output, **how):
    counts = score(settings, source, output=output, model=model, champion_file=Path(), models=(), **how)
    return counts, read_parquet(output)


def test_scores_are_those_of_the_table_in_its_order(settings, model, stars, tmp_path):
    stars.to_parquet(tmp_path / "stars.parquet", row_group_size=700)
    scorer, _ = load_scorer(settings, Path(), (), model=model)
    expected = scorer.score(stars.assign(row=np.arange(len(stars))))
    cut = float(expected["score"].median())
    counts, found = scored(settings, model, tmp_path / "stars.parquet", tmp_path / "scores.parquet", cut=cut)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert list(found) == ["row", "source_id", "score", "flags"]
    assert counts == {
        "rows": 3000,
        "scored": int(expected["score"].notna().sum()),
        "selected": int((expected["score"] > cut).sum()),
        "cut": cut,
        "flags": {flag.name.lower(): int(((expected["flags"] & int(flag)) != 0).sum()) for flag in Flag},
        "not_physical": {},
        "cautions": [],
        "warnings": [],
        "notes": [],
    }
    assert 0 < counts["selected"] < counts["scored"] < 3000


def test_chunks_and_formats_change_no_byte(settings, model, stars, tmp_path):
    stars.to_parquet(tmp_path / "stars.parquet", row_group_size=700)
    stars.to_csv(tmp_path / "stars.csv", index=False)
    small = settings.model_copy(update={"chunk_rows": 123})
    files = []
    for number, (how, source) in enumerate(
        [(settings, "stars.parquet"), (small, "stars.parquet"), (small, "stars.csv")]
    ):
        files.append(tmp_path / f"scores-{number}.parquet")
        scored(how, model, tmp_path / source, files[-1], draws=4, seed=2)
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()


def test_draws_add_their_columns(settings, model, stars, tmp_path):
    stars.to_parquet(tmp_path / "stars.parquet")
    _, found = scored(settings, model, tmp_path / "stars.parquet", tmp_path / "scores.parquet", draws=32)
    assert list(found) == ["row", "source_id", "score", "score_mean", "score_p16", "score_p84", "flags"]
    has = found["score"].notna()
    for name in ("score_mean", "score_p16", "score_p84"):
        assert (found[name].notna() == has).all()
    assert (found["score_p16"] <= found["score_p84"])[has].all()


def test_stars_without_ids_or_errors_are_scored_where_that_is_allowed(settings, model, stars, tmp_path):
    bare = stars.drop(columns=["source_id", "parallax_error", "pmra_error"])
    bare.to_parquet(tmp_path / "stars.parquet")
    counts, found = scored(
        settings, model, tmp_path / "stars.parquet", tmp_path / "scores.parquet", allow_missing_errors=True, draws=2
    )
    assert list(found) == ["row", "score", "score_mean", "score_p16", "score_p84", "flags"]
    positive = (bare["parallax"] > 0) & bare["pmra"].notna()
    assert counts["scored"] == positive.sum()


def test_a_mock_is_seen_from_its_own_sun_and_any_other_file_from_the_milky_ways(settings, stars, tmp_path):
    from exsitu.model.inputs import input_columns, values_from_frame
    from exsitu.model.network import ModelCard, build_network, rebuilt, save_model, seen_from
    from exsitu.model.scoring import network_scores
    from exsitu.phase_space import frame
    from exsitu.provenance import write_json
    from exsitu.surveys.mock_files import describe_view
    from exsitu.tables import write_parquet

    taught = seen_from(
        ModelCard("5D", "rest_frame", (8, 8), dict.fromkeys(input_columns("5D"), (-400.0, 400.0))), frame("m12i/lsr0")
    )
    network = build_network(taught, seed=1)
    save_model(tmp_path / "model", network, taught)
    write_json(tmp_path / "model" / "recipe.json", {"cut": 0.5})
    stars = stars[stars["pmra"].notna() & (stars["parallax"] > 1.1)].reset_index(drop=True)
    write_parquet(tmp_path / "mock.parquet", [stars], metadata=describe_view("m12f", 1, frame("m12f/lsr1")))
    stars.to_csv(tmp_path / "survey.csv", index=False)
    for source, sun in (("mock.parquet", "m12f/lsr1"), ("survey.csv", "milky_way")):
        _, found = scored(settings, tmp_path / "model", tmp_path / source, tmp_path / "scores.parquet")
        here = seen_from(taught, frame(sun))
        values = values_from_frame(stars, here.inputs)
        np.testing.assert_allclose(found["score"], network_scores(rebuilt(network, here), values), atol=1e-6)
        assert np.abs(found["score"] - network_scores(network, values)).max() > 1e-4


def test_slips_that_select_stars_are_warned_of(settings, model, real_stars, tmp_path):
    slips = {
        "right": ({}, None),
        "arcsec": ({n: real_stars[n] / 1000.0 for n in ("parallax", "parallax_error")}, "the median parallax"),
        "swapped": ({"pmra": real_stars["pmdec"], "pmdec": real_stars["pmra"]}, "pmra and pmdec are swapped"),
        "radians": ({n: np.radians(real_stars[n]) for n in ("ra", "dec")}, "both seem to be radians"),
        "hours": ({"ra": real_stars["ra"] / 15.0}, "ra seems to be in hours"),
    }
    for name, (slip, said) in slips.items():
        real_stars.assign(**slip).to_csv(tmp_path / f"{name}.csv", index=False)
        counts = score(settings, tmp_path / f"{name}.csv", model=model, champion_file=Path(), models=())
        if said is None:
            assert counts["warnings"] == []
        else:
            assert any(said in warning for warning in counts["warnings"]), (name, counts)


@pytest.fixture(scope="module")
def real_stars() -> pd.DataFrame:
    """Every twentieth star of Hipparcos-2."""
    from exsitu.surveys.hipparcos import read_hipparcos

    names = ["source_id", "ra", "dec", "parallax", "parallax_error", "pmra", "pmdec"]
    return pd.concat(read_hipparcos(chunk_rows=200_000), ignore_index=True)[names].iloc[::20].reset_index(drop=True)


def test_stars_unlike_those_learnt_on_are_warned_of(settings, stars, tmp_path):
    from exsitu.evaluation.drift import quantiles
    from exsitu.model.inputs import input_columns
    from exsitu.model.network import ModelCard, build_network, save_model
    from exsitu.provenance import write_json

    names = input_columns("5D")
    learnt = {name: quantiles(stars[name]) for name in names if name not in ("l", "b")}
    domain = {name: (float(stars[name].min()), float(stars[name].max())) for name in names}
    made = {"stage": "adapt", "pretraining": {"stage": "pretrain", "learnt_on": learnt}}
    card = ModelCard("5D", "measured", (8, 8), domain, made)
    assert card.digest == ModelCard("5D", "measured", (8, 8), domain).digest
    save_model(tmp_path / "model", build_network(card, seed=1), card)
    write_json(tmp_path / "model" / "recipe.json", {"cut": 0.5})
    found = {}
    for name, factor in {"same": 1.0, "moved": 400.0}.items():
        stars.assign(parallax=stars["parallax"] * factor).to_parquet(tmp_path / f"{name}.parquet")
        how = {"model": tmp_path / "model", "champion_file": Path(), "models": ()}
        found[name] = " ".join(score(settings, tmp_path / f"{name}.parquet", **how)["warnings"])
    assert found["same"] == ""
    assert "of the scored stars lie outside what the network learnt on (at most 50 %)" in found["moved"]
    assert (
        "parallax is not distributed as in the stars the network learnt on: KS 1 (at most 0.99), PSI" in found["moved"]
    )


def test_the_name_of_the_output_says_its_format_and_columns_are_kept(settings, model, stars, tmp_path):
    from astropy.table import Table

    source = tmp_path / "stars.fits"
    Table.from_pandas(stars.assign(name="star"), units={"l": "deg", "parallax": "mas"}).write(source)
    small = settings.model_copy(update={"chunk_rows": 700})
    how = {"model": model, "champion_file": Path(), "models": (), "keep": "parallax, name"}
    score(small, source, output=tmp_path / "scores.ecsv", **how)
    read = Table.read(tmp_path / "scores.ecsv")
    assert read.colnames == ["row", "source_id", "score", "flags", "parallax", "name"]
    np.testing.assert_array_equal(read["source_id"], stars["source_id"])
    np.testing.assert_array_equal(read["parallax"], stars["parallax"])
    assert str(read["parallax"].unit) == "mas"
    assert read["score"].meta["ucd"] != "stat.probability"


@pytest.mark.parametrize(
    ("output", "keep", "said"),
    [
        ("scores.txt", None, "does not say a format exsitu writes; give it a name that ends in one of .parquet"),
        ("scores", None, "does not say a format exsitu writes"),
        ("scores.csv.gz", None, r"not written compressed \(.gz\)"),
        ("scores.csv", "plx", "has no column 'plx' to keep"),
        (None, "all", "name it with --output"),
    ],
)
def test_what_cannot_be_written_is_refused_before_a_network_is_loaded(settings, stars, tmp_path, output, keep, said):
    stars.to_parquet(tmp_path / "stars.parquet")
    target = None if output is None else tmp_path / output
    with pytest.raises(InputError, match=said):
        score(
            settings,
            tmp_path / "stars.parquet",
            output=target,
            keep=keep,
            model=tmp_path,
            champion_file=Path(),
            models=(),
        )
    assert [path.name for path in tmp_path.iterdir()] == ["stars.parquet"]
