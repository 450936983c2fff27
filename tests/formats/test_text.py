"""Column names are found wherever text tables keep them, and text is read as the numbers it means."""

import gzip

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.tables import describe, read_frames

ID = 2**62 + 1


def read(folder, text, name="t.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return pd.concat(read_frames(path), ignore_index=True)


@pytest.mark.parametrize(
    "text",
    [
        f"source_id,ra,dec\n{ID},1.5,-2.5\n",
        f"source_id;ra;dec\n{ID};1,5;-2,5\n",
        f"source_id\tra\tdec\n{ID}\t1.5\t-2.5\n",
        f"source_id|ra|dec\n{ID}|1.5|-2.5\n",
        f"source_id ra   dec\n{ID}  1.5 -2.5  \n",
        f"#source_id,ra,dec\n{ID},1.5,-2.5\n",
        f'"#source_id",ra,dec\n{ID},1.5,-2.5\n',
        f"# source_id  ra  dec\n {ID} 1.5 -2.5\n",
        f"# of me, in 2026\n# source_id,ra,dec\n# deg, deg, deg, deg\n{ID},1.5,-2.5\n",
        f"# of me, in 2026\nsource_id,ra,dec\n{ID},1.5,-2.5\n# the end\n\n",
        f"source_id,ra,dec\r{ID},1.5,-2.5\r",
        f"source_id,ra,dec\r\n{ID},1.5,-2.5\r\n",
        f'"source_id","ra","dec"\n"{ID}","1.5","-2.5"\n',
        f"source_id,ra,dec\n{ID}, +1.5 ,-2.5D+00\n",
        f"source_id\tra\tdec\n---------\t--\t---\n{ID}\t1.5\t-2.5\n[EOD]\n",
        f"stars of mine\n\n# parameters\nid_col: 1\n\nsource_id\tra\tdec\n---------\t--\t---\n{ID}\t1.5\t-2.5\n[EOD]\n",
        f"#\n#   VizieR\n\nsource_id\tra\tdec\n\tdeg\tdeg\n---\t---\t---\n{ID}\t  1.5\t -2.5\n\n#END#\n",
        f"source_id;ra;dec\n-;deg;deg\n---;---;---\n{ID};1.5;-2.5\n",
        "\ufeff" + f"source_id,ra,dec\n{ID},1.5,-2.5\n",
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.txt", "without"])
def test_one_star_is_read_from_every_kind_of_text(text, name, tmp_path):
    frame = read(tmp_path, text, name)
    assert frame.to_dict("list") == {"source_id": [ID], "ra": [1.5], "dec": [-2.5]}
    assert frame["source_id"].dtype == np.int64


def test_units_between_names_and_dashes_are_stated(tmp_path):
    read(tmp_path, "Source\tPlx\tRUWE\n-\tmas\t \n---\t---\t---\n1\t2.5\t1.0\n", "asu.tsv")
    assert describe(tmp_path / "asu.tsv").columns == {"Source": None, "Plx": "mas", "RUWE": None}


@pytest.mark.parametrize("row", ["1,2.5,3.5,", "1,2.5,3.5,4.5", "1,2.5", "1"])
def test_a_row_of_another_length_is_refused_by_its_line(row, tmp_path):
    text = f"source_id,ra,dec\n5,1.0,2.0\n{row}\n6,1.0,2.0\n"
    with pytest.raises(InputError, match=rf"line 3 has {row.count(',') + 1} fields and its header 3 names"):
        read(tmp_path, text)
    if not row.endswith(","):
        with pytest.raises(InputError, match=rf"line 3 has {row.count(',') + 1} fields and its header 3 names"):
            read(tmp_path, text.replace(",", "  "))


def test_the_line_of_a_wrong_row_is_counted_with_all_above_it(tmp_path):
    with pytest.raises(InputError, match="line 5 has 3 fields"):
        read(tmp_path, "# mine\n# and yours\nsource_id,ra\n1,2\n1,2,3\n")


def test_a_quoted_line_break_is_no_end_of_a_row(tmp_path):
    frame = read(tmp_path, '"a\nnote",source_id,ra\n"x\ny",1,2.5\nz,2,3.5\n')
    assert frame["source_id"].tolist() == [1, 2]
    assert list(frame) == ["a\nnote", "source_id", "ra"]


def test_a_quote_that_is_never_closed_is_refused(tmp_path):
    with pytest.raises(InputError, match="opens a quote that is never closed"):
        read(tmp_path, 'source_id,ra,note\n1,2.5,x\n2,3.5,"y\n3,4.5,z\n')


def test_a_sign_for_inches_opens_no_quote(tmp_path):
    frame = read(tmp_path, 'source_id,size("),note\n1,2.5,3" wide\n2,3.5,x\n')
    assert frame.to_dict("list") == {"source_id": [1, 2], 'size(")': [2.5, 3.5], "note": ['3" wide', "x"]}


@pytest.mark.parametrize("word", ["", "--", "null", "NaN", " ", "N/A", "-", "---"])
def test_words_for_nothing_are_missing(word, tmp_path):
    frame = read(tmp_path, f"source_id,ra,rv_nb_transits\n1,{word},{word}\n2,2.5,3\n")
    if word == "-":  # of no table met so far: left as text, which readers refuse by its value
        assert frame["ra"].tolist() == ["-", "2.5"]
    else:
        assert np.isnan(frame["ra"][0])
        assert frame["rv_nb_transits"].tolist() == [pd.NA, 3]


def test_latin_1_is_read(tmp_path):
    frame = read(tmp_path, "source_id,ra,beobachter\n1,2.5,Müller\n".encode("latin-1"))
    assert frame["beobachter"].tolist() == ["Müller"]
    assert read(tmp_path, "source_id,größe\n1,2.5\n".encode("latin-1"))["größe"].tolist() == [2.5]
    assert read(tmp_path, "source_id,größe\n1,2.5\n")["größe"].tolist() == [2.5]


def test_a_comment_in_latin_1_below_the_rows_is_left_out(tmp_path):
    assert len(read(tmp_path, "source_id,ra\n1,2.5\n# Müller\n".encode("latin-1"))) == 1
    with pytest.raises(InputError, match="line 3 has 1 fields"):
        read(tmp_path, "source_id,ra\n1,2.5\nMüller\n".encode("latin-1"))


def test_utf_16_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match="UTF-16"):
        read(tmp_path, "source_id,ra\n1,2.5\n".encode("utf-16"))


@pytest.mark.parametrize("text", ["1,2.5\n2,3.5\n", "1 2.5\n2 3.5\n"])
def test_a_table_without_names_is_refused(text, tmp_path):
    for name in ("t.csv", "t.txt"):
        with pytest.raises(InputError, match="no line of column names: it begins with '1"):
            read(tmp_path, text, name)


def test_numbers_with_commas_for_thousands_are_not_taken_for_fractions(tmp_path):
    assert read(tmp_path, 'source_id,ra\n1,"1,234"\n')["ra"].tolist() == ["1,234"]
    assert read(tmp_path, "source_id;ra\n1;1.234,5\n")["ra"].tolist() == ["1.234,5"]


@pytest.mark.parametrize("wrong", ["9223372036854775808", "Source", "1.0", "-9223372036854775809"])
def test_the_id_that_is_none_is_shown_and_not_one_that_is(wrong, tmp_path):
    with pytest.raises(InputError, match=f"source_id holds '{wrong}'"):
        read(tmp_path, f"source_id,ra\n{2**63 - 1},1\n{-(2**63)},1\n {ID},1\n{wrong},2\n")


def test_an_error_in_words_is_shown(tmp_path):
    with pytest.raises(InputError, match=r"is empty: 3 columns \(ERROR:, quota, exceeded\), 0 rows"):
        read(tmp_path, "ERROR: quota exceeded\n")


def test_hexadecimal_ids_are_refused(tmp_path):
    with pytest.raises(InputError, match="source_id holds '0x10'"):
        read(tmp_path, "source_id,ra\n0x10,2.5\n")


def test_counts_written_as_floats_are_whole(tmp_path):
    frame = read(tmp_path, "source_id,quality_flag\n1,12.0\n2,\n")
    assert frame["quality_flag"].tolist() == [12, pd.NA]


def test_a_row_longer_than_what_is_split_at_once_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("exsitu.formats.delimited._BLOCK", 1 << 10)
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path, "source_id,note\n1," + "x" * 5000 + "\n")


def test_a_line_without_end_is_refused_before_memory_is_taken(tmp_path):
    with pytest.raises(InputError, match="no line end within its first"):
        read(tmp_path, gzip.compress(b"1" * (1 << 22)), "bomb.csv.gz")


def test_what_unpacks_to_no_table_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("exsitu.formats.packed._UNPACKED_FREE", 1 << 16)
    text = "source_id,ra\n" + "1,2.5\n" * 500_000
    with pytest.raises(InputError, match="unpacks to more than 300 times its size"):
        read(tmp_path, gzip.compress(text.encode()), "t.csv.gz")


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"PK\x03\x04rest", "a ZIP archive"),
        (b"\x28\xb5\x2f\xfdrest", "compressed by zstd"),
        (b"\x93NUMPY\x01", "a NumPy array"),
        (b"<!doctype html><p>Sorry", "a page of a web site"),
    ],
)
def test_files_that_are_no_tables_are_called_by_their_name(head, words, tmp_path):
    with pytest.raises(InputError, match=words):
        read(tmp_path, head + bytes(64) if b"<" not in head else head, "t.csv")


def test_ecsv_whose_header_names_other_columns_is_refused(tmp_path):
    head = (
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: source_id, datatype: int64}\n# - {name: ra, datatype: float64}\n"
    )
    with pytest.raises(InputError, match="names other columns above its rows"):
        read(tmp_path, head + "dec ra\n1.5 7\n", "t.ecsv")
