"""The three formats of a catalog hold the same rows and say the same of every column, to every reader."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from exsitu.catalog.formats import NAMES, Header, read_catalog, same_rows, write_catalog
from exsitu.columns import COLUMNS
from exsitu.errors import InputError
from exsitu.provenance import sha256_file
from exsitu.tables import read_parquet

HEADER = Header(
    version="standin-1",
    survey="standin",
    data_release="gaia_dr2",
    model="exsitu version 3 (zm_last)",
    weights_sha256="5" * 64,
    cut=0.9,
    software="exsitu 0",
)
FORMATS = dict(zip(NAMES, ("parquet.votable", "fits", "votable"), strict=True))


def run(*words):
    """What a program says, on both streams."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed (Debian: apt-get install {words[0]})")
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def table(small_survey):
    frame = small_survey.stars(500, seed=3)
    rng = np.random.default_rng(5)
    return frame.assign(score=rng.uniform(0.9, 1.0, 500).astype(np.float32), flags=rng.integers(0, 8, 500, np.int32))


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    written = tmp_path_factory.mktemp("catalog")
    write_catalog(written, table, HEADER)
    return written


@pytest.mark.parametrize("name", NAMES)
def test_every_format_holds_the_very_rows(folder, table, name):
    assert same_rows(read_catalog(folder / name), table)


@pytest.mark.parametrize("name", NAMES)
def test_astropy_reads_values_units_ucds_and_descriptions(folder, table, name):
    read = Table.read(folder / name, format=FORMATS[name])
    assert read.colnames == list(table)
    for column in table:
        fact = COLUMNS[column]
        assert (read[column].unit or "") == fact.unit
        assert read[column].description == fact.description
        assert read[column].meta["ucd"] == fact.ucd
        values = np.ma.filled(read[column], np.nan) if fact.dtype.startswith("float") else np.asarray(read[column])
        np.testing.assert_array_equal(values, table[column].to_numpy())


@pytest.mark.parametrize("name", NAMES)
def test_ids_that_no_float_can_hold_survive(folder, table, name):
    ids = Table.read(folder / name, format=FORMATS[name])["source_id"]
    assert ids.dtype.kind == "i"
    assert ids.dtype.itemsize == 8
    assert (np.asarray(ids) == table["source_id"]).all()
    assert (table["source_id"].astype(np.float64).astype(np.int64) != table["source_id"]).any()


def test_the_same_table_gives_the_same_bytes(folder, table, tmp_path):
    for path in write_catalog(tmp_path, table, HEADER):
        assert sha256_file(path) == sha256_file(folder / path.name)


def test_every_format_names_release_survey_and_weights(folder):
    import pyarrow.parquet as pq
    from astropy.io import fits
    from astropy.io.votable import parse

    parquet = pq.read_schema(folder / NAMES[0]).metadata
    header = fits.getheader(folder / NAMES[1], 1)
    infos = {info.name: info.value for info in parse(folder / NAMES[2]).resources[0].infos}
    for keyword, name, value, _ in HEADER.entries():
        assert parquet[name.encode()].decode() == infos[name] == str(value)
        assert header[keyword] == value


def test_votable_states_frame_and_epoch_of_the_positions(folder):
    from astropy.io.votable import parse

    resource = parse(folder / NAMES[2]).resources[0]
    [frame] = resource.coordinate_systems
    assert (frame.system, frame.epoch) == ("ICRS", "J2015.5")
    referring = {field.name for field in resource.tables[0].fields if field.ref == frame.ID}
    assert referring == {"ra", "dec", "parallax", "pmra", "pmdec"}


def test_fits_checksums_are_right_and_damage_breaks_them(folder, tmp_path):
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyUserWarning

    with fits.open(folder / NAMES[1], checksum=True) as file:
        file.verify("exception")
        assert {"CHECKSUM", "DATASUM"} <= set(file[1].header)
    content = bytearray((folder / NAMES[1]).read_bytes())
    content[-3000] ^= 1
    (tmp_path / "damaged.fits").write_bytes(content)
    with pytest.warns(AstropyUserWarning, match="sum verification failed"):
        fits.open(tmp_path / "damaged.fits", checksum=True).close()


def test_parquet_footer_is_a_votable_without_data(folder):
    import pyarrow.parquet as pq

    facts = pq.read_schema(folder / NAMES[0]).metadata
    assert facts[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    content = facts[b"IVOA.VOTable-Parquet.content"].decode()
    assert content.count("<FIELD") == len(read_parquet(folder / NAMES[0]).columns)
    assert "<DATA" not in content


def test_votlint_finds_nothing_to_say(folder):
    assert run("stilts", "votlint", f"votable={folder / NAMES[2]}") == (0, "")


def test_votlint_would_say_what_is_wrong(folder, tmp_path):
    # Not a wrong datatype: STILTS 3.4 then waits for ever, now and then, for a reader of the rows that has given up.
    damaged = (folder / NAMES[2]).read_text().replace("<FIELD ", '<FIELD colour="red" ', 1)
    (tmp_path / "damaged.vot").write_text(damaged)
    assert "ERROR" in run("stilts", "votlint", f"votable={tmp_path / 'damaged.vot'}")[1]


def test_votlint_finds_nothing_to_say_of_the_parquet_footer(folder, tmp_path):
    import pyarrow.parquet as pq

    (tmp_path / "footer.vot").write_bytes(pq.read_schema(folder / NAMES[0]).metadata[b"IVOA.VOTable-Parquet.content"])
    assert run("stilts", "votlint", f"votable={tmp_path / 'footer.vot'}") == (0, "")


def test_fitsverify_finds_nothing_to_say(folder):
    code, said = run("fitsverify", str(folder / NAMES[1]))
    assert code == 0
    assert "Verification found 0 warning(s) and 0 error(s)" in said


@pytest.mark.parametrize("name", NAMES[1:])
def test_stilts_shows_units_ucds_and_descriptions(folder, table, tmp_path, name):
    from astropy import units

    shown = tmp_path / "meta.csv"
    command = ["stilts", "tpipe", f"in={folder / name}", "cmd=meta Name Class Units UCD Description", "ofmt=csv"]
    code, said = run(*command, f"out={shown}")
    assert code == 0, said
    read = pd.read_csv(shown, keep_default_na=False).set_index("Name")
    assert list(read.index) == list(table)
    for column in table:
        fact, row = COLUMNS[column], read.loc[column]
        # A VOTable writes the same unit in the VOUnit way: mas.yr**-1.
        assert units.Unit(row["Units"], format="vounit" if "**" in row["Units"] else None) == units.Unit(fact.unit)
        assert (row["UCD"], row["Description"]) == (fact.ucd, fact.description)
    assert read.loc["source_id", "Class"] == "Long"


@pytest.mark.parametrize("name", NAMES[1:])
def test_stilts_reads_the_very_ids(folder, table, tmp_path, name):
    out = tmp_path / "ids.csv"
    code, said = run("stilts", "tpipe", f"in={folder / name}", "cmd=keepcols source_id", f"out={out}", "ofmt=csv")
    assert code == 0, said
    assert pd.read_csv(out)["source_id"].tolist() == table["source_id"].tolist()


def test_survey_without_one_epoch_is_written_without_it(table, tmp_path):
    from astropy.io import fits

    header = Header("x-1", "x", "exsitu", "m", "5" * 64, 0.9, "exsitu 0")
    write_catalog(tmp_path, table.head(3), header)
    assert header.epoch is None
    assert "REFEPOCH" not in fits.getheader(tmp_path / NAMES[1], 1)
    assert run("stilts", "votlint", f"votable={tmp_path / NAMES[2]}") == (0, "")


def test_ucds_of_the_catalog_are_in_the_controlled_vocabulary(table):
    from astropy.io.votable.ucd import parse_ucd

    for column in table:
        parse_ucd(COLUMNS[column].ucd, check_controlled_vocabulary=True)


def test_text_columns_are_refused(table, tmp_path):
    with pytest.raises(InputError, match="original_ext_source_id is str"):
        write_catalog(tmp_path, table.assign(original_ext_source_id="a"), HEADER)


def test_catalogs_that_differ_in_one_bit_are_not_the_same(table):
    other = table.copy()
    other.loc[3, "ra"] = np.nextafter(other.loc[3, "ra"], 400.0)
    assert not same_rows(table, other)
    assert not same_rows(table, table.iloc[::-1].reset_index(drop=True))
    assert not same_rows(table, table.astype({"score": np.float64}))
    assert same_rows(table, table.copy())


def test_votable_that_is_cut_short_is_refused(folder, tmp_path):
    content = (folder / NAMES[2]).read_bytes()
    (tmp_path / NAMES[2]).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="cut short"):
        read_catalog(tmp_path / NAMES[2])
