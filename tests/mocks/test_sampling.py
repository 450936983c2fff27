"""The right number of stars is drawn, at random, in random order, one chunk at a time."""

import numpy as np
import pandas as pd
import pytest

from exsitu.draws import Draws
from exsitu.errors import InputError
from exsitu.mocks import sampling
from exsitu.mocks import stars as st
from exsitu.mocks.sampling import Sample, observe, sampling_fraction, stars_shown

BRIGHT = st.Stratum(20, st.any_parallax, faintest=17.0)
CUT = st.Stratum(21, st.within(0.0, 0.1), 0.1)


def _sample(particles, view, stratum, stars, seed=7):
    prepared = st.prepare(particles, view, stratum, seed)
    return Sample(stratum, prepared, sampling_fraction(prepared, view, stratum, stars, seed))


@pytest.fixture(scope="module")
def bright(particles, view):
    """Stars brighter than G = 17, ready to be drawn."""
    return _sample(particles, view, BRIGHT, 60_000)


@pytest.fixture(scope="module")
def cut(particles, view):
    """Stars within the parallax cut, ready to be drawn."""
    return _sample(particles, view, CUT, 30_000)


@pytest.fixture(scope="module")
def survey(bright, view):
    """Bright stars, drawn."""
    return pd.concat(observe([bright], view, 7), ignore_index=True)


def test_about_as_many_stars_as_asked_for_are_drawn(survey, cut, view):
    # The trial saw at least 8,000 stars, and the sampling fraction has three digits: 1.2 % together.
    assert len(survey) == pytest.approx(60_000, rel=4 * 0.012)
    assert sum(map(len, observe([cut], view, 7))) == pytest.approx(30_000, rel=4 * 0.012)


def test_the_numbers_of_draws_scatter_as_poissons_do(cut, bright, view, monkeypatch):
    nothing = pd.DataFrame({"ra": []}, index=pd.Index([], dtype=int))
    drawn: dict[int, int] = {}

    def count(_prepared, chosen, _view, stratum, _draws):
        drawn[stratum.number] = drawn.get(stratum.number, 0) + len(chosen)
        return nothing

    monkeypatch.setattr(sampling, "measure", count)
    few = [Sample(s.stratum, s.prepared, 100.0 / s.prepared.total) for s in (cut, bright)]
    numbers = []
    for seed in range(400):
        drawn.clear()
        list(observe(few, view, seed))
        numbers.append([drawn[s.stratum.number] for s in few])
    assert np.mean(numbers, axis=0) == pytest.approx([100.0, 100.0], rel=0.03)
    assert np.var(numbers, axis=0) == pytest.approx([100.0, 100.0], rel=0.35)
    assert np.corrcoef(np.transpose(numbers))[0, 1] == pytest.approx(0.0, abs=0.2)


def test_stars_come_from_particles_in_proportion_to_what_these_show(bright, survey):
    prepared = bright.prepared
    expected = prepared.expected
    assert prepared.total == pytest.approx(expected.sum())
    chosen = prepared.choose(200_000 / prepared.total, Draws((3,)))
    assert len(chosen) == pytest.approx(200_000, abs=4.0 * 200_000**0.5)
    thirds = np.searchsorted(np.cumsum(expected), prepared.total * np.array([1.0, 2.0]) / 3.0)
    found = np.bincount(np.searchsorted(thirds, chosen.parents, side="right"), minlength=3) / len(chosen)
    np.testing.assert_allclose(found, 1.0 / 3.0, atol=4.0 * (2.0 / 9.0 / 200_000) ** 0.5)
    assert survey["parentid"].isin(prepared.particles.id[prepared.rows]).all()
    assert len(np.unique(chosen.keys)) == len(chosen)


def test_strata_are_drawn_in_their_shares_and_mixed(bright, cut, view, monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK", 20_000)
    alone = [sum(map(len, observe([sample], view, 7))) for sample in (bright, cut)]
    chunks = list(observe([bright, cut], view, 7))
    assert len(chunks) > 3
    assert sum(map(len, chunks)) == pytest.approx(sum(alone), rel=0.02)
    dim = pd.concat(chunks, ignore_index=True)["phot_g_mean_mag"].to_numpy() > 17.1  # of the second stratum alone
    parts = np.array_split(dim, 10)
    np.testing.assert_allclose([part.mean() for part in parts], dim.mean(), atol=0.03)
    assert np.mean(dim[1:] == dim[:-1]) == pytest.approx(dim.mean() ** 2 + (1 - dim.mean()) ** 2, abs=0.01)


def test_one_chunk_is_made_at_a_time(bright, view, monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK", 10_000)
    sizes: list[int] = []
    plain = sampling.measure
    monkeypatch.setattr(sampling, "measure", lambda *args: sizes.append(len(args[1])) or plain(*args))
    frames = observe([bright], view, 7)
    next(frames)
    assert sizes == [10_000]
    list(frames)
    assert max(sizes) == 10_000
    assert sum(sizes) > 60_000


def test_the_same_seed_draws_the_same_stars(cut, view):
    first, second, other = (pd.concat(observe([cut], view, seed), ignore_index=True) for seed in (7, 7, 8))
    pd.testing.assert_frame_equal(first, second)
    assert not np.isin(first["ra"], other["ra"]).any()


def test_a_galaxy_shows_more_stars_without_a_cut(particles, view):
    everything = st.Stratum(23, st.any_parallax)
    numbers = [stars_shown(st.prepare(particles, view, s, 1), view, s, 1) for s in (CUT, everything)]
    assert numbers[1] > 3.0 * numbers[0]


def test_more_stars_than_the_galaxy_has_are_refused(particles, view):
    prepared = st.prepare(particles, view, CUT, 1)
    with pytest.raises(InputError, match="ask for fewer"):
        sampling_fraction(prepared, view, CUT, 10**10, 1)


def test_a_stratum_without_stars_is_refused(particles, view):
    nowhere = st.Stratum(24, st.any_parallax, faintest=-20.0)
    prepared = st.prepare(particles, view, nowhere, 1)
    with pytest.raises(InputError, match="shows about 0"):
        sampling_fraction(prepared, view, nowhere, 1, 1)


def test_the_order_of_stars_is_random(survey):
    first, second = survey["parentid"].to_numpy()[: len(survey) // 2], survey["parentid"].to_numpy()[len(survey) // 2 :]
    assert np.mean(first) == pytest.approx(np.mean(second), rel=0.02)
    assert np.mean(np.diff(first) > 0) == pytest.approx(0.5, abs=0.03)
