"""A star has one score: in a file, in a partition of Dask's, in a HATS catalog of LSDB's."""

import builtins
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from exsitu.errors import InputError
from exsitu.model.scoring import Flag
from exsitu.partitions import Scoring, score_partition
from exsitu.settings import load_settings
from exsitu.stages.score import score
from exsitu.tables import read_parquet

# LSDB 0.11 and Dask call pandas 3 in ways of pandas 2.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SCORES = ["score", "flags"]
SPREAD = ["score", "score_mean", "score_p16", "score_p84", "flags"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> tuple[Path, str]:
    """Folder of a network that nobody trained, and the digest of its weights."""
    from exsitu.model.inputs import input_columns
    from exsitu.model.network import ModelCard, build_network, save_model
    from exsitu.provenance import write_json

    folder = tmp_path_factory.mktemp("model")
    card = ModelCard("5D", "measured", (8, 8), dict.fromkeys(input_columns("5D"), (-400.0, 400.0)))
    saved = save_model(folder, build_network(card, seed=1), card)
    write_json(folder / "recipe.json", {"cut": 0.5})
    return folder, saved.weights_sha256


@pytest.fixture(scope="module")
def stars() -> pd.DataFrame:
    """Stars under Gaia's own names, of every outcome, without Galactic coordinates."""
    rng = np.random.default_rng(4)
    rows = 3000
    return pd.DataFrame(
        {
            "source_id": rng.permutation(rows) + (1 << 60),
            "ra": rng.uniform(0.0, 360.0, rows),
            "dec": np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, rows))),
            "pmra": np.where(rng.random(rows) < 0.01, np.nan, rng.normal(0.0, 10.0, rows)),
            "pmdec": rng.normal(0.0, 200.0, rows),
            "parallax": rng.uniform(-0.5, 3.0, rows),
            "parallax_error": np.float32(0.1),
            "pmra_error": np.float32(0.5),
            "pmdec_error": np.float32(0.5),
            "designation": "Gaia DR3 0",
        }
    )


@pytest.fixture(scope="module")
def settings(repository):
    return load_settings(repository / "params.yaml")


@pytest.fixture(scope="module")
def expected(settings, model, stars, tmp_path_factory) -> pd.DataFrame:
    """What `exsitu score` writes of the stars as one file, by source_id."""
    folder = tmp_path_factory.mktemp("file")
    stars.to_parquet(folder / "stars.parquet")
    places = {"output": folder / "scores.parquet", "model": model[0], "champion_file": Path(), "models": ()}
    score(settings, folder / "stars.parquet", **places, draws=4, seed=2)
    found = read_parquet(folder / "scores.parquet").set_index("source_id").sort_index()
    assert set(found["flags"]) >= {0, 1, 2, 4}
    return found


@pytest.fixture(scope="module")
def scoring(settings, model) -> Scoring:
    return Scoring(*model, settings.quality.max_fractional_parallax_error, draws=4, seed=2)


@pytest.fixture(scope="module")
def lsdb():
    """LSDB, whose import alone warns; the extra `hats` has it."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("lsdb")


@pytest.fixture(scope="module")
def hats(lsdb, stars, tmp_path_factory) -> Path:
    """The stars as a HATS catalog of a few partitions."""
    import warnings

    folder = tmp_path_factory.mktemp("hats") / "stars"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = lsdb.from_dataframe(stars.copy(), ra_column="ra", dec_column="dec", partition_rows=1000)
        made.write_catalog(
            folder,
            catalog_name="stars",
            as_collection=False,
            progress_bar=False,
            write_table_kwargs={"write_page_checksum": True},
        )
    return folder


def by_id(frame):
    """Scores as plain NumPy columns, by source_id."""
    plain = pd.DataFrame({name: frame[name].to_numpy() for name in frame})
    return plain.set_index("source_id").sort_index()


def assert_same_bits(found, expected, names):
    assert len(found) == len(expected)
    for name in names:
        kept = expected[name].to_numpy()
        assert found[name].dtype == kept.dtype
        assert found[name].to_numpy().tobytes() == kept.tobytes()


def test_partitions_of_any_size_have_the_scores_of_the_file(scoring, stars, expected):
    parts = [score_partition(stars[start : start + 700], scoring) for start in range(0, len(stars), 700)]
    assert list(parts[0]) == ["source_id", *SPREAD]
    found = pd.concat(parts)
    assert found.index.equals(stars.index)
    assert_same_bits(by_id(found), expected, SPREAD)


def test_an_empty_partition_has_the_same_columns_and_types(scoring, stars):
    full, empty = score_partition(stars, scoring, keep=("ra",)), score_partition(stars[:0], scoring, keep=("ra",))
    assert not len(empty)
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)


def test_what_is_no_measurement_is_flagged_in_a_partition(scoring, stars):
    spoilt = stars.assign(
        pmra=stars["pmra"].where(stars.index > 4, -999.0), ra=stars["ra"].where(stars.index != 9, -99e9)
    )
    found = score_partition(spoilt, scoring)
    assert np.flatnonzero(found["flags"] & 16).tolist() == [0, 1, 2, 3, 4, 9]
    assert found["score"][found["flags"] & 16 != 0].isna().all()


def test_a_partition_of_arrow_types_has_the_same_scores(scoring, stars, expected):
    arrow = stars.convert_dtypes(dtype_backend="pyarrow", convert_integer=False)
    assert arrow["pmra"].isna().any()
    assert_same_bits(by_id(score_partition(arrow, scoring)), expected, SPREAD)


def test_stated_units_are_converted(scoring, stars, expected):
    parallax = {name: stars[name].astype(np.float64) * 1e3 for name in ("parallax", "parallax_error")}
    found = score_partition(stars.assign(**parallax), scoring, units=dict.fromkeys(parallax, "uas"))
    np.testing.assert_allclose(by_id(found)["score"], expected["score"], atol=1e-6)


def test_the_model_named_is_the_model_used(model, stars):
    with pytest.raises(InputError, match="expected 000"):
        score_partition(stars, Scoring(model[0], "0" * 64, 0.1))


def test_what_a_partition_lacks_is_named(scoring, stars):
    with pytest.raises(InputError, match="no column 'pmdec'"):
        score_partition(stars.drop(columns="pmdec"), scoring)
    with pytest.raises(InputError, match="no column 'source_id'"):
        score_partition(stars.drop(columns="source_id"), scoring)


def test_dask_gives_the_scores_of_the_file(scoring, stars, expected):
    dask_frame = pytest.importorskip("dask.dataframe")
    found = dask_frame.from_pandas(stars, npartitions=4).map_partitions(score_partition, scoring).compute()
    assert_same_bits(by_id(found), expected, SPREAD)


@pytest.mark.slow
def test_dask_workers_of_their_own_give_the_scores_of_the_file(scoring, stars, expected):
    dask_frame = pytest.importorskip("dask.dataframe")
    parts = dask_frame.from_pandas(stars, npartitions=2).map_partitions(score_partition, scoring)
    assert_same_bits(by_id(parts.compute(scheduler="processes", num_workers=1)), expected, SPREAD)


def test_lsdb_gives_the_scores_of_the_file(lsdb, hats, scoring, expected):
    catalog = lsdb.open_catalog(hats)
    assert len(catalog.get_healpix_pixels()) > 1
    found = catalog.map_partitions(score_partition, scoring, keep=("ra", "dec")).compute()
    assert_same_bits(by_id(found), expected, SPREAD)


def test_a_hats_catalog_is_scored_into_another(lsdb, settings, hats, model, stars, expected, tmp_path):
    output = tmp_path / "scores"
    places = {"output": output, "model": model[0], "champion_file": Path(), "models": ()}
    counts = score(settings, hats, **places)
    flagged = {flag.name.lower(): int(((expected["flags"] & int(flag)) != 0).sum()) for flag in Flag}
    assert counts.pop("flags") == flagged
    assert [counts.pop(name) for name in ("cautions", "warnings", "notes")] == [[], [], []]
    assert counts == {
        "rows": len(stars),
        "scored": int(expected["score"].notna().sum()),
        "selected": int((expected["score"] > 0.5).sum()),
        "cut": 0.5,
    }
    found = by_id(lsdb.open_catalog(output).compute())
    assert list(found) == ["ra", "dec", *SCORES]
    assert_same_bits(found, expected, SCORES)
    assert_same_bits(found, stars.set_index("source_id").sort_index(), ["ra", "dec"])
    assert model[1] in (output / "hats.properties").read_text()
    with pytest.raises(InputError, match="exists"):
        score(settings, hats, **places)


def test_a_catalog_that_cannot_be_scored_leaves_nothing(lsdb, settings, stars, model, tmp_path):
    made = lsdb.from_dataframe(stars.drop(columns="pmdec"), ra_column="ra", dec_column="dec")
    made.write_catalog(tmp_path / "in", catalog_name="in", as_collection=False, progress_bar=False)
    with pytest.raises(InputError, match="no column 'pmdec'"):
        score(settings, tmp_path / "in", output=tmp_path / "out", model=model[0], champion_file=Path(), models=())
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_damaged_page_is_noticed(settings, hats, model, tmp_path):
    shutil.copytree(hats, tmp_path / "in")
    part = next((tmp_path / "in" / "dataset").rglob("Npix=*.parquet"))
    group = pq.ParquetFile(part).metadata.row_group(0)
    place = next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == "pmdec")
    content = bytearray(part.read_bytes())
    content[place.data_page_offset + place.total_compressed_size - 20] ^= 1
    part.write_bytes(content)
    with pytest.raises(InputError, match="checksum"):
        score(settings, tmp_path / "in", output=tmp_path / "out", model=model[0], champion_file=Path(), models=())
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_folder_that_is_no_catalog_is_refused(settings, model, tmp_path):
    how = {"model": model[0], "champion_file": Path(), "models": ()}
    with pytest.raises(InputError, match=r"without hats\.properties"):
        score(settings, tmp_path, output=tmp_path / "out", **how)
    with pytest.raises(InputError, match="--output"):
        score(settings, tmp_path, **how)


def test_without_lsdb_the_extra_is_named(tmp_path, monkeypatch, repository):
    from exsitu.cli import main

    (tmp_path / "hats.properties").touch()
    plain = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "lsdb":
            raise ModuleNotFoundError("No module named 'lsdb'", name="lsdb")
        return plain(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "lsdb", raising=False)
    params = ["--params", str(repository / "params.yaml")]
    told = CliRunner().invoke(main, [*params, "score", "--input", str(tmp_path), "--output", str(tmp_path / "out")])
    assert told.exit_code == 1
    assert "pip install 'exsitu[hats]'" in told.output


def test_partitions_all_over_a_catalog_are_looked_at_for_what_its_columns_are(tmp_path):
    from types import SimpleNamespace

    from exsitu.gates import Plausibility
    from exsitu.partitions import sample_catalog
    from exsitu.surveys.hipparcos import read_hipparcos

    names = ["source_id", "ra", "dec", "parallax", "parallax_error", "pmra", "pmdec"]
    real = pd.concat(read_hipparcos(chunk_rows=200_000), ignore_index=True)[names].iloc[::40]
    for number in range(100):
        folder = tmp_path / "dataset" / "Norder=2" / "Dir=0"
        folder.mkdir(parents=True, exist_ok=True)
        real.iloc[number::100].to_parquet(folder / f"Npix={number}.parquet")
    scorer = SimpleNamespace(columns=("l", "b", "pmra", "pmdec", "parallax", "parallax_error"))
    for slip, said in (({}, ""), ({"pmra": "pmdec", "pmdec": "pmra"}, "pmra and pmdec are swapped")):
        for part in tmp_path.rglob("*.parquet"):
            pd.read_parquet(part).rename(columns=slip).to_parquet(part)
        watch, parts = Plausibility(), 0
        for columns in sample_catalog(tmp_path, scorer, release=None, require_errors=True):
            watch.add(columns)
            parts += 1
        assert parts == 50
        assert said in " ".join(watch.doubts())
        assert bool(watch.doubts()) == bool(said)


def test_catalogs_of_old_and_those_that_show_few_columns_are_scored(lsdb, settings, stars, hats, model, tmp_path):
    places = {"model": model[0], "champion_file": Path(), "models": ()}
    expected = score(settings, hats, output=tmp_path / "expected", **places)
    shutil.copytree(hats, tmp_path / "old")
    (tmp_path / "old" / "hats.properties").rename(tmp_path / "old" / "properties")
    assert score(settings, tmp_path / "old", output=tmp_path / "of_old", **places) == expected
    made = lsdb.from_dataframe(stars.copy(), ra_column="ra", dec_column="dec", partition_rows=1000)
    made.write_catalog(
        tmp_path / "few", catalog_name="few", as_collection=False, progress_bar=False, default_columns=["ra", "dec"]
    )
    assert score(settings, tmp_path / "few", output=tmp_path / "of_few", **places) == expected


def test_the_old_catalog_of_the_cases_has_the_scores_of_its_stars(lsdb, settings, cases, model, tmp_path):
    places = {"model": model[0], "champion_file": Path(), "models": ()}
    score(settings, cases / "tables" / "00_baseline.fits", output=tmp_path / "scores.parquet", **places)
    score(settings, cases / "tables" / "30_hats_old_properties", output=tmp_path / "out", **places)
    parts = [pd.read_parquet(part) for part in (tmp_path / "out" / "dataset").rglob("Npix=*.parquet")]
    expected = read_parquet(tmp_path / "scores.parquet").set_index("source_id").sort_index()
    assert_same_bits(by_id(pd.concat(parts)), expected, SCORES)


def test_a_folder_of_parquet_files_is_scored_as_one_file(settings, stars, expected, model, tmp_path):
    (tmp_path / "parts").mkdir()
    for part in range(3):
        stars[part * 1000 : (part + 1) * 1000].to_parquet(tmp_path / "parts" / f"part.{part}.parquet")
    places = {"output": tmp_path / "scores.parquet", "model": model[0], "champion_file": Path(), "models": ()}
    score(settings, tmp_path / "parts", **places, draws=4, seed=2)
    assert_same_bits(by_id(read_parquet(tmp_path / "scores.parquet")), expected, SPREAD)


def test_units_of_a_catalog_s_own_fields_count():
    import pyarrow as pa

    from exsitu.formats.parquet import parquet_units

    content = (
        '<VOTABLE><RESOURCE><TABLE><FIELD name="pmra" datatype="double" unit="arcsec/yr"/></TABLE></RESOURCE></VOTABLE>'
    )
    schema = pa.schema({"pmra": pa.float64()}, metadata={"IVOA.VOTable-Parquet.content": content})
    assert parquet_units(schema, Path("catalog")) == {"pmra": "arcsec/yr"}
