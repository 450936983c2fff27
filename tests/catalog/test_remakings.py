"""What was measured of makings is said in words, and the words hold the numbers."""

from exsitu.catalog.remakings import remakings, remakings_sentences


def test_the_sentences_hold_what_was_measured():
    found, said = remakings(), remakings_sentences()
    for kind in ("other trainings", "other galaxies"):
        measured = found[kind]["standin"]
        assert len(measured["cuts"]) == len(measured["selected"]) == len(measured["variants"]) >= 2
        assert measured["selected_by_all"] <= min(measured["selected"])
        assert measured["selected_by_any"] >= max(measured["selected"])
        assert f"{measured['selected_by_any']:,} stars are selected by any" in said
        assert all(
            f"{part['median']:.2f} (S {name})" in said for name, part in measured["std"].items() if part["stars"]
        )
    assert f"profile `{found['profile']}` at commit {found['revision']}" in said
