"""Columns, first rows and the file's metadata say of which data release a table is; contradictions are refused."""

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from exsitu.errors import InputError
from exsitu.surveys.gaia import guess_release, identify, refuse_other_release
from exsitu.tables import describe, write_parquet

ROWS = 3


def stars(**more) -> pd.DataFrame:
    columns = {
        "source_id": np.arange(ROWS) + (1 << 60),
        "ra": np.linspace(1.0, 300.0, ROWS),
        "dec": np.linspace(-80.0, 80.0, ROWS),
        "parallax": 1.0,
        "parallax_error": 0.01,
        "pmra": 1.0,
        "pmdec": -1.0,
    }
    return pd.DataFrame(columns | more)


def table(path, frame=None, **meta):
    """The stars in the format of the name, with metadata."""
    made = Table.from_pandas(stars() if frame is None else frame)
    made.meta.update(meta)
    form = {".vot": "votable", ".ecsv": "ascii.ecsv", ".hdf5": "hdf5"}.get(path.suffix)
    if form == "hdf5":
        import h5py

        with h5py.File(path, "w") as file:
            for name in made.colnames:
                file[name] = np.asarray(made[name])
            file.attrs.update(meta)
    else:
        made.write(path, format=form)
    return describe(path)


DESIGNATED = {
    "gaia_dr2": "Gaia DR2 1152921504606846976",
    "gaia_dr3": "Gaia EDR3 1152921504606846976",
    "gaia_dr4": "Gaia DR4 1152921504606846976",
}
EPOCHS = {"gaia_dr2": 2015.5, "gaia_dr3": 2016.0, "gaia_dr4": 2017.5}


@pytest.mark.parametrize("release", DESIGNATED)
@pytest.mark.parametrize("suffix", [".csv", ".fits", ".vot", ".ecsv", ".parquet"])
def test_designation_or_epoch_alone_decides_in_every_format(tmp_path, release, suffix):
    for number, more in enumerate(({"designation": DESIGNATED[release]}, {"ref_epoch": EPOCHS[release]})):
        path = tmp_path / f"{number}{suffix}"
        if suffix == ".csv":
            stars(**more).to_csv(path, index=False)
        elif suffix == ".parquet":
            stars(**more).to_parquet(path)
        else:
            table(path, stars(**more))
        assert guess_release(describe(path)) == release
        for other in DESIGNATED.keys() - {release}:
            with pytest.raises(
                InputError, match=rf"is of {release}, not {other} \((designation|ref_epoch) .*ids differ"
            ):
                refuse_other_release(describe(path), other)
        refuse_other_release(describe(path), release)


@pytest.mark.parametrize("statement", ["Gaia DR4", "gaia_dr4", "SELECT * FROM gaiadr4.gaia_source", "GaiaDR4"])
@pytest.mark.parametrize("suffix", [".fits", ".ecsv", ".hdf5"])
def test_the_metadata_of_the_file_alone_decide(tmp_path, statement, suffix):
    assert guess_release(table(tmp_path / f"stars{suffix}", QUERY=statement)) == "gaia_dr4"


def test_an_info_a_description_or_an_epoch_of_a_votable_alone_decides(tmp_path):
    table(tmp_path / "plain.vot")
    plain = (tmp_path / "plain.vot").read_text()
    assert guess_release(describe(tmp_path / "plain.vot")) is None
    for number, said in enumerate(
        (
            '<INFO name="QUERY" value="SELECT * FROM gaiadr3.gaia_source"/>',
            "<DESCRIPTION>Sources of Gaia DR3</DESCRIPTION>",
            "<COOSYS ID=\"frame\" system='ICRS' epoch='J2016.0'/>",
        )
    ):
        path = tmp_path / f"{number}.vot"
        path.write_text(plain.replace('<RESOURCE type="results">', f'<RESOURCE type="results">{said}'))
        assert guess_release(describe(path)) == "gaia_dr3", said


def test_the_metadata_of_parquet_alone_decide(tmp_path):
    write_parquet(tmp_path / "stars.parquet", [stars()], metadata={"source": "Gaia DR4"})
    assert guess_release(describe(tmp_path / "stars.parquet")) == "gaia_dr4"


@pytest.mark.parametrize(
    ("columns", "release"),
    [
        (["astrometric_params"], "gaia_dr4"),
        (["tentative_parallax_bias", "ruwe"], "gaia_dr4"),
        (["astrometric_params_solved", "ruwe"], "gaia_dr3"),
        (["phot_bp_rp_excess_factor", "nu_eff_used_in_astrometry"], "gaia_dr3"),
        (["astrometric_pseudo_colour", "astrometric_params_solved"], "gaia_dr2"),
        (["ruwe"], None),
        (["astrometric_params_solved"], None),
        (["astrometric_params", "astrometric_params_solved"], None),
    ],
)
def test_columns_that_one_release_alone_has_decide(tmp_path, columns, release):
    stars(**dict.fromkeys(columns, 1.0)).to_csv(tmp_path / "stars.csv", index=False)
    assert guess_release(describe(tmp_path / "stars.csv")) == release


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"designation": "Gaia DR4 7", "ref_epoch": 2016.0},
            r"designation \('DR4'\) says gaia_dr4; ref_epoch \(2016\) says gaia_dr3",
        ),
        (
            {"designation": "Gaia DR3 7", "astrometric_params": 31},
            r"column astrometric_params says gaia_dr4; designation \('DR3'\) says gaia_dr3",
        ),
        (
            {"ref_epoch": 2017.5, "astrometric_params_solved": 31},
            r"column astrometric_params_solved says gaia_dr2 or gaia_dr3; ref_epoch \(2017.5\) says gaia_dr4",
        ),
        ({"designation": ["Gaia DR3 7", "Gaia DR4 8", "Gaia DR3 9"]}, r"designation \('DR3'\) .*designation \('DR4'\)"),
    ],
)
def test_contradictions_are_refused_and_each_side_is_named(tmp_path, more, said):
    stars(**more).to_parquet(tmp_path / "stars.parquet")
    with pytest.raises(InputError, match=rf"contradicts itself on its data release: .*{said}"):
        identify(describe(tmp_path / "stars.parquet"))


def test_ruwe_that_was_joined_to_dr2_contradicts_nothing(tmp_path):
    stars(designation="Gaia DR2 7", ruwe=1.0).to_csv(tmp_path / "stars.csv", index=False)
    assert guess_release(describe(tmp_path / "stars.csv")) == "gaia_dr2"


def test_mock_stars_are_known_by_what_their_file_says_or_by_columns_of_truth(tmp_path):
    write_parquet(tmp_path / "a.parquet", [stars()], metadata={"generator": "exsitu built-in mock galaxies"})
    assert identify(describe(tmp_path / "a.parquet")).mock == "metadata generator (exsitu built-in mock galaxies)"
    stars(parentid=7, px_true=1.0).to_csv(tmp_path / "b.csv", index=False)
    assert identify(describe(tmp_path / "b.csv")).mock == "columns parentid, px_true"
    stars().to_csv(tmp_path / "c.csv", index=False)
    found = identify(describe(tmp_path / "c.csv"))
    assert found.mock is None
    assert found.observed is None


def test_a_mock_that_speaks_of_gaia_is_of_the_release_it_names_as_its_own(tmp_path):
    facts = {"generator": "x", "note": "errors as in Gaia DR3", "release": "gaia_dr2"}
    write_parquet(tmp_path / "a.parquet", [stars()], metadata=facts)
    assert guess_release(describe(tmp_path / "a.parquet")) == "gaia_dr2"


@pytest.mark.parametrize(
    ("name", "release"),
    [("gaia_dr2_gaia_source_1000.fits", "gaia_dr2"), ("gaia_dr3_gaia_source_1000.fits", "gaia_dr3")],
)
def test_real_gaia_tables_are_known_and_seen_to_be_observed(real_data, name, release):
    found = identify(describe(real_data / name))
    assert found.releases == (release,)
    assert found.observed == "designation"
    assert found.mock is None
    assert found.epoch == EPOCHS[release]
