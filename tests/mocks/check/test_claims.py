"""The paper's numbers stand once, and are judged as stated."""

import dataclasses

import pytest

from exsitu.mocks.check.claims import GROUPS, Claim, Kind, Reading, Verdict, alike, claims_of, near, ratio


def claim(kind=None, limit=0.0, paper=10.0):
    return Claim("number", "a number", paper, "Table 1", kind, limit)


def judged(kind, limit, here, paper=10.0):
    return Verdict(claim(kind, limit, paper), Reading(here)).holds


def test_no_number_stands_twice():
    names = [c.name for c in claims_of("m12i")]
    assert len(names) == len(set(names)) == sum(map(len, GROUPS.values()))


def test_what_the_paper_says_has_its_place_and_what_is_judged_has_a_limit():
    for c in claims_of("m12i"):
        assert c.where or c.paper is None
        assert c.kind is None or c.limit > 0.0
        assert c.kind not in {Kind.FACTOR, Kind.WITHIN} or c.paper is not None


def test_the_paper_holds_against_itself():
    for c in claims_of("m12i"):
        if c.paper is not None:
            assert Verdict(c, Reading(c.paper)).holds in {True, None}, c.name


@pytest.mark.parametrize(
    ("name", "paper"),
    [
        ("accreted_percent", 0.884),
        ("accreted_percent_with_rv", 0.544),
        ("v_purity_percent", 9.6),
        ("vm_efficiency_accreted_percent", 86.2),
        ("zm_purity_percent", 50.9),
        ("scaler_parallax_mean_mas", 0.48),
        ("scaler_pmdec_sigma_masyr", 11.0),
        ("overlap_both_percent", 74.0),
    ],
)
def test_the_paper_s_numbers_of_m12i(name: str, paper: float):
    assert {c.name: c.paper for c in claims_of("m12i")}[name] == paper


def test_counts_of_the_paper_add_up_to_its_percentages():
    accreted, everyone = 430_376 + 8_938 + 8_828, 48_266_382 + 991_062 + 991_172
    with_rv, all_rv = 51_209 + 5_364 + 5_462, 9_349_637 + 994_636 + 994_538
    paper = {c.name: c.paper for c in claims_of("m12i")}
    assert paper["accreted_percent"] == pytest.approx(100 * accreted / (accreted + everyone), abs=0.001)
    assert paper["accreted_percent_with_rv"] == pytest.approx(100 * with_rv / (with_rv + all_rv), abs=0.001)
    assert paper["rv_percent"] == pytest.approx(100 * (with_rv + all_rv) / (accreted + everyone), abs=0.05)
    assert paper["accreted_percent_all_viewpoints"] == pytest.approx(100 * 1_427_323 / 178_269_745, abs=0.001)


def test_of_m12f_the_paper_says_less_and_the_rest_is_not_judged():
    m12f = {c.name: c for c in claims_of("m12f")}
    assert m12f["overlap_both_percent"].paper == 65.0
    assert m12f["v_purity_percent"].paper is None
    assert m12f["v_purity_percent"].kind is None
    assert m12f["purity_vm_over_v"].kind is None
    assert m12f["stars_in_common_percent"].kind is Kind.BELOW


def test_of_another_galaxy_the_paper_says_nothing():
    assert all(c.paper is None and not c.where for c in claims_of("milky_way"))


@pytest.mark.parametrize(("here", "holds"), [(15.0, True), (15.1, False), (6.7, True), (6.6, False), (-10.0, False)])
def test_a_factor_counts_both_ways(here, holds):
    assert judged(Kind.FACTOR, 1.5, here) is holds


@pytest.mark.parametrize(("here", "holds"), [(12.0, True), (7.9, False), (12.1, False)])
def test_within_is_a_distance(here, holds):
    assert judged(Kind.WITHIN, 2.0, here) is holds


def test_below_and_above_know_no_equality():
    assert [judged(Kind.BELOW, 1.0, x) for x in (0.9, 1.0, 1.1)] == [True, False, False]
    assert [judged(Kind.ABOVE, 1.0, x) for x in (0.9, 1.0, 1.1)] == [False, False, True]


def test_what_is_not_measured_or_not_asked_is_not_judged():
    assert judged(Kind.FACTOR, 1.5, None) is None
    assert judged(None, 0.0, 3.0) is None


def test_the_ratio_is_of_numbers_of_one_sign():
    assert ratio(2.0, 6.0) == ratio(6.0, 2.0) == ratio(-2.0, -6.0) == 3.0
    assert ratio(-2.0, 6.0) is ratio(0.0, 1.0) is ratio(None, 1.0) is None


def test_mocks_are_alike_within_the_limit_or_within_their_noise():
    asked = claim(Kind.FACTOR, 1.5)
    assert near(asked, 10.0, 14.0)
    assert not near(asked, 10.0, 20.0)
    assert alike(asked, Reading(10.0, 3.0), Reading(20.0, 3.0))
    assert not alike(asked, Reading(10.0, 1.0), Reading(20.0, 1.0))
    assert not alike(asked, Reading(10.0), Reading(20.0))
    assert alike(claim(None), Reading(0.0), Reading(0.0))


def test_one_mock_alone_agrees_with_nobody_and_one_stranger_is_enough():
    asked = claim(Kind.FACTOR, 1.5)
    assert Verdict(asked, Reading(10.0)).agree is None
    assert Verdict(asked, Reading(10.0), (Reading(None),)).agree is None
    assert Verdict(asked, Reading(10.0), (Reading(11.0), Reading(12.0))).agree is True
    assert Verdict(asked, Reading(10.0), (Reading(11.0), Reading(20.0))).agree is False


def test_json_has_the_agreed_keys_and_others_only_where_there_are_others():
    alone = Verdict(claim(Kind.FACTOR, 1.5), Reading(20.0, 1.0))
    expected = {"name": "number", "paper": 10.0, "here": 20.0, "error": 1.0, "factor": 2.0, "holds": False}
    assert alone.as_dict() == expected
    two = dataclasses.replace(alone, others=(Reading(18.0),))
    assert two.as_dict() == expected | {"others": [18.0], "agree": True}
