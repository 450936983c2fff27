"""The one registry of columns: name, unit, UCD, dtype, physical range, description, and what each release calls it.

Everything that knows a column (the mock writer, the readers, the gates, the model's inputs, FITS, VOTable and Parquet
metadata, the docs) reads it here. Names are the Gaia archive's wherever the archive has the quantity.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from exsitu.errors import InputError

Release = Literal["ananke", "gaia_dr2", "gaia_dr3", "gaia_dr4", "hipparcos2", "rave_dr5", "exsitu"]

RELEASES: Mapping[str, str] = MappingProxyType(
    {
        "ananke": "ananke mock Gaia DR2 surveys of the FIRE-2 galaxies (Sanderson et al. 2020)",
        "gaia_dr2": "Gaia DR2, gaiadr2.gaia_source (Gaia Collaboration 2018)",
        "gaia_dr3": "Gaia DR3, gaiadr3.gaia_source (Gaia Collaboration 2023)",
        "gaia_dr4": "Gaia DR4, gaiadr4.gaia_source (provisional: the draft data model of May 2026)",
        "hipparcos2": "Hipparcos, the new reduction (van Leeuwen 2007)",
        "rave_dr5": "RAVE DR5 (Kunder et al. 2017)",
        "exsitu": "tables written by exsitu itself",
    }
)

REFERENCE_EPOCHS: Mapping[str, float] = MappingProxyType(
    {
        "ananke": 2015.5,
        "gaia_dr2": 2015.5,
        "gaia_dr3": 2016.0,
        "gaia_dr4": 2017.5,
        "hipparcos2": 1991.25,
        "rave_dr5": 2000.0,
    }
)
"""Julian year of the positions in each release."""

NOT_PHYSICAL = "not_physical"
"""What the readers call the column that marks rows in which a deciding value was no measurement, and its flag."""

PROVISIONAL = frozenset({"gaia_dr4"})
"""Releases that are known by drafts alone: names, epoch and columns may change before they open."""


@dataclass(frozen=True, slots=True)
class Column:
    """
    One quantity of a star.

    Parameters
    ----------
    name : str
        Name in every table of exsitu.
    unit : str
        Unit in the VOUnit notation; empty when dimensionless.
    ucd : str
        IVOA Unified Content Descriptor (UCD1+).
    dtype : str
        NumPy dtype the column is held in; ids are int64 and never pass through a float.
    low, high : float or None
        Physical range, both ends included (a standard error of 0 is none); values outside are read as missing. None
        for ids, text and truth flags.
    description : str
        One line for people.
    releases : frozenset of str
        Releases that have the column under this very name.
    native : mapping of str to str
        Releases that have it under another name, and that name.
    aliases : tuple of str
        Other spellings met in published tables; readers accept them where a file is of no known release, whatever
        their case but for `CASE_MATTERS`.
    """

    name: str
    unit: str
    ucd: str
    dtype: str
    low: float | None
    high: float | None
    description: str
    releases: frozenset[str] = frozenset()
    native: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def name_in(self, release: str) -> str | None:
        """
        Name of the column in a data release.

        Parameters
        ----------
        release : str
            A key of ``RELEASES``.

        Returns
        -------
        str or None
            None where the release has no such column.
        """
        if release in self.native:
            return self.native[release]
        return self.name if release in self.releases or release == "exsitu" else None


_GAIA = frozenset({"gaia_dr2", "gaia_dr3", "gaia_dr4"})
_ALL = _GAIA | {"ananke"}
_MOCK = frozenset({"ananke"})
_OURS: frozenset[str] = frozenset()


def _correlation(a: str, b: str, ucds: str) -> Column:
    return Column(
        f"{a}_{b}_corr",
        "",
        f"stat.correlation;{ucds}",
        "float32",
        -1.0,
        1.0,
        f"Correlation of the errors of {a} and {b}",
        _GAIA,
    )


_IDS = (
    Column(
        "source_id",
        "",
        "meta.id;meta.main",
        "int64",
        None,
        None,
        "Source identifier, unique within one data release",
        _ALL,
        {"hipparcos2": "HIP"},
        ("source", "gaia_source", "dr2_source_id"),
    ),
    Column("row", "", "meta.id", "int64", 0, None, "Row number in the input file, from 0"),
    Column("parentid", "", "meta.id.parent", "int64", 0, None, "Index of the parent star particle", _MOCK),
    Column("random_index", "", "meta.code", "int64", 0, None, "Random index used to select subsets", _ALL),
)

_ASTROMETRY = (
    Column(
        "ra",
        "deg",
        "pos.eq.ra;meta.main",
        "float64",
        0.0,
        360.0,
        "Right ascension, ICRS",
        _ALL,
        {"hipparcos2": "RArad", "rave_dr5": "RAdeg"},
        ("ra_icrs", "raj2000", "_raj2000"),
    ),
    Column(
        "dec",
        "deg",
        "pos.eq.dec;meta.main",
        "float64",
        -90.0,
        90.0,
        "Declination, ICRS",
        _ALL,
        {"hipparcos2": "DErad", "rave_dr5": "DEdeg"},
        ("de_icrs", "dej2000", "_dej2000"),
    ),
    Column("l", "deg", "pos.galactic.lon", "float64", -180.0, 360.0, "Galactic longitude", _ALL, {}, ("glon",)),
    Column("b", "deg", "pos.galactic.lat", "float64", -90.0, 90.0, "Galactic latitude", _ALL, {}, ("glat",)),
    Column(
        "parallax",
        "mas",
        "pos.parallax",
        "float64",
        -1000.0,
        1000.0,
        "Parallax; negative values are noise and stay",
        _ALL,
        {"hipparcos2": "Plx"},
        ("plx",),
    ),
    Column(
        "pmra",
        "mas.yr-1",
        "pos.pm;pos.eq.ra",
        "float64",
        -12000.0,
        12000.0,
        "Proper motion in right ascension, times cos(dec)",
        _ALL,
        {"hipparcos2": "pmRA"},
        ("pmra_cosdec",),
    ),
    Column(
        "pmdec",
        "mas.yr-1",
        "pos.pm;pos.eq.dec",
        "float64",
        -12000.0,
        12000.0,
        "Proper motion in declination",
        _ALL,
        {"hipparcos2": "pmDE"},
        ("pmde",),
    ),
    Column(
        "ra_error",
        "mas",
        "stat.error;pos.eq.ra",
        "float32",
        0.0,
        1e4,
        "Standard error of right ascension, times cos(dec)",
        _ALL,
        {"hipparcos2": "e_RArad"},
        ("ra_err", "e_ra", "e_ra_icrs"),
    ),
    Column(
        "dec_error",
        "mas",
        "stat.error;pos.eq.dec",
        "float32",
        0.0,
        1e4,
        "Standard error of declination",
        _ALL,
        {"hipparcos2": "e_DErad"},
        ("dec_err", "e_dec", "e_de_icrs"),
    ),
    Column(
        "parallax_error",
        "mas",
        "stat.error;pos.parallax",
        "float64",
        0.0,
        1000.0,
        "Standard error of the parallax",
        _ALL,
        {"hipparcos2": "e_Plx"},
        ("parallax_sig", "parallax_err", "e_parallax", "plx_err"),
    ),
    Column(
        "parallax_over_error",
        "",
        "stat.snr;pos.parallax",
        "float32",
        -1e6,
        1e6,
        "Parallax divided by its standard error",
        _ALL,
    ),
    Column(
        "pmra_error",
        "mas.yr-1",
        "stat.error;pos.pm;pos.eq.ra",
        "float32",
        0.0,
        1000.0,
        "Standard error of pmra",
        _ALL,
        {"hipparcos2": "e_pmRA"},
        ("pmra_sig", "pmra_err"),
    ),
    Column(
        "pmdec_error",
        "mas.yr-1",
        "stat.error;pos.pm;pos.eq.dec",
        "float32",
        0.0,
        1000.0,
        "Standard error of pmdec",
        _ALL,
        {"hipparcos2": "e_pmDE"},
        ("pmdec_sig", "pmdec_err", "e_pmdec"),
    ),
    _correlation("ra", "dec", "pos.eq.ra;pos.eq.dec"),
    _correlation("ra", "parallax", "pos.eq.ra;pos.parallax"),
    _correlation("ra", "pmra", "pos.eq.ra;pos.pm;pos.eq.ra"),
    _correlation("ra", "pmdec", "pos.eq.ra;pos.pm;pos.eq.dec"),
    _correlation("dec", "parallax", "pos.eq.dec;pos.parallax"),
    _correlation("dec", "pmra", "pos.eq.dec;pos.pm;pos.eq.ra"),
    _correlation("dec", "pmdec", "pos.eq.dec;pos.pm;pos.eq.dec"),
    _correlation("parallax", "pmra", "pos.parallax;pos.pm;pos.eq.ra"),
    _correlation("parallax", "pmdec", "pos.parallax;pos.pm;pos.eq.dec"),
    _correlation("pmra", "pmdec", "pos.pm;pos.eq.ra;pos.pm;pos.eq.dec"),
)

_SPECTROSCOPY = (
    Column(
        "radial_velocity",
        "km.s-1",
        "spect.dopplerVeloc.opt;em.opt",
        "float64",
        -1500.0,
        1500.0,
        "Heliocentric radial velocity; NaN where there is none",
        _ALL,
        {"rave_dr5": "HRV"},
        ("rv", "hrv", "vlos"),
    ),
    Column(
        "radial_velocity_error",
        "km.s-1",
        "stat.error;spect.dopplerVeloc.opt;em.opt",
        "float32",
        0.0,
        500.0,
        "Standard error of the radial velocity",
        _ALL,
        {"rave_dr5": "eHRV"},
        ("radial_velocity_sig", "radial_velocity_err", "rv_err", "e_rv", "e_hrv", "evlos"),
    ),
    Column(
        "feh",
        "",
        "phys.abund.Fe",
        "float64",
        -8.0,
        1.5,
        "Iron abundance [Fe/H], dex",
        _MOCK,
        {"rave_dr5": "Met_N_K"},
        ("fe_h", "[fe/h]", "m_h_nk"),
    ),
    Column(
        "feh_error",
        "",
        "stat.error;phys.abund.Fe",
        "float32",
        0.0,
        5.0,
        "Standard error of [Fe/H], dex",
        _OURS,
        {"rave_dr5": "eMet_K"},
        ("feh_sig", "feh_err", "e_fe_h", "fe_h_err", "e__m_h_k"),
    ),
    Column("alpha", "", "phys.abund.Z", "float64", -3.0, 3.0, "Alpha enhancement [alpha/Fe], dex", _MOCK),
    Column("age", "", "time.age", "float64", -3.0, 10.3, "log10 of the age in years", _MOCK),
    Column("logg", "", "phys.gravity", "float32", -2.0, 9.5, "log10 of the surface gravity in cm/s2", _MOCK),
    Column("logteff", "", "phys.temperature.effective", "float32", 3.0, 5.5, "log10 of Teff in kelvin", _MOCK),
    Column(
        "original_ext_source_id",
        "",
        "meta.id.cross",
        "str",
        None,
        None,
        "Identifier in the spectroscopic survey",
        frozenset({"gaia_dr2"}),
        {"rave_dr5": "RAVE_OBS_ID"},
        ("rave_obs_id",),
    ),
    Column(
        "quality_flag",
        "",
        "meta.code.qual",
        "int64",
        0,
        4,
        "Convergence flag of the spectroscopic pipeline; 0 is good",
        _OURS,
        {"rave_dr5": "Algo_Conv_K"},
        ("qk",),
    ),
    Column(
        "angular_distance",
        "arcsec",
        "pos.angDistance",
        "float32",
        0.0,
        3600.0,
        "Distance between the spectroscopic survey's position and Gaia's, at one epoch",
    ),
    Column(
        "number_of_neighbours",
        "",
        "meta.number",
        "int32",
        0,
        None,
        "Gaia sources near the spectroscopic survey's position",
    ),
)

_BANDS = {"g": "em.opt", "bp": "em.opt.B", "rp": "em.opt.R"}
_PHOTOMETRY = tuple(
    Column(
        f"phot_{band}_mean_mag",
        "mag",
        f"phot.mag;{ucd}",
        "float32",
        -3.0,
        30.0,
        f"Apparent {band.upper()} mean magnitude, extincted, Vega",
        _ALL,
        {},
        (f"mag_{band}", f"{band.upper()}mag"),
    )
    for band, ucd in _BANDS.items()
) + tuple(
    Column(
        f"phot_{band}_mean_mag_error",
        "mag",
        f"stat.error;phot.mag;{ucd}",
        "float32",
        0.0,
        10.0,
        f"Standard error of the {band.upper()} mean magnitude",
        _MOCK,
    )
    for band, ucd in _BANDS.items()
)

_TRUTH = tuple(
    Column(
        f"p{axis}_true",
        "kpc",
        f"pos.cartesian.{axis};meta.modelled",
        "float32",
        -1e4,
        1e4,
        f"True heliocentric Galactic Cartesian {axis}",
        _MOCK,
    )
    for axis in "xyz"
) + tuple(
    Column(
        f"v{axis}_true",
        "km.s-1",
        f"phys.veloc;pos.cartesian.{axis};meta.modelled",
        "float32",
        -1e4,
        1e4,
        f"True heliocentric Galactic Cartesian velocity along {axis}",
        _MOCK,
    )
    for axis in "xyz"
)

_SCORE, _PERCENTILE = "stat.value;stat.uncalib", "stat.percentile;stat.uncalib"
_DERIVED = (
    Column("v_r", "km.s-1", "phys.veloc;pos.galactocentric", "float32", -1e5, 1e5, "Galactocentric cylindrical v_R"),
    Column(
        "v_phi",
        "km.s-1",
        "phys.veloc.rotat;pos.galactocentric",
        "float32",
        -1e5,
        1e5,
        "Galactocentric azimuthal velocity, positive with the disc's rotation",
    ),
    Column("v_z", "km.s-1", "phys.veloc;pos.galactocentric", "float32", -1e5, 1e5, "Galactocentric vertical velocity"),
    Column("z_kpc", "kpc", "pos.cartesian.z;pos.galactocentric", "float32", -1e4, 1e4, "Height above the disc's plane"),
    Column(
        "r_sun_kpc", "kpc", "pos.distance;pos.galactocentric", "float64", 0.0, 1e3, "The Sun's distance from the centre"
    ),
    Column("z_sun_kpc", "kpc", "pos.cartesian.z;pos.galactocentric", "float64", -1e2, 1e2, "The Sun's height"),
    *(
        Column(
            name, "km.s-1", "phys.veloc;pos.galactocentric", "float64", -1e3, 1e3, f"Velocity of the Sun {direction}"
        )
        for name, direction in (
            ("v_sun_x", "towards the centre"),
            ("v_sun_y", "along the rotation"),
            ("v_sun_z", "to the north pole"),
        )
    ),
    Column("accreted", "", "meta.code.class", "bool", None, None, "True where the star was born in another galaxy"),
    Column("label_vm", "", "meta.code.class", "bool", None, None, "Selected by velocity mixture and [Fe/H] (VM)"),
    Column("label_zm", "", "meta.code.class", "bool", None, None, "Selected by height and [Fe/H] (ZM)"),
    # A score orders stars; training weighed the classes, so that it is no probability until it is calibrated.
    Column(
        "score", "", _SCORE, "float32", 0.0, 1.0, "Network output S, a score and no probability; 1 is like accreted"
    ),
    Column("score_mean", "", f"{_SCORE};stat.mean", "float32", 0.0, 1.0, "Mean of S over draws of the errors"),
    Column("score_p16", "", _PERCENTILE, "float32", 0.0, 1.0, "16th percentile of S over draws of the errors"),
    Column("score_p84", "", _PERCENTILE, "float32", 0.0, 1.0, "84th percentile of S over draws of the errors"),
    Column("flags", "", "meta.code.qual", "int32", 0, None, "Bit mask of scoring flags; 0 is a plain score"),
)

CASE_MATTERS = frozenset({"l", "b", "Gmag"})
"""Spellings that mean something else in another case: luminosity L, magnitude B, the g of SDSS and Pan-STARRS."""

COLUMNS: Mapping[str, Column] = MappingProxyType(
    {c.name: c for c in (*_IDS, *_ASTROMETRY, *_SPECTROSCOPY, *_PHOTOMETRY, *_TRUTH, *_DERIVED)}
)


def nearest(name: str, known: Iterable[str]) -> str:
    """
    Say which known name a misspelt one was probably meant to be.

    Parameters
    ----------
    name : str
        What was given.
    known : iterable of str
        What exists.

    Returns
    -------
    str
        ``"; did you mean 'x'?"``, or an empty string when nothing is near.
    """
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else ""


def column(name: str) -> Column:
    """
    Look a column up.

    Parameters
    ----------
    name : str
        Name in exsitu's tables.

    Returns
    -------
    Column

    Raises
    ------
    InputError
        If there is no such column; the message names the nearest.
    """
    try:
        return COLUMNS[name]
    except KeyError:
        raise InputError(f"no column {name!r} in the registry{nearest(name, COLUMNS)}") from None


def names_in(release: str) -> dict[str, str]:
    """
    Mapping from a release's own column names onto the registry's.

    Parameters
    ----------
    release : str
        A key of ``RELEASES``.

    Returns
    -------
    dict
        ``{native name: name}``.

    Raises
    ------
    InputError
        If the release is unknown.
    """
    if release not in RELEASES:
        raise InputError(f"unknown data release {release!r}{nearest(release, RELEASES)}; known: {', '.join(RELEASES)}")
    return {native: c.name for c in COLUMNS.values() if (native := c.name_in(release)) is not None}


def spellings() -> dict[str, str]:
    """
    Every spelling of a column met anywhere, in lower case, for files of no known release.

    Returns
    -------
    dict
        ``{lower-case spelling: name}``; the registry's own names win.
    """
    found: dict[str, str] = {}
    for c in COLUMNS.values():
        for spelling in (*c.native.values(), *c.aliases):
            found.setdefault(spelling.lower(), c.name)
    return found | {c.name.lower(): c.name for c in COLUMNS.values()}


def page() -> str:
    """
    Data model as a page of documentation, made from the registry.

    Returns
    -------
    str
        Markdown with one table.
    """
    releases = [name for name in RELEASES if name != "exsitu"]
    head = ["column", "unit", "UCD", "type", "range", *releases, "what it is"]
    rows = []
    for c in COLUMNS.values():
        limits = "" if c.low is None else f"{c.low:g} … {'' if c.high is None else format(c.high, 'g')}"
        names = [f"`{name}`" if (name := c.name_in(release)) else "" for release in releases]
        rows.append([f"`{c.name}`", c.unit, f"`{c.ucd}`", c.dtype, limits, *names, c.description])
    table = [head, ["---"] * len(head), *rows]
    lines = [f"| {' | '.join(cells)} |" for cells in table]
    sources = [f"- `{name}`: {text}" for name, text in RELEASES.items() if name != "exsitu"]
    about = "Made by `exsitu columns` from `columns.py`. Values outside a range are read as missing (real-stars.md)."
    return "\n".join(["# Columns", "", about, "", *sources, "", *lines, ""])
