"""What each table must hold, as expectation suites in Great Expectations' JSON, derived from the registry of columns.

The files in ``expectations/`` are written by `write_suites`; a test holds them equal to it. Types and ranges are the
registry's. What stands here is what the registry cannot know: which columns a table needs, how many of their values may
be missing, and where medians and tails lie, so that a unit slip of a factor 1000 inside a wide range is noticed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from exsitu.columns import Column, column
from exsitu.phase_space import SOLAR_MOTION, SOLAR_PLACE
from exsitu.provenance import write_json

Expectation = dict[str, Any]
"""``type``, ``kwargs`` and ``meta``, as Great Expectations writes them."""

PAIR_EXPECTATION = "expect_column_pair_fractional_error_to_be_between"
"""Our own expectation; `exsitu.gates.gate` teaches it to Great Expectations."""

MAX_FRACTIONAL_PARALLAX_ERROR = 0.1
"""Quality cut of the paper (Sec. 2.2), which samples and catalogs must pass."""

_Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Requirements:
    """
    What a table must hold beyond the registry's types and ranges.

    Parameters
    ----------
    meaning : str
        What the table is, one line.
    required : tuple of str
        Columns that must be there.
    optional : tuple of str
        Columns that are checked where they are there.
    present : mapping of str to float
        Least share of rows with a value, for columns that may lack some; all others need a value in every row.
    unique : tuple of str
        Columns that together name a row.
    medians : mapping of str to (float, float)
        Range of the median of a column, in the column's unit.
    tails : mapping of str to (float, float)
        Range of the sizes of a column's 5 % and 95 % quantiles, which must lie on either side of zero.
    min_rows : int
        Fewest rows.
    parallax_cut : bool
        Whether every row must pass the quality cut.
    """

    meaning: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    present: Mapping[str, float] = field(default_factory=dict)
    unique: tuple[str, ...] = ("source_id",)
    medians: Mapping[str, _Range] = field(default_factory=dict)
    tails: Mapping[str, _Range] = field(default_factory=dict)
    min_rows: int = 1
    parallax_cut: bool = False


_SKY = ("ra", "dec", "l", "b")
_PROPER_MOTION_ERRORS = ("pmra_error", "pmdec_error")
_VELOCITY = ("radial_velocity", "radial_velocity_error")
_SUN = (*SOLAR_PLACE, *SOLAR_MOTION)
_MAGNITUDES = tuple(f"phot_{band}_mean_mag" for band in ("g", "bp", "rp"))
_TRUTH = tuple(f"{kind}{axis}_true" for kind in "pv" for axis in "xyz")

# Gaia publishes about one source in five with a position alone (DR2 21 %, DR3 19 %), so a survey may lack so many
# parallaxes and proper motions; most stars have no radial velocity, some no colour.
_FIVE_PARAMETERS = dict.fromkeys(
    ("parallax", "parallax_error", "pmra", "pmdec", "pmra_error", "pmdec_error"),
    0.6,
)
# Positions that were sentinels are missing; three quarters missing are a swap of ra and dec.
_POSITIONS = dict.fromkeys(("ra", "dec", "l", "b"), 0.75)
_MAY_LACK = dict.fromkeys((*_VELOCITY, "feh", "feh_error", *_MAGNITUDES), 0.0)

# Medians met (mas): Gaia DR2 and DR3 0.3, cluster members 0.6, mocks 0.7, Hipparcos 4; stars that pass the cut 0.6 to
# 12, nearby halo stars 20. Each range is narrower than a factor 1000, so no slip from mas to arcsec or uas fits in.
_PARALLAX_SURVEY, _PARALLAX_CUT = (0.05, 40.0), (0.1, 90.0)
# Medians met (mas): bright Gaia stars 0.02, all Gaia stars 0.4, Hipparcos 1.
_PARALLAX_ERROR = (0.004, 3.0)
# Tails met (mas/yr): Gaia 5 to 10, Hipparcos 100.
_PROPER_MOTION = (0.5, 490.0)

TABLES: Mapping[str, Requirements] = MappingProxyType(
    {
        "mock_survey": Requirements(
            meaning="A mock survey of one viewpoint in one galaxy, with truth.",
            required=(
                "source_id",
                "parentid",
                *_SKY,
                "parallax",
                "parallax_error",
                "pmra",
                "pmdec",
                *_PROPER_MOTION_ERRORS,
                "feh",
                *_TRUTH,
            ),
            optional=(*_VELOCITY, *_MAGNITUDES, "random_index", "age", "alpha", "accreted"),
            present={name: share for name, share in _MAY_LACK.items() if name != "feh"},
            medians={"parallax": _PARALLAX_SURVEY, "parallax_error": _PARALLAX_ERROR},
            tails={
                "pmra": _PROPER_MOTION,
                "pmdec": _PROPER_MOTION,
                # Heliocentric kpc; parsecs would be a thousand times more, Mpc a thousand times less.
                **dict.fromkeys(("px_true", "py_true", "pz_true"), (0.03, 25.0)),
            },
            min_rows=100,
        ),
        "gaia_survey": Requirements(
            meaning="An astrometric survey of the Milky Way: Gaia, a stand-in, Hipparcos.",
            required=("source_id", "ra", "dec", "parallax", "parallax_error", "pmra", "pmdec"),
            optional=("l", "b", *_PROPER_MOTION_ERRORS, *_VELOCITY, *_MAGNITUDES),
            present={**_FIVE_PARAMETERS, **_MAY_LACK, **_POSITIONS},
            medians={"parallax": _PARALLAX_SURVEY, "parallax_error": _PARALLAX_ERROR},
            tails={"pmra": _PROPER_MOTION, "pmdec": _PROPER_MOTION},
        ),
        "spectroscopic_survey": Requirements(
            meaning="Stars with radial velocity and [Fe/H] from spectra, before the match with Gaia.",
            required=("original_ext_source_id", "ra", "dec", "radial_velocity", "feh"),
            optional=("radial_velocity_error", "feh_error", "quality_flag"),
            present={"radial_velocity": 0.5, "feh": 0.5, "radial_velocity_error": 0.0, "feh_error": 0.0},
            unique=("original_ext_source_id",),
            # Tails met (km/s): RAVE 80, metal-poor stars 250; a table in m/s is a thousand times more.
            tails={"radial_velocity": (3.0, 900.0)},
        ),
        "training_sample": Requirements(
            meaning="Stars a network learns on, is stopped by or is measured with.",
            required=("source_id", "l", "b", "parallax", "parallax_error", "pmra", "pmdec"),
            optional=(
                "ra",
                "dec",
                *_PROPER_MOTION_ERRORS,
                *_VELOCITY,
                "feh",
                "feh_error",
                *_MAGNITUDES,
                *_SUN,
                "accreted",
                "label_vm",
                "label_zm",
            ),
            present=_MAY_LACK,
            # Viewpoints are stacked and each numbers its own stars: a star is named by its id and where it stands.
            unique=("source_id", "l", "b"),
            medians={"parallax": _PARALLAX_CUT, "parallax_error": _PARALLAX_ERROR},
            parallax_cut=True,
        ),
        "catalog": Requirements(
            meaning="The stars a release publishes as accreted.",
            required=("source_id", *_SKY, "parallax", "parallax_error", "pmra", "pmdec", "score", "flags"),
            optional=(*_PROPER_MOTION_ERRORS, *_VELOCITY, *_MAGNITUDES),
            present={**_MAY_LACK, **dict.fromkeys(_PROPER_MOTION_ERRORS, 0.0)},
            medians={"parallax": _PARALLAX_CUT, "parallax_error": _PARALLAX_ERROR},
            parallax_cut=True,
        ),
    }
)


def suites() -> dict[str, dict[str, Any]]:
    """
    Build every suite from the registry of columns.

    Returns
    -------
    dict
        ``{name: suite}``, each in the shape of Great Expectations' own suite JSON.
    """
    return {
        name: {"name": name, "expectations": list(_expectations(table)), "meta": {"notes": table.meaning}}
        for name, table in TABLES.items()
    }


def write_suites(folder: Path) -> list[Path]:
    """
    Write every suite as ``<folder>/<name>.json``.

    Parameters
    ----------
    folder : Path
        The folder ``expectations`` of the repository.

    Returns
    -------
    list of Path
        The files written.
    """
    written = []
    for name, suite in suites().items():
        path = folder / f"{name}.json"
        write_json(path, suite)
        written.append(path)
    return written


def _expectations(table: Requirements) -> Iterator[Expectation]:
    yield _expect("expect_table_row_count_to_be_between", min_value=table.min_rows)
    for name in (*table.required, *table.optional):
        optional = name in table.optional
        for expectation in _of_column(column(name), table.present.get(name, 1.0), exists=not optional):
            yield {**expectation, "meta": {"optional": True}} if optional else expectation
    if len(table.unique) == 1:
        yield _expect("expect_column_values_to_be_unique", column=table.unique[0])
    else:
        yield _expect("expect_compound_columns_to_be_unique", column_list=list(table.unique))
    for name, (low, high) in table.medians.items():
        yield _expect("expect_column_median_to_be_between", column=name, min_value=low, max_value=high)
    for name, (low, high) in table.tails.items():
        ranges = {"quantiles": [0.05, 0.95], "value_ranges": [[-high, -low], [low, high]]}
        yield _expect("expect_column_quantile_values_to_be_between", column=name, quantile_ranges=ranges)
    if table.parallax_cut:
        yield _expect(
            PAIR_EXPECTATION,
            column_A="parallax_error",
            column_B="parallax",
            min_value=0.0,
            max_value=MAX_FRACTIONAL_PARALLAX_ERROR,
            ignore_row_if="neither",
        )


def _of_column(c: Column, present: float, *, exists: bool) -> Iterator[Expectation]:
    """Type, completeness and range of one column; "between" alone would pass NaN, "not null" alone infinity."""
    if exists:
        yield _expect("expect_column_to_exist", column=c.name)
    if c.dtype.startswith("float"):
        yield _expect("expect_column_values_to_be_in_type_list", column=c.name, type_list=["float32", "float64"])
    elif c.dtype != "str":
        yield _expect("expect_column_values_to_be_of_type", column=c.name, type_=c.dtype)
    if present == 1.0:
        yield _expect("expect_column_values_to_not_be_null", column=c.name)
    elif present > 0.0:
        yield _expect("expect_column_values_to_not_be_null", column=c.name, mostly=present)
    if c.dtype == "str":
        yield _expect("expect_column_value_lengths_to_be_between", column=c.name, min_value=1)
    elif c.low is not None:
        bounds = {"min_value": c.low} if c.high is None else {"min_value": c.low, "max_value": c.high}
        yield _expect("expect_column_values_to_be_between", column=c.name, **bounds)


def _expect(kind: str, **kwargs: Any) -> Expectation:
    return {"type": kind, "kwargs": kwargs, "meta": {}}
