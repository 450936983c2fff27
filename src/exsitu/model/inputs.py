"""What the network sees of a star: input sets, their standardisation, and the arrays made of a table.

Nothing here needs TensorFlow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from exsitu.columns import nearest
from exsitu.errors import InputError
from exsitu.phase_space import SOLAR_MOTION

Float32s = NDArray[np.float32]
Labels = NDArray[np.bool_]

TABLE_2: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "l": (2.72, 78.2),
        "b": (0.71, 26.1),
        "pmra": (-1.66, 10.6),
        "pmdec": (-2.83, 11.0),
        "parallax": (0.48, 0.86),
        "phot_g_mean_mag": (18.49, 2.0),
        "phot_bp_mean_mag": (19.16, 2.3),
        "phot_rp_mean_mag": (17.76, 1.9),
        "radial_velocity": (-6.15, 75.5),
        "feh": (-0.20, 0.42),
    }
)
"""Mean and standard deviation of every input, in the column's unit (Table 2 of the paper, measured on m12i LSR0)."""

_KINEMATICS = {
    "4D": ("l", "b", "pmra", "pmdec"),
    "5D": ("l", "b", "pmra", "pmdec", "parallax"),
    "6D": ("l", "b", "pmra", "pmdec", "parallax", "radial_velocity"),
}
_EXTRAS = {"": (), "+phot": ("phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag"), "+feh": ("feh",)}

INPUT_SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {f"{k}{e}": (*columns, *extra) for k, columns in _KINEMATICS.items() for e, extra in _EXTRAS.items()}
)
"""Input columns of each of the nine networks, in the network's order (paper, Sec. 5.1)."""

# Positions on the sky are known to a millionth of a degree; ananke states [Fe/H] without an error.
_EXACT = frozenset({"l", "b", *SOLAR_MOTION})
_ERROR_OPTIONAL = frozenset({"feh"})

# Gaia names the pair in this order whatever the order of the inputs.
_CORRELATIONS = {
    frozenset({"parallax", "pmra"}): "parallax_pmra_corr",
    frozenset({"parallax", "pmdec"}): "parallax_pmdec_corr",
    frozenset({"pmra", "pmdec"}): "pmra_pmdec_corr",
}

_ALL = slice(None)


def input_columns(input_set: str) -> tuple[str, ...]:
    """
    Columns a network takes.

    Parameters
    ----------
    input_set : str
        A key of ``INPUT_SETS``, such as ``"5D"`` or ``"6D+feh"``.

    Returns
    -------
    tuple of str
        In the network's order.

    Raises
    ------
    InputError
        If there is no such input set.
    """
    if input_set not in INPUT_SETS:
        known = ", ".join(INPUT_SETS)
        raise InputError(f"no input set {input_set!r}{nearest(input_set, INPUT_SETS)}; known: {known}")
    return INPUT_SETS[input_set]


def error_column(name: str) -> str | None:
    """
    Column that holds the standard error of an input.

    Parameters
    ----------
    name : str
        An input, such as ``"pmra"``.

    Returns
    -------
    str or None
        None for `l` and `b`, whose errors (about 1e-6 deg) no network could notice.
    """
    return None if name in _EXACT else f"{name}_error"


def correlated_pairs(columns: Sequence[str]) -> dict[tuple[int, int], str]:
    """
    Pairs of inputs whose errors a survey states a correlation of.

    Parameters
    ----------
    columns : sequence of str
        Inputs, in the network's order.

    Returns
    -------
    dict of (int, int) to str
        Column of the correlation by the numbers of the two inputs, the greater first, in the order of a lower triangle.
    """
    pairs = [(i, j) for i in range(len(columns)) for j in range(i)]
    named = {pair: _CORRELATIONS.get(frozenset(columns[i] for i in pair)) for pair in pairs}
    return {pair: name for pair, name in named.items() if name is not None}


@dataclass(frozen=True, slots=True, eq=False)
class Stars:
    """
    Stars as a training takes them: raw physical numbers, never standardised.

    Parameters
    ----------
    values : ndarray of float32, shape (n_stars, n_inputs)
        Measured inputs, in their columns' units.
    errors : ndarray of float32, shape (n_stars, n_inputs)
        Standard errors in the same units; zero where an input counts as exact.
    label : ndarray of float32, shape (n_stars,)
        1 for accreted, 0 for in situ.
    columns : tuple of str
        Names of the inputs, in order.
    weight : ndarray of float32, shape (n_stars,), optional
        Weight of each star on top of its class's (data planing needs it); 1 by default.
    correlations : ndarray of float32, shape (n_stars, n_pairs), optional
        Correlations of the errors, in the order of `correlated_pairs`; without them errors count as uncorrelated.
    """

    values: Float32s
    errors: Float32s
    label: Float32s
    columns: tuple[str, ...]
    weight: Float32s | None = None
    correlations: Float32s | None = None

    def __post_init__(self) -> None:
        """Hold the shapes against one another."""
        shape = (len(self.label), len(self.columns))
        weights = shape[:1] if self.weight is None else self.weight.shape
        if self.values.shape != shape or self.errors.shape != shape or weights != shape[:1]:
            raise InputError(
                f"{shape[0]} labels and {shape[1]} columns do not fit values {self.values.shape}, "
                f"errors {self.errors.shape}, weights {weights}; all must describe the same stars"
            )
        pairs = (shape[0], len(correlated_pairs(self.columns)))
        if self.correlations is not None and self.correlations.shape != pairs:
            raise InputError(
                f"correlations {self.correlations.shape} do not fit {pairs}, one of each pair of each star"
            )

    def __len__(self) -> int:
        """Return the number of stars."""
        return len(self.label)

    @property
    def accreted(self) -> int:
        """Number of stars labelled accreted."""
        return int(np.count_nonzero(self.label))

    def take(self, rows: NDArray[np.intp] | Labels) -> "Stars":
        """
        Some of the stars.

        Parameters
        ----------
        rows : ndarray
            Row numbers, or a mask.

        Returns
        -------
        Stars
        """
        weight = None if self.weight is None else self.weight[rows]
        correlations = None if self.correlations is None else self.correlations[rows]
        return Stars(self.values[rows], self.errors[rows], self.label[rows], self.columns, weight, correlations)

    def ranges(self) -> tuple[dict[str, float], dict[str, float]]:
        """
        Range of each input.

        Returns
        -------
        least, greatest : dict of str to float
            By column, in its unit.
        """
        low, high = self.values.min(axis=0), self.values.max(axis=0)
        return (
            {name: float(value) for name, value in zip(self.columns, low, strict=True)},
            {name: float(value) for name, value in zip(self.columns, high, strict=True)},
        )

    def with_solar_motion(self, v_sun_kms: ArrayLike) -> "Stars":
        """
        The same stars, each told of the Sun it is seen from.

        Parameters
        ----------
        v_sun_kms : array_like, shape (3,) or (n_stars, 3)
            Galactocentric velocity of the Sun, km/s, of all stars or of each.

        Returns
        -------
        Stars
            With the inputs `SOLAR_MOTION` in front, exact; no network that is kept takes them.
        """
        motion = np.broadcast_to(np.asarray(v_sun_kms, np.float32), (len(self), 3))
        return Stars(
            np.concatenate([motion, self.values], axis=1),
            np.concatenate([np.zeros_like(motion), self.errors], axis=1),
            self.label,
            (*SOLAR_MOTION, *self.columns),
            self.weight,
            self.correlations,
        )

    def factor(self) -> tuple[Float32s, Float32s]:
        """
        Lower-triangular factor of each star's covariance, which turns independent unit normals into its noise.

        Returns
        -------
        diagonal : ndarray of float32, shape (n_stars, n_inputs)
            The errors themselves where errors are uncorrelated.
        below : ndarray of float32, shape (n_stars, n_pairs)
            Elements below the diagonal, in the order of `correlated_pairs`; no columns without correlations.

        Raises
        ------
        InputError
            If a covariance is not positive definite.

        Notes
        -----
        Cholesky's factor of the correlation matrix, row i times error i, so that an error of zero is no special case.
        """
        if self.correlations is None:
            return self.errors, np.empty((len(self), 0), np.float32)
        pairs = list(correlated_pairs(self.columns))
        lower = {pair: self.correlations[:, k].astype(np.float64) for k, pair in enumerate(pairs)}
        diagonal = np.ones(self.errors.shape)
        good = np.ones(len(self), np.bool_)
        for i in range(len(self.columns)):
            for j in (j for a, j in pairs if a == i):
                inner = sum(lower[i, k] * lower[j, k] for k in range(j) if (i, k) in lower and (j, k) in lower)
                lower[i, j] = (lower[i, j] - inner) / diagonal[:, j]
            pivot = 1.0 - sum(lower[a, j] ** 2 for a, j in pairs if a == i)
            good &= pivot > 0
            diagonal[:, i] = np.sqrt(np.where(good, pivot, 1.0))
        _require(good, "the covariance of the errors is not positive definite")
        below = [lower[i, j] * self.errors[:, i] for i, j in pairs]
        stacked = np.stack(below, axis=1) if below else np.empty((len(self), 0))
        return (diagonal * self.errors).astype(np.float32), stacked.astype(np.float32)

    def require_usable(self, name: str) -> None:
        """
        Refuse stars a network must not learn from.

        A loss can stay finite on NaN inputs, so nothing later would notice.

        Parameters
        ----------
        name : str
            What the stars are, for the message.

        Raises
        ------
        InputError
            If an input, error, label or weight is not finite, an error is negative, a longitude is above 180 deg, a
            label neither 0 nor 1 or a covariance not positive definite.
        """
        for i, column in enumerate(self.columns):
            _require(np.isfinite(self.values[:, i]), f"{name}: {column} is not finite")
            _require(
                np.isfinite(self.errors[:, i]) & (self.errors[:, i] >= 0),
                f"{name}: {column}_error is negative or not finite",
            )
            if column == "l":
                require_signed_longitude(self.values[:, i])
        _require(np.isin(self.label, (0.0, 1.0)), f"{name}: the label is neither 0 nor 1")
        if self.weight is not None:
            _require(np.isfinite(self.weight) & (self.weight >= 0), f"{name}: weight is negative or not finite")
        try:
            self.factor()
        except InputError as error:
            raise InputError(f"{name}: {error}") from None


def joined(parts: Sequence[Stars]) -> Stars:
    """
    Stars of several surveys as one sample.

    Parameters
    ----------
    parts : sequence of Stars
        Of the same columns, all with correlations or all without; a part without weights weighs 1 a star.

    Returns
    -------
    Stars

    Raises
    ------
    InputError
        If there is none, or the parts differ in what they hold.
    """
    kinds = {(part.columns, part.correlations is not None) for part in parts}
    if len(kinds) != 1:
        raise InputError(f"{len(parts)} samples of {len(kinds)} kinds cannot be joined; give at least one, all alike")
    ((columns, correlated),) = kinds
    weighted = any(part.weight is not None for part in parts)
    weights = [np.ones(len(part), np.float32) if part.weight is None else part.weight for part in parts]
    return Stars(
        np.concatenate([part.values for part in parts]),  # noqa: PD011 - not a table's
        np.concatenate([part.errors for part in parts]),
        np.concatenate([part.label for part in parts]),
        columns,
        np.concatenate(weights) if weighted else None,
        np.concatenate([p.correlations for p in parts if p.correlations is not None]) if correlated else None,
    )


def _require(good: Labels, problem: str) -> None:
    bad = len(good) - int(np.count_nonzero(good))
    if bad:
        raise InputError(f"{problem} in {bad} of {len(good)} stars; drop or repair them first")


def require_signed_longitude(l: NDArray[np.floating]) -> None:  # noqa: E741 - the field's name
    """
    Refuse Galactic longitudes that run to 360 deg: the network takes (-180, 180].

    Parameters
    ----------
    l : ndarray, shape (n_stars,)
        Galactic longitude, deg; NaN passes.

    Raises
    ------
    InputError
        If any is above 180 deg.
    """
    if np.any(l > 180.0):
        raise InputError(
            f"l reaches {np.nanmax(l):.1f} deg; the network takes (-180, 180]: subtract 360 from what is above"
        )


def _column(frame: pd.DataFrame, name: str, rows: NDArray[np.intp] | slice = _ALL) -> Float32s:
    if name not in frame.columns:
        raise InputError(f"the table has no column {name!r}{nearest(name, map(str, frame.columns))}")
    with np.errstate(over="ignore"):  # what overflows becomes inf and is refused as such
        return frame[name].to_numpy(np.float64, na_value=np.nan)[rows].astype(np.float32)


def values_from_frame(frame: pd.DataFrame, columns: tuple[str, ...], rows: NDArray[np.intp] | slice = _ALL) -> Float32s:
    """
    Inputs of the network from a table.

    Parameters
    ----------
    frame : DataFrame
        Registry's columns, in any order.
    columns : tuple of str
        Inputs, in the network's order.
    rows : ndarray of int or slice
        Row numbers to take; all by default.

    Returns
    -------
    ndarray of float32, shape (n_stars, n_inputs)
        Not checked for finiteness.

    Raises
    ------
    InputError
        If a column is missing.
    """
    return np.stack([_column(frame, name, rows) for name in columns], axis=1)


def _errors(frame: pd.DataFrame, name: str, *, allow_missing: bool) -> Float32s:
    """Standard errors of one input; zero where it counts as exact."""
    source = error_column(name)
    absent = source is None or source not in frame.columns
    if source is None or (absent and (allow_missing or name in _ERROR_OPTIONAL)):
        return np.zeros(len(frame), np.float32)
    errors = _column(frame, source)
    return np.nan_to_num(errors, nan=0.0) if allow_missing else errors


def _correlations(frame: pd.DataFrame, columns: tuple[str, ...], *, allow_missing: bool) -> Float32s:
    """Correlations of the errors, a column a pair."""
    found = [_column(frame, name) for name in correlated_pairs(columns).values()]
    stacked = np.stack(found, axis=1) if found else np.empty((len(frame), 0), np.float32)
    return np.nan_to_num(stacked, nan=0.0) if allow_missing else stacked


def stars_from_frame(
    frame: pd.DataFrame,
    input_set: str,
    label: str | Labels,
    *,
    allow_missing_errors: bool = False,
    covariance: bool = False,
) -> Stars:
    """
    Stars for training or validation from a table.

    Parameters
    ----------
    frame : DataFrame
        Registry's columns.
    input_set : str
        A key of ``INPUT_SETS``.
    label : str or ndarray of bool, shape (n_stars,)
        Which stars count as accreted, or the boolean column that says so.
    allow_missing_errors : bool
        Take a missing or NaN error as zero: such a star is not resampled in that input. [Fe/H] may always come without
        an error column, as in the mocks.
    covariance : bool
        Take the correlations of the errors of proper motion and parallax along, so that a training draws from the full
        covariance; the paper's draws are uncorrelated. With `allow_missing_errors` a NaN correlation is zero.

    Returns
    -------
    Stars

    Raises
    ------
    InputError
        If a column is missing, a number is not finite, an error is negative, the label is not boolean, or a covariance
        is not positive definite.
    """
    columns = input_columns(input_set)
    chosen = frame[label].to_numpy() if isinstance(label, str) and label in frame.columns else label
    if isinstance(chosen, str):
        raise InputError(f"the table has no column {chosen!r}{nearest(chosen, map(str, frame.columns))}")
    if chosen.dtype != np.bool_:
        raise InputError(f"labels must be boolean, not {chosen.dtype}; True means accreted")
    errors = [_errors(frame, name, allow_missing=allow_missing_errors) for name in columns]
    stars = Stars(
        values_from_frame(frame, columns),
        np.stack(errors, axis=1),
        chosen.astype(np.float32),
        tuple(columns),
        correlations=_correlations(frame, columns, allow_missing=allow_missing_errors) if covariance else None,
    )
    stars.require_usable("stars")
    return stars
