"""Whether a score can be read as a probability, and maps that make it one (Niculescu-Mizil & Caruana 2005)."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from exsitu.evaluation.checks import Floats, scores_of, truth_of

Calibration = Callable[[ArrayLike], Floats]
"""From scores to probabilities, shape (n_stars,) both."""

EDGES = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Bins of probability. One star in a hundred is accreted: with even bins nearly all stars would share the first."""

_LEAST = 1e-6
"""Probabilities nearer to 0 or 1 count as this near: a single star must not make a loss infinite."""


def _logit(score: ArrayLike) -> Floats:
    values = np.clip(scores_of(score), _LEAST, 1.0 - _LEAST)
    logit: Floats = np.log(values) - np.log1p(-values)
    return logit


def _sigmoid(logit: Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-logit))
    return found


def platt(score: ArrayLike, accreted: ArrayLike) -> Calibration:
    """
    Fit a logistic curve to the logit of the score (Platt 1999).

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output of stars it has not learnt from.
    accreted : array_like of bool, shape (n_stars,)
        The truth.

    Returns
    -------
    callable
        From scores to probabilities; it keeps their order.

    Raises
    ------
    InputError
        If a score is not finite, shapes differ, or all stars are of one kind.
    """
    from sklearn.linear_model import LogisticRegression

    logit = _logit(score)
    fitted = LogisticRegression(C=np.inf).fit(logit[:, None], truth_of(accreted, logit.size))
    slope, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return lambda new: _sigmoid(slope * _logit(new) + offset)


def isotonic(score: ArrayLike, accreted: ArrayLike) -> Calibration:
    """
    Fit steps that rise with the score (Zadrozny & Elkan 2002).

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output of stars it has not learnt from.
    accreted : array_like of bool, shape (n_stars,)
        The truth.

    Returns
    -------
    callable
        From scores to probabilities; scores beyond those of the fit get what its ends have.

    Raises
    ------
    InputError
        If a score is not finite, shapes differ, or all stars are of one kind.
    """
    from sklearn.isotonic import IsotonicRegression

    values = scores_of(score)
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    fitted.fit(values, truth_of(accreted, values.size).astype(np.float64))
    return lambda new: np.asarray(fitted.predict(scores_of(new)), np.float64)


def weights_undone(in_situ: float, accreted: float) -> Calibration:
    """
    Take the class weights of the loss out of the score.

    Parameters
    ----------
    in_situ, accreted : float
        Weights of a star of either class in training (`exsitu.model.training.class_weights`).

    Returns
    -------
    callable
        From scores to probabilities.

    Notes
    -----
    The least weighted cross-entropy is that of odds ``w_accreted p / (w_in_situ (1 - p))`` (Elkan 2001).
    """
    shift = np.log(in_situ) - np.log(accreted)
    return lambda new: _sigmoid(_logit(new) + shift)


def log_loss(probability: ArrayLike, accreted: ArrayLike) -> float:
    """
    Mean cross-entropy, a proper score: least where probabilities are right.

    Parameters
    ----------
    probability : array_like, shape (n_stars,)
        That a star is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.

    Returns
    -------
    float
        In nats a star.

    Raises
    ------
    InputError
        If a probability is not finite, shapes differ, or all stars are of one kind.
    """
    values = np.clip(scores_of(probability), _LEAST, 1.0 - _LEAST)
    truth = truth_of(accreted, values.size)
    return float(-np.mean(np.where(truth, np.log(values), np.log1p(-values))))


def reliability(probability: ArrayLike, accreted: ArrayLike, edges: ArrayLike = EDGES) -> pd.DataFrame:
    """
    Observed accreted share of stars of about equal probability (Murphy & Winkler 1977).

    Parameters
    ----------
    probability : array_like, shape (n_stars,)
        That a star is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.
    edges : array_like, shape (n_bins + 1,)
        Of the bins, from 0 to 1.

    Returns
    -------
    DataFrame
        A row a bin: ``low``, ``high``, ``stars``, ``predicted`` (mean probability), ``observed`` (accreted
        share); the last two NaN where there is no star.

    Raises
    ------
    InputError
        If a probability is not finite, shapes differ, or all stars are of one kind.
    """
    values = scores_of(probability)
    limits = np.asarray(edges, np.float64)
    truth, count = truth_of(accreted, values.size), len(limits) - 1
    number = np.clip(np.searchsorted(limits, values, side="right") - 1, 0, count - 1)
    stars = np.bincount(number, minlength=count)
    with np.errstate(invalid="ignore"):  # no star: 0 / 0 is the NaN that is promised
        found = {
            "predicted": np.bincount(number, values, minlength=count) / stars,
            "observed": np.bincount(number, truth, minlength=count) / stars,
        }
    return pd.DataFrame({"low": limits[:-1], "high": limits[1:], "stars": stars, **found})


def calibration_error(probability: ArrayLike, accreted: ArrayLike) -> float:
    """
    Mean distance between predicted and observed share (expected calibration error, Naeini et al. 2015).

    Parameters
    ----------
    probability : array_like, shape (n_stars,)
        That a star is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.

    Returns
    -------
    float
        Over the bins of `EDGES`, each weighing as many stars as it has.

    Raises
    ------
    InputError
        If a probability is not finite, shapes differ, or all stars are of one kind.
    """
    table = reliability(probability, accreted)
    held = table[table["stars"] > 0]
    return float(np.average(np.abs(held["predicted"] - held["observed"]), weights=held["stars"]))
