"""What tells one Gaia data release from another; the columns themselves are in ``exsitu.columns``."""

from collections.abc import Mapping
from types import MappingProxyType

from exsitu.errors import InputError
from exsitu.tables import TableInfo

_ONLY_IN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "gaia_dr2": frozenset({"astrometric_pseudo_colour", "mean_varpi_factor_al", "teff_val", "a_g_val"}),
        "gaia_dr3": frozenset({"nu_eff_used_in_astrometry", "pseudocolour", "ruwe", "teff_gspphot", "rv_method_used"}),
    }
)
"""Columns that one release's ``gaia_source`` has and the other's has not."""


def guess_release(info: TableInfo) -> str | None:
    """
    Say which Gaia data release a table comes from, by the columns only that release has.

    Parameters
    ----------
    info : TableInfo
        What the file says of itself.

    Returns
    -------
    str or None
        ``"gaia_dr2"`` or ``"gaia_dr3"``; None where the columns do not tell (or tell both, as in a joined table).
    """
    names = {name.lower() for name in info.columns}
    found = [release for release, only in _ONLY_IN.items() if names & only]
    return found[0] if len(found) == 1 else None


def refuse_other_release(info: TableInfo, release: str | None) -> None:
    """
    Refuse a table of one Gaia release that is announced as the other: ids do not match across releases.

    Parameters
    ----------
    info : TableInfo
        What the file says of itself.
    release : str or None
        What the caller says it is.

    Raises
    ------
    InputError
        If the columns tell another Gaia release.
    """
    guessed = guess_release(info)
    if release in _ONLY_IN and guessed not in (None, release):
        raise InputError(
            f"{info.path} has columns of {guessed}, not {release}; ids differ between releases: name {guessed}"
        )
