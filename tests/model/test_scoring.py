import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.model import compiled as blocks
from exsitu.model import spread
from exsitu.model.inputs import input_columns, values_from_frame
from exsitu.model.scoring import Flag, Scorer, network_scores

NUMBERS = ("l", "b", "pmra", "pmdec", "parallax", "parallax_error")


@pytest.fixture(scope="module")
def scorer(trained):
    return Scorer(trained.network, trained.card, max_fractional_parallax_error=0.1)


@pytest.fixture(scope="module")
def lenient(trained):
    return Scorer(trained.network, trained.card, max_fractional_parallax_error=0.1, require_errors=False)


@pytest.fixture
def stars(make_survey):
    """Stars well inside the training sample."""
    frame = make_survey(200, 9)
    return frame.assign(
        pmra=frame["pmra"].clip(-20, 20), pmdec=frame["pmdec"].clip(-20, 20), b=frame["b"].clip(-59, 59)
    )


def test_plain_stars_get_the_networks_scores_and_no_flags(scorer, trained, stars):
    scored = scorer.score(stars)
    expected = trained.network(stars[list(trained.card.inputs)].to_numpy(np.float32)).numpy()[:, 0]
    np.testing.assert_allclose(scored["score"], expected, atol=1e-6)
    assert not scored["flags"].any()
    assert scored.dtypes.astype(str).to_dict() == {"source_id": "int64", "score": "float32", "flags": "int32"}
    assert scored["source_id"].equals(stars["source_id"])


def test_rows_that_readers_mark_carry_a_flag_of_their_own(scorer, lenient, stars):
    stars.loc[3, "pmra"] = stars.loc[4, "parallax"] = stars.loc[5, "parallax_error"] = np.nan
    stars.loc[6, ["pmra", "parallax_error"]] = np.nan, 5.0
    marked = scorer.score(stars.assign(not_physical=stars.index.isin([3, 4, 5, 6])))
    plain = scorer.score(stars)
    assert list(marked) == list(plain)
    np.testing.assert_array_equal(marked["score"], plain["score"])
    difference = marked["flags"] - plain["flags"]
    assert set(difference[3:7]) == {Flag.NOT_PHYSICAL}
    assert not difference.drop(index=[3, 4, 5, 6]).any()
    without_error = lenient.score(stars.assign(not_physical=stars.index == 5)).loc[5, "flags"]
    assert Flag(int(without_error)) == Flag.ERRORS_MISSING | Flag.NOT_PHYSICAL


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("column", ["l", "b", "pmra", "pmdec", "parallax"])
def test_what_is_not_finite_never_gets_a_score(scorer, stars, column, bad):
    stars.loc[11, column] = bad
    scored = scorer.score(stars)
    assert np.isnan(scored.loc[11, "score"])
    flag = Flag(int(scored.loc[11, "flags"]))
    assert flag in {Flag.NOT_FINITE, Flag.PARALLAX_CUT}
    assert flag == Flag.NOT_FINITE or (column == "parallax" and np.isfinite(bad))
    assert scored["score"].drop(index=11).notna().all()


@pytest.mark.parametrize(
    ("parallax", "error"), [(-1.0, 0.05), (0.0, 0.05), (1.0, 0.1), (1.0, 0.2), (1.0, 0.0), (1.0, -0.05), (1.0, np.nan)]
)
def test_a_star_that_fails_the_parallax_cut_gets_no_score(scorer, stars, parallax, error):
    stars.loc[5, ["parallax", "parallax_error"]] = parallax, error
    scored = scorer.score(stars)
    assert np.isnan(scored.loc[5, "score"])
    assert scored.loc[5, "flags"] == Flag.PARALLAX_CUT
    assert scored["score"].notna().sum() == 199


def test_a_table_without_errors_is_refused_unless_that_was_allowed(scorer, lenient, stars):
    bare = stars.drop(columns="parallax_error")
    with pytest.raises(InputError, match="no column 'parallax_error'"):
        scorer.score(bare)
    bare.loc[3, "parallax"] = -0.2
    scored = lenient.score(bare)
    assert set(scored["flags"].drop(index=3)) == {int(Flag.ERRORS_MISSING)}
    assert scored.loc[3, "flags"] == Flag.ERRORS_MISSING | Flag.PARALLAX_CUT
    assert np.isnan(scored.loc[3, "score"])
    np.testing.assert_array_equal(scored["score"].drop(index=3), scorer.score(stars)["score"].drop(index=3))


def test_where_errors_are_optional_those_that_exist_are_still_held_to_the_cut(lenient, stars):
    stars.loc[0, "parallax_error"] = np.nan
    stars.loc[1, ["parallax", "parallax_error"]] = 1.0, 0.5
    scored = lenient.score(stars)
    assert list(scored["flags"].head(3)) == [Flag.ERRORS_MISSING, Flag.PARALLAX_CUT, 0]
    assert list(scored["score"].notna().head(3)) == [True, False, True]


def test_stars_outside_the_training_sample_are_scored_and_flagged(trained, scorer, stars):
    low, high = trained.card.domain["pmra"]
    stars.loc[[0, 1, 2, 3], "pmra"] = [low, high, low - 0.01, high + 0.01]
    scored = scorer.score(stars)
    assert list(scored["flags"].head(4)) == [0, 0, Flag.OUTSIDE_TRAINING, Flag.OUTSIDE_TRAINING]
    assert scored["score"].notna().all()


def test_no_star_of_the_training_sample_is_outside_it(trained, scorer, make_survey):
    assert not scorer.score(make_survey(4000, 1))["flags"].any()


def test_a_score_depends_on_the_star_alone(scorer, make_survey):
    frame = make_survey(3 * blocks.BLOCK_ROWS * blocks.CALL_BLOCKS // 2, 10)
    whole = scorer.score(frame)
    order = np.random.default_rng(0).permutation(len(frame))
    shuffled = scorer.score(frame.iloc[order])
    pieces = pd.concat([scorer.score(frame.iloc[a : a + 5000]) for a in range(0, len(frame), 5000)])
    pd.testing.assert_frame_equal(shuffled.sort_index(), whole, check_exact=True)
    pd.testing.assert_frame_equal(pieces, whole, check_exact=True)
    alone = scorer.score(frame.iloc[[18000]])
    assert alone["score"].item() == whole.loc[18000, "score"]


def test_another_block_size_gives_the_same_scores(trained, scorer, make_survey):
    frame = make_survey(2000, 12)
    values = values_from_frame(frame, trained.card.inputs)
    np.testing.assert_allclose(blocks.Blocks(trained.network, 300)(values), scorer.score(frame)["score"], atol=1e-6)


def test_scores_are_those_of_predict(trained, make_survey):
    values = values_from_frame(make_survey(5000, 13), trained.card.inputs)
    expected = trained.network.predict(values, verbose=0)[:, 0]
    np.testing.assert_allclose(network_scores(trained.network, values), expected, atol=1e-6, rtol=0)


def test_a_network_is_compiled_once(trained):
    assert blocks.compiled(trained.network) is blocks.compiled(trained.network)


def test_columns_are_taken_by_name(scorer, stars):
    turned = stars[list(stars.columns[::-1])]
    np.testing.assert_array_equal(scorer.score(turned)["score"], scorer.score(stars)["score"])
    with pytest.raises(InputError, match="no column 'pmdec'"):
        scorer.score(stars.drop(columns="pmdec"))


def test_rows_and_index_are_kept(scorer, stars):
    labelled = stars.assign(row=np.arange(200) + 7).set_index(stars["source_id"].to_numpy())
    scored = scorer.score(labelled)
    assert list(scored.columns) == ["row", "source_id", "score", "flags"]
    assert scored.index.equals(labelled.index)


def test_longitudes_up_to_360_degrees_are_refused(scorer, stars):
    with pytest.raises(InputError, match="subtract 360"):
        scorer.score(stars.assign(l=stars["l"] % 360.0))


def test_a_table_without_rows_gives_a_table_without_rows(scorer, stars):
    scored = scorer.score(stars.head(0))
    assert len(scored) == 0
    assert scored.dtypes.astype(str).to_dict() == {"source_id": "int64", "score": "float32", "flags": "int32"}


def test_single_and_double_precision_columns_give_the_same(scorer, stars):
    single = stars.astype(dict.fromkeys(NUMBERS, np.float32))
    pd.testing.assert_frame_equal(scorer.score(single), scorer.score(single.astype(dict.fromkeys(NUMBERS, np.float64))))


def test_an_array_is_scored_as_a_table_is(scorer, trained, stars):
    values = stars[list(trained.card.inputs)].to_numpy(np.float32)
    np.testing.assert_array_equal(network_scores(trained.network, values), scorer.score(stars)["score"])


def test_rows_of_an_array_that_are_not_finite_get_no_score(trained):
    values = trained.validation.take(np.arange(10)).values  # noqa: PD011 - no pandas
    values[2, 1], values[5, 4] = np.nan, -np.inf
    assert list(np.flatnonzero(np.isnan(network_scores(trained.network, values)))) == [2, 5]


def test_scores_change_when_weights_change(pretrained, trained, stars):
    scorer = Scorer(pretrained, trained.card, max_fractional_parallax_error=0.1)
    before = scorer.score(stars)["score"]
    layer = pretrained.get_layer("last")
    layer.set_weights([-w for w in layer.get_weights()])
    np.testing.assert_allclose(scorer.score(stars)["score"], 1.0 - before, atol=1e-6)


def arrays(frame):
    return {str(name): frame[name].to_numpy() for name in frame if name != "accreted"}


def spread_of(scorer, frame, *, draws=16, seed=1):
    columns = arrays(frame)
    scores, _ = scorer.score_columns(columns)
    return pd.DataFrame(
        scorer.spread_columns(columns, scores, columns["source_id"], draws=draws, seed=seed), index=frame.index
    )


def test_the_spread_of_a_star_depends_on_seed_and_star_alone(scorer, stars):
    whole = spread_of(scorer, stars)
    pieces = pd.concat([spread_of(scorer, stars.iloc[a : a + 30]) for a in range(180, -30, -30) if a >= 0]).sort_index()
    pd.testing.assert_frame_equal(pieces, whole.loc[pieces.index], check_exact=True)
    other = spread_of(scorer, stars, seed=2)
    assert (other["score_mean"] != whole["score_mean"]).mean() > 0.9


def test_without_errors_the_spread_is_the_score(scorer, stars):
    exact = stars.assign(pmra_error=0.0, pmdec_error=0.0, parallax_error=1e-9)
    found, score = spread_of(scorer, exact), scorer.score(exact)["score"]
    for name in found:
        np.testing.assert_allclose(found[name], score, atol=1e-6)


def test_the_spread_is_that_of_scores_of_noisy_stars(scorer, trained, stars):
    star = stars.iloc[[7]].assign(pmra_error=3.0, pmdec_error=3.0)
    found = spread_of(scorer, star, draws=20_000).iloc[0]
    rng = np.random.default_rng(0)
    inputs = list(trained.card.inputs)
    errors = [0.0 if n in {"l", "b"} else star[f"{n}_error"].item() for n in inputs]
    noisy = star[inputs].to_numpy() + rng.normal(size=(20_000, len(inputs))) * errors
    scores = network_scores(trained.network, noisy.astype(np.float32))
    error = 5 * scores.std() / np.sqrt(20_000)
    assert abs(found["score_mean"] - scores.mean()) < 2 * error
    np.testing.assert_allclose(found[["score_p16", "score_p84"]], np.quantile(scores, [0.16, 0.84]), atol=4 * error)
    assert found["score_p16"] < found["score_mean"] < found["score_p84"]


def test_correlated_errors_are_drawn_correlated(stars):
    size = 4000
    values, errors = np.zeros((1, 5), np.float32), np.array([[0, 0, 1, 2, 3]], np.float32)
    drawn = spread.drawn_inputs(
        values, errors, input_columns("5D"), np.array([5]), draws=size, seed=0,
        correlations=np.array([[0.5], [-0.3], [0.4]]),
    )[0]  # fmt: skip
    np.testing.assert_allclose(drawn.std(axis=0), [0, 0, 1, 2, 3], rtol=0.05)
    expected = [[1.0, 0.5, -0.3], [0.5, 1.0, 0.4], [-0.3, 0.4, 1.0]]
    np.testing.assert_allclose(np.corrcoef(drawn[:, 2:].T), expected, atol=0.06)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_star_whose_errors_are_no_errors_has_a_score_and_no_spread(scorer, stars, bad):
    stars.loc[4, "pmra_error"] = bad
    found = spread_of(scorer, stars)
    assert found.loc[4].isna().all()
    assert found.drop(index=4).notna().all(axis=None)
    assert np.isfinite(scorer.score(stars).loc[4, "score"])


def test_a_spread_needs_errors_and_draws(scorer, lenient, stars):
    with pytest.raises(InputError, match="no column 'pmra_error'"):
        spread_of(scorer, stars.drop(columns="pmra_error"))
    with pytest.raises(InputError, match="0 draws"):
        spread_of(scorer, stars, draws=0)
    assert spread_of(lenient, stars.drop(columns="pmra_error")).notna().all(axis=None)
