"""Units as published tables spell them, and the factor that takes a column to the registry's unit."""

from typing import Any

from exsitu.columns import Column
from exsitu.errors import InputError

# Each of these notations is met in files of the surveys: Gaia's FITS, VOUnit, VizieR, plain FITS.
_NOTATIONS = ("generic", "vounit", "cds", "fits")
_SPELLINGS = {"degrees": "deg", "milliarcsec": "mas", "milliarcsec/year": "mas/yr", "magnitude": "mag", "---": ""}
_SEXAGESIMAL = frozenset({"h:m:s", "d:m:s", "hms", "dms", "hh:mm:ss", "dd:mm:ss"})
# Logarithmic quantities have no scale to convert; the registry holds them in the very units the archives log.
_LOGARITHMIC = ("log", "dex", "[-]")


def unit_factor(c: Column, stated: str | None, source: str) -> float:
    """
    Number by which a column of a file is multiplied to reach the registry's unit.

    Parameters
    ----------
    c : Column
        The column in the registry.
    stated : str or None
        Unit as the file spells it; None or empty where it states none, which is taken as the registry's.
    source : str
        File and column, for the message.

    Returns
    -------
    float
        1.0 where the unit is the registry's already.

    Raises
    ------
    InputError
        If the stated unit is unknown, sexagesimal or cannot be converted.
    """
    text = _SPELLINGS.get((stated or "").strip(), (stated or "").strip()).strip("'\"")
    if not text or (not c.unit and text.lower().startswith(_LOGARITHMIC)):
        return 1.0
    if text.strip('"').lower() in _SEXAGESIMAL:
        raise InputError(f"{source} is sexagesimal ({stated}); convert it to decimal degrees first")
    unit, wanted = _parse(text, source), _parse(c.unit, source)
    try:
        factor = float(unit.to(wanted))
    except ValueError:
        raise InputError(
            f"{source} is in {stated}, which cannot be converted to {c.unit or 'a pure number'}; "
            "correct the unit in the file or the name of the column"
        ) from None
    return round(factor) if abs(factor - round(factor)) < 1e-9 * abs(factor) else factor


def _parse(text: str, source: str) -> Any:
    from astropy import units

    for notation in _NOTATIONS:
        try:
            return units.Unit(text, format=notation)
        except (ValueError, TypeError):
            continue
    raise InputError(f"{source} is in an unknown unit {text!r}; write it as VOUnit does, such as mas.yr-1")
