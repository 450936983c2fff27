"""A server is asked again while it is busy, and only then."""

from fake_server import serving

from exsitu.operations import asking
from exsitu.operations.asking import ask


def asked(monkeypatch, *answers):
    """Ask a server that gives these answers one after another; what came of it, and how many it gave."""
    monkeypatch.setattr(asking, "_PAUSES_S", (0.0,) * 5)
    left = list(answers)
    with serving(lambda *_: left.pop(0)) as url:
        found = ask(f"{url}/x", {"a": 1})
    return found, len(answers) - len(left)


def test_an_answer_is_json_or_text(monkeypatch):
    assert asked(monkeypatch, {"b": 2}) == ({"b": 2}, 1)
    assert asked(monkeypatch, "OK") == ("OK", 1)


def test_a_busy_server_is_asked_until_it_answers(monkeypatch):
    assert asked(monkeypatch, 503, 503, {"b": 2}) == ({"b": 2}, 3)


def test_a_server_that_stays_busy_is_given_up(monkeypatch):
    assert asked(monkeypatch, *[503] * 9) == (None, 6)


def test_a_refusal_is_not_repeated(monkeypatch):
    assert asked(monkeypatch, 409, {"b": 2}) == (None, 1)
    assert asked(monkeypatch, None, {"b": 2}) == (None, 1)


def test_nobody_there_is_none():
    with serving(lambda *_: "OK") as url:
        pass
    assert ask(url) is None
