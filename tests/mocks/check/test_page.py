"""The page of a checked mock says what it rests on, what holds, what falls short, and what it is made of."""

import dataclasses

import pandas as pd
import pytest

from exsitu.mocks.check.claims import Claim, Kind, Reading, Verdict, claims_of
from exsitu.mocks.check.measure import Measured
from exsitu.mocks.check.page import page, verdict_text

NONE = pd.DataFrame()
MEASURED = Measured({}, {}, {"stars": 12345}, {"galaxy": "m12i", "seed": "11", "survey": "m12i/lsr0"}, 1, NONE, NONE)
SHORT = Claim("n", "stars with RV, %", 22.5, "Table 3", Kind.FACTOR, 1.5, reason="The survey ends earlier.")


def verdicts(here=10.0, **others):
    return [Verdict(SHORT, Reading(here, 0.5), **others)]


@pytest.fixture(scope="module")
def written(m12i):
    found = [Verdict(c, Reading(c.paper)) for c in claims_of("m12i")]
    return page(MEASURED, 0, found, ["debris"], m12i, "exsitu mocks check")


def test_the_text_names_what_falls_short_and_why():
    said = verdict_text(verdicts())
    assert "falls short: stars with RV, %: 10 (paper 22.5, factor 1.5). The survey ends earlier." in said
    assert "0 of 1 judged numbers hold" in said


def test_a_reason_is_not_given_for_what_holds():
    said = verdict_text(verdicts(here=20.0))
    assert "falls short" not in said
    assert "ends earlier" not in said
    assert "1 of 1 judged numbers hold" in said


def test_the_text_has_a_column_for_every_other_mock_and_says_what_differs():
    said = verdict_text(verdicts(here=20.0, others=(Reading(21.0), Reading(80.0))))
    assert "other 2" in said
    assert "differs between the mocks: stars with RV, %" in said


def test_what_is_not_available_is_said():
    assert "n/a" in verdict_text(verdicts(here=None))
    assert "Not available here: stars with RV, %." in page(MEASURED, 0, verdicts(here=None), [], None, "x")


def test_every_number_of_the_paper_stands_on_the_page(written):
    for claim in claims_of("m12i"):
        assert f"| {claim.says} |" in written


def test_the_page_shows_the_pictures_there_are(written):
    assert "![Energy and angular momentum](debris.png)" in written
    assert "toomre_truth.png" not in written


def test_the_page_rests_on_counts_and_names_the_seed(written):
    assert "| stars | 12,345 |" in written
    assert "| seed | 11 |" in written


def test_every_parameter_of_the_galaxy_stands_on_the_page_with_its_meaning(written, m12i):
    for part in (m12i.potential, m12i.disc, m12i.heated, m12i.proto, m12i.spiral, m12i.bar, m12i.dust, m12i.dwarfs):
        for field in dataclasses.fields(part):
            row = next(line for line in written.splitlines() if line.startswith(f"| {field.name} |"))
            assert row.split("|")[3].strip(), field.name
    for satellite in m12i.satellites:
        assert f"| {satellite.name} |" in written
    assert "`circularity`: Tangential velocity" in written


def test_the_page_cites_the_equations_of_the_generator(written):
    assert "`bar.quadrupole`: Dehnen (2000" in written
    assert "`check." not in written
    assert "`pictures." not in written


def test_tables_are_not_broken_by_bars(written):
    for block in written.split("\n\n"):
        rows = [line.replace(r"\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1


def test_an_imported_galaxy_has_no_parameters():
    said = page(MEASURED, 0, verdicts(), [], None, "x")
    assert "imported" in said
    assert "What the galaxy is made of" not in said
