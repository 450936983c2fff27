"""What a VOTable states beside its rows: overflow, errors, several tables, types, and places elsewhere."""

import gzip

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.tables import describe, frames_of

FIELDS = '<FIELD name="source_id" datatype="long"/><FIELD name="ra" datatype="double" unit="deg"/>'
ROWS = "<DATA><TABLEDATA><TR><TD>5</TD><TD>1.5</TD></TR><TR><TD/><TD/></TR></TABLEDATA></DATA>"
TABLE = f"<TABLE>{FIELDS}{ROWS}</TABLE>"


def vot(folder, inside, head=""):
    path = folder / "t.vot"
    path.write_text(
        f'<?xml version="1.0"?>{head}<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE type="results">{inside}</RESOURCE></VOTABLE>'
    )
    return path


def read(path):
    return pd.concat(frames_of(describe(path)), ignore_index=True)


@pytest.mark.parametrize("place", ["{info}{table}", "{table}{info}"])
def test_an_overflow_is_stated_wherever_it_stands(place, tmp_path):
    info = '<INFO name="QUERY_STATUS" value="OVERFLOW"/>'
    path = vot(tmp_path, '<INFO name="QUERY_STATUS" value="OK"/>' + place.format(info=info, table=TABLE))
    found = describe(path)
    assert found.truncated
    assert len(found.cautions) == 1
    assert read(path)["source_id"].tolist() == [5, pd.NA]


def test_a_whole_answer_has_no_caution(tmp_path):
    found = describe(vot(tmp_path, '<INFO name="QUERY_STATUS" value="OK"/>' + TABLE))
    assert (found.truncated, found.cautions, found.rows) == (False, (), 2)


def test_the_words_of_a_service_are_the_error(tmp_path):
    path = vot(tmp_path, '<INFO name="QUERY_STATUS" value="ERROR">Quota\n  exceeded</INFO>')
    with pytest.raises(InputError, match="service's error, no table: Quota exceeded; correct the query"):
        describe(path)


@pytest.mark.parametrize("href", ["http://example.org/x.fits", "file:///etc/passwd", "../x.fits", "other.fits"])
def test_rows_elsewhere_are_not_followed(href, tmp_path):
    path = vot(tmp_path, f'<TABLE>{FIELDS}<DATA><FITS><STREAM href="{href}"/></FITS></DATA></TABLE>')
    with pytest.raises(InputError, match=r"keeps its rows in another place.*which is not followed"):
        describe(path)


def test_a_file_beside_is_named_as_the_one_to_give(tmp_path):
    (tmp_path / "beside.fits").touch()
    path = vot(tmp_path, f'<TABLE>{FIELDS}<DATA><FITS><STREAM href="beside.fits"/></FITS></DATA></TABLE>')
    with pytest.raises(InputError, match=r"give .*beside\.fits itself"):
        describe(path)


def test_entities_are_refused(tmp_path):
    head = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    with pytest.raises(InputError, match="declares the XML entity 'a'"):
        describe(vot(tmp_path, TABLE, head))


@pytest.mark.parametrize("datatype", ["unsignedByte", "short", "int"])
def test_ids_of_a_type_too_narrow_are_refused_and_not_clipped(datatype, tmp_path):
    path = vot(tmp_path, TABLE.replace("long", datatype).replace("<TD>5</TD>", f"<TD>{2**62}</TD>"))
    with pytest.raises(InputError, match=f"type too narrow for its values .*{2**62}"):
        read(path)


def test_the_table_of_stars_is_found_among_others(tmp_path):
    rows = "<DATA><TABLEDATA><TR><TD>x</TD></TR></TABLEDATA></DATA>"
    other = f'<TABLE name="about"><FIELD name="key" datatype="char" arraysize="*"/>{rows}</TABLE>'
    path = vot(tmp_path, other + TABLE)
    assert describe(path).table == "2"
    assert read(path)["ra"][0] == 1.5
    assert list(describe(path, table="about").columns) == ["key"]
    with pytest.raises(InputError, match=r"no tables 'abuot'; it has 1 'about' \(1 columns\), 2 \(2 columns\)"):
        describe(path, table="abuot")


def test_two_tables_of_stars_are_named(tmp_path):
    with pytest.raises(InputError, match=r"several tables that could be meant: 1 .*, 2 .*--table"):
        describe(vot(tmp_path, TABLE + TABLE))


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="column 'ra' more than once"):
        describe(vot(tmp_path, TABLE.replace("source_id", "ra")))


@pytest.mark.parametrize("form", ["binary", "binary2"])
def test_every_serialisation_is_read(form, tmp_path):
    from astropy.io.votable import from_table, writeto
    from astropy.table import Table

    table = Table({"source_id": [2**62 + 1, 7], "parallax": [1.5, np.nan]})
    writeto(from_table(table), str(tmp_path / "t.vot"), tabledata_format=form)
    packed = tmp_path / "t.vot.gz"
    packed.write_bytes(gzip.compress((tmp_path / "t.vot").read_bytes()))
    for path in (tmp_path / "t.vot", packed):
        assert read(path)["source_id"].tolist() == [2**62 + 1, 7]
