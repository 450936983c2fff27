"""Tables people have: what a column means, and what is no measurement. The tables are read by path, never committed."""

import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project import REPOSITORY

from exsitu.errors import InputError
from exsitu.settings import load_settings
from exsitu.stages.adapt import _labelled
from exsitu.stages.score import score
from exsitu.surveys.ananke import read_particle_ids
from exsitu.surveys.missing import Replaced
from exsitu.surveys.reader import read_survey
from exsitu.tables import read_parquet

CASES = Path(os.environ.get("EXSITU_CASES", REPOSITORY.parent / "shared" / "cases")) / "tables"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases at {CASES}; set EXSITU_CASES")

NOT_FINITE, PARALLAX_CUT, NOT_PHYSICAL = 1, 2, 16


@pytest.fixture(scope="module")
def settings():
    return load_settings(REPOSITORY / "params.yaml")


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


@pytest.fixture(scope="module")
def scored(settings, model, tmp_path_factory):
    """Counts and scores of a case, by its name."""

    def run(name):
        output = tmp_path_factory.mktemp("scores") / "scores.parquet"
        counts = score(settings, CASES / name, output=output, model=model, champion_file=Path(), models=())
        return counts, read_parquet(output)

    return run


@pytest.fixture(scope="module")
def baseline(scored) -> pd.DataFrame:
    """Scores of the sixty stars as they are."""
    return scored("00_baseline.fits")[1]


@pytest.fixture(scope="module")
def large(scored) -> pd.DataFrame:
    """Scores of the thousand stars as they are."""
    return scored("s_href-data.fits")[1]


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found, expected, atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("sentinel", ["-999", "-9999", "1e+20", "999"])
def test_a_sentinel_is_no_proper_motion(sentinel, scored, baseline, caplog):
    counts, found = scored(f"16_sentinel_{sentinel}.csv")
    assert counts["not_physical"] == {"pmra": {sentinel: 20}, "pmdec": {sentinel: 20}}
    assert f"pmra ({sentinel} in 20 rows), pmdec ({sentinel} in 20 rows); 20 rows flagged not_physical" in caplog.text
    assert found["score"][:20].isna().all()
    assert set(found["flags"][:20]) == {NOT_FINITE | NOT_PHYSICAL}
    assert_same(found[20:], baseline[20:])


def test_a_sentinel_is_no_position(scored, baseline):
    counts, found = scored("32_position_sentinel.csv")
    assert counts["not_physical"] == {"ra": {"-9999": 10}, "dec": {"-9999": 10}}
    assert found["score"][:10].isna().all()
    assert set(found["flags"][:10]) == {NOT_FINITE | NOT_PHYSICAL}
    np.testing.assert_allclose(found["score"][10:], baseline["score"][10:], atol=1e-5)
    assert (found["flags"][10:] == 0).all()


def test_errors_of_zero_and_infinity_are_flagged_and_not_scored(scored, large):
    counts, found = scored("u_b7_zero_err_inf.csv")
    assert counts["not_physical"] == {"pmra": {"inf": 10}, "parallax_error": {"0": 10}}
    marked = (found["flags"] & NOT_PHYSICAL) != 0
    assert marked.sum() == 20
    assert found["score"][marked].isna().all()
    assert_same(found[~marked], large[~marked])


@pytest.mark.parametrize("name", ["19c_upper_first.csv", "31_pyananke_sig_err.csv"])
def test_the_exact_name_and_the_standard_error_are_taken(name, scored, baseline):
    assert_same(scored(name)[1], baseline)


@pytest.mark.parametrize("name", ["u_71_B_mag_and_b.csv", "u_73_L_lum_B_mag.csv", "u_68_over_error.csv"])
def test_other_quantities_of_a_letter_and_the_parallax_over_its_error(name, scored, large):
    counts, found = scored(name)
    assert counts["scored"] == large["score"].notna().sum() == 65
    np.testing.assert_array_equal(found["flags"], large["flags"])
    np.testing.assert_allclose(found["score"], large["score"], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("u_b4_two_plx.csv", "has 'parallax' and 'Plx', two columns for one quantity"),
        ("u_b6_lb_inconsistent.csv", "'l', 'b' are not the Galactic coordinates of 'ra', 'dec': .* up to 176 degrees"),
        ("u_66_starhorse.csv", r"distances \('dist50'\) and no parallax; .* gaia_source to it, by source_id"),
        ("u_67_bailerjones.csv", r"distances \('r_med_photogeo'\) and no parallax; .* gaia_source to it, by source_id"),
        ("19b_sexagesimal.csv", "RAJ2000 is sexagesimal, such as '05 34 31.94'; convert it to decimal degrees"),
        ("u_38_sexagesimal.csv", "ra is sexagesimal, such as '19:06:52.0591'; convert it to decimal degrees"),
        ("u_36_skycoord.ecsv", "'coord' in parts, as astropy writes a SkyCoord; write ra and dec"),
        ("17d_dup.fits", "has column 'ra' more than once"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(name, message, settings, model, tmp_path):
    with pytest.raises(InputError, match=message):
        score(settings, CASES / name, output=tmp_path / "s.parquet", model=model, champion_file=Path(), models=())
    assert not (tmp_path / "s.parquet").exists()


@pytest.mark.parametrize(("name", "column"), [("feh", "feh"), ("rv", "radial_velocity")])
def test_labels_are_those_without_the_sentinels(name, column, settings, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = CASES / f"40_labelled_{name}_-9999.csv"
    whole = pd.read_csv(path)
    whole[whole[column] != -9999.0].to_csv(tmp_path / "without.csv", index=False)
    sample, counts = _labelled(settings, [path])
    assert counts == {"not_physical": {path.name: {column: {"-9999": 100}}}}
    assert f"{column} (-9999 in 100 rows)" in caplog.text
    assert "left out 100 of 318 stars without radial velocity or [Fe/H]" in caplog.text
    expected, none = _labelled(settings, [tmp_path / "without.csv"])
    assert none == {}
    pd.testing.assert_frame_equal(sample.training, expected.training)
    pd.testing.assert_frame_equal(sample.validation, expected.validation)


def test_a_mask_is_no_list_of_particles():
    with pytest.raises(InputError, match=r"41_ids_mask.npy is a mask of \d+ particles, .* give numpy.flatnonzero"):
        read_particle_ids(CASES / "41_ids_mask.npy")


def test_a_release_reads_what_a_score_reads():
    replaced = Replaced(("l", "b", "pmra", "pmdec", "parallax", "parallax_error"))
    (frame,) = read_survey(CASES / "16_sentinel_-999.csv", replaced=replaced)
    assert frame["not_physical"].tolist() == [True] * 20 + [False] * 40
    assert frame["pmra"][:20].isna().all()
