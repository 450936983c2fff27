"""A release and `exsitu score` are one way of scoring."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import GateError, InputError
from exsitu.model.scoring import Scorer
from exsitu.provenance import read_json, write_json
from exsitu.registry import Champion
from exsitu.settings import Survey, load_settings
from exsitu.stages.release import release
from exsitu.stages.score import score
from exsitu.tables import read_frames, read_parquet, write_parquet


@pytest.fixture(scope="module")
def survey(tmp_path_factory) -> Path:
    """File of the few hundred stars that tests of the catalog use."""
    program = Path(__file__).parents[1] / "catalog" / "small_survey.py"
    spec = importlib.util.spec_from_file_location("small_survey_of_stages", program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path_factory.mktemp("survey") / "stars.parquet"
    write_parquet(path, [module.stars()])
    return path


@pytest.fixture(scope="module")
def champion(tmp_path_factory) -> tuple[Path, Path]:
    """``champion.json`` and the folder of a network that nobody trained."""
    from exsitu.model.inputs import input_columns
    from exsitu.model.network import ModelCard, build_network, save_model

    folder = tmp_path_factory.mktemp("champion")
    card = ModelCard("5D", "measured", (8, 8), dict.fromkeys(input_columns("5D"), (-400.0, 400.0)))
    saved = save_model(folder, build_network(card, seed=1), card)
    named = Champion("exsitu", "1", "4" * 32, "vm_last", 0.3, saved.weights_sha256, saved.digest, "7" * 64)
    write_json(folder / "champion.json", dataclasses.asdict(named))
    return folder / "champion.json", folder


def test_a_release_holds_the_scores_of_the_same_function(repository, survey, champion, tmp_path, monkeypatch):
    settings, (file, folder) = load_settings(repository / "params.yaml"), champion
    score(settings, survey, output=tmp_path / "scores.parquet", champion_file=file, models=(folder,))
    expected = read_parquet(tmp_path / "scores.parquet").drop(columns="row")
    passed, plain = [], Scorer.score_columns

    def watched(self, columns):
        found = plain(self, columns)
        passed.append(len(found[0]))
        return found

    monkeypatch.setattr(Scorer, "score_columns", watched)
    made = release(
        settings,
        "few",
        path=survey,
        data_release="gaia_dr2",
        releases=tmp_path / "releases",
        champion_file=file,
        models=(folder,),
        suites=repository / "expectations",
        reports=tmp_path,
        progress=False,
    )
    assert sum(passed) == len(expected)
    found = read_parquet(made / "scores.parquet")
    kept = expected[expected["source_id"].isin(found["source_id"])].reset_index(drop=True)
    assert len(found) < len(expected)
    np.testing.assert_array_equal(found, kept[list(found)])


def test_what_is_no_measurement_is_flagged_counted_and_said(repository, survey, champion, tmp_path, caplog):
    stars = read_parquet(survey)
    stars.loc[30:39, ["pmra", "pmdec"]] = -999.0
    write_parquet(tmp_path / "stars.parquet", [stars])
    made = release(
        load_settings(repository / "params.yaml"),
        "few",
        path=tmp_path / "stars.parquet",
        data_release="gaia_dr2",
        releases=tmp_path / "releases",
        champion_file=champion[0],
        models=(champion[1],),
        suites=repository / "expectations",
        reports=tmp_path,
        progress=False,
    )
    assert read_json(made / "manifest.json")["counts"]["flagged"]["not_physical"] == 10
    assert "pmra (-999 in 10 rows), pmdec (-999 in 10 rows); 10 rows flagged not_physical" in caplog.text
    scores = read_parquet(made / "scores.parquet")
    assert scores["score"][(scores["flags"] & 16) != 0].isna().all()


@pytest.fixture(scope="module")
def released(repository, champion, tmp_path_factory):
    """Release a file; no star of an untrained network need be selected."""
    settings, (file, folder) = load_settings(repository / "params.yaml"), champion

    def run(path, *, settings=settings, survey="few", **how):
        root = tmp_path_factory.mktemp("made")
        return release(
            settings,
            survey,
            path=path,
            releases=root / "releases",
            champion_file=file,
            models=(folder,),
            suites=repository / "expectations",
            reports=root,
            progress=False,
            **{"allow_empty": True, **how},
        )

    return run


@pytest.fixture(scope="module")
def hipparcos():
    """Every fortieth star of Hipparcos-2."""
    from exsitu.surveys.hipparcos import read_hipparcos

    names = ["source_id", "ra", "dec", "parallax", "parallax_error", "pmra", "pmdec"]
    return pd.concat(read_hipparcos(chunk_rows=200_000), ignore_index=True)[names].iloc[::40].reset_index(drop=True)


SLIPS = {
    "pmra and pmdec are swapped": lambda d: {"pmra": d["pmdec"], "pmdec": d["pmra"]},
    "both seem to be radians": lambda d: {name: np.radians(d[name]) for name in ("ra", "dec")},
    "the median parallax": lambda d: {name: d[name] / 1000.0 for name in ("parallax", "parallax_error")},
}


@pytest.mark.parametrize("said", SLIPS)
def test_a_survey_whose_columns_are_not_what_they_are_called_is_not_released(released, hipparcos, tmp_path, said):
    path = tmp_path / "stars.parquet"
    hipparcos.assign(**SLIPS[said](hipparcos)).to_parquet(path)
    with pytest.raises(GateError, match=f"few-1 was not published: .*{said}.*--allow-doubts"):
        released(path, data_release="hipparcos2")


def test_a_right_survey_is_released_and_a_doubtful_one_only_if_told_and_it_says_so(released, hipparcos, tmp_path):
    path = tmp_path / "stars.parquet"
    hipparcos.to_parquet(path)
    made = released(path, data_release="hipparcos2")
    assert read_json(made / "manifest.json")["doubts"] == []
    hipparcos.assign(pmra=hipparcos["pmdec"], pmdec=hipparcos["pmra"]).to_parquet(path)
    made = released(path, data_release="hipparcos2", allow_doubts=True)
    [doubt] = read_json(made / "manifest.json")["doubts"]
    assert "pmra and pmdec are swapped" in doubt
    assert doubt in (made / "README.md").read_text()


def test_mock_stars_are_called_so_in_every_file_of_a_release(released, hipparcos, tmp_path):
    import pyarrow.parquet as pq
    from astropy.io import fits
    from astropy.io.votable import parse

    mock = tmp_path / "mock.parquet"
    write_parquet(mock, [hipparcos], metadata={"generator": "exsitu built-in mock galaxies", "release": "gaia_dr2"})
    made = released(mock)
    manifest = read_json(made / "manifest.json")
    assert manifest["data_release"] == "gaia_dr2"
    assert manifest["provenance"]["synthetic"] is True
    assert manifest["provenance"]["synthetic_by"] == "metadata generator (exsitu built-in mock galaxies)"
    header = fits.getheader(made / "catalog.fits", 1)
    document = parse(made / "catalog.vot")
    facts = pq.read_schema(made / "catalog.parquet").metadata
    titles = {
        "manifest": manifest["title"],
        "README": (made / "README.md").read_text().splitlines()[0],
        "FITS": header["TITLE"],
        "EXTNAME": header["EXTNAME"],
        "VOTable": document.get_first_table().description,
        "VOTable's name": document.get_first_table().name,
        "Parquet": facts[b"title"].decode(),
    }
    assert all("mock" in title.lower() for title in titles.values()), titles
    assert header["SYNTH"] is True
    assert "ESA/Gaia/DPAC" not in (made / "README.md").read_text()
    real = tmp_path / "real.parquet"
    hipparcos.to_parquet(real)
    made = released(real, data_release="hipparcos2")
    assert read_json(made / "manifest.json")["provenance"]["synthetic"] is False
    about = (made / "README.md").read_text().partition("## Flags")[0]  # below stands what taught the network
    assert "mock" not in about.lower()
    assert fits.getheader(made / "catalog.fits", 1)["SYNTH"] is False


def test_a_release_that_the_file_contradicts_is_refused(released, hipparcos, tmp_path):
    path = tmp_path / "stars.parquet"
    hipparcos.assign(designation="Gaia DR3 7", ref_epoch=2016.0).to_parquet(path)
    for name in ("gaia_dr2", "gaia_dr4", "hipparcos2"):
        with pytest.raises(InputError, match=rf"is of gaia_dr3, not {name} \(designation .*ids differ"):
            released(path, data_release=name)
    with pytest.raises(InputError, match=r"unknown data release 'gaia_dr33'; did you mean 'gaia_dr3'"):
        released(path, data_release="gaia_dr33")
    hipparcos.assign(ruwe=1.0).to_parquet(path)
    with pytest.raises(
        InputError, match=r"does not say .* ids are \(column ruwe: gaia_dr3 or gaia_dr4\); name it with"
    ):
        released(path)
    hipparcos.assign(ref_epoch=2000.0).to_parquet(path)
    with pytest.raises(InputError, match=r"states positions of epoch J2000, and gaia_dr3 has them at J2016"):
        released(path, data_release="gaia_dr3")


def test_a_truth_is_not_named_for_real_stars(released, repository, hipparcos, tmp_path):
    path = tmp_path / "stars.parquet"
    hipparcos.assign(designation="Gaia DR3 7").to_parquet(path)
    survey = Survey(path=path, release="gaia_dr3", truth=tmp_path / "truth.parquet")
    settings = load_settings(repository / "params.yaml").model_copy(update={"surveys": {"few": survey}})
    with pytest.raises(InputError, match=r"is of real stars \(designation\), and params.yaml names a truth for few"):
        released(None, settings=settings)
    hipparcos.to_parquet(path)
    assert read_json(released(None, settings=settings) / "manifest.json")["provenance"]["synthetic"] is True


def dr4_like(real_data) -> pd.DataFrame:
    """A thousand real stars of Gaia DR3 as the draft data model of DR4 has them."""
    [frame] = read_frames(real_data / "gaia_dr3_gaia_source_1000.fits", chunk_rows=1000)
    kept = ["source_id", "ra", "dec", "l", "b", "parallax", "parallax_error", "pmra", "pmdec", "ruwe"]
    designation = "Gaia DR4 " + frame["source_id"].astype(str)
    return frame[kept].assign(designation=designation, ref_epoch=2017.5, astrometric_params=31)


def test_a_table_of_gaia_dr4_is_released_as_provisional_at_its_epoch(released, real_data, tmp_path):
    from astropy.io import fits

    whole = dr4_like(real_data)
    for names in (["designation"], ["ref_epoch"], ["astrometric_params"]):
        path = tmp_path / "stars.parquet"
        others = {"designation", "ref_epoch", "astrometric_params"} - set(names)
        whole.drop(columns=sorted(others)).to_parquet(path)
        made = released(path)
        manifest = read_json(made / "manifest.json")
        assert manifest["data_release"] == "gaia_dr4"
        assert manifest["provenance"]["provisional"] is True
        page = (made / "README.md").read_text()
        assert "**Provisional:**" in page
        assert "J2017.5" in page
        header = fits.getheader(made / "catalog.fits", 1)
        assert (header["REFEPOCH"], header["PROVIS"]) == (2017.5, True)
        assert "provisional" in header["TITLE"]
        with pytest.raises(InputError, match="is of gaia_dr4, not gaia_dr3"):
            released(path, data_release="gaia_dr3")


def test_real_stars_of_gaia_and_of_clusters_pass_the_gates_of_a_release(released, real_data):
    for name in ("gaia_dr2_gaia_source_1000.fits", "gaia_dr3_gaia_source_1000.fits"):
        assert read_json(released(real_data / name) / "manifest.json")["doubts"] == []
    clusters = real_data / "star_cluster_members_gaiadr2_ship.parquet"
    made = released(clusters, data_release="gaia_dr2", drop_repeats=True)
    assert read_json(made / "manifest.json")["doubts"] == []
