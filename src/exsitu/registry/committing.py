"""Write what was promoted in this checkout into the files that git carries to everyone."""

from pathlib import Path

from exsitu.errors import PromotionError
from exsitu.registry import audit
from exsitu.registry.champion import CHAMPION_FILE, Champion, write_named
from exsitu.registry.place import Place
from exsitu.registry.promotion import promotion_lock
from exsitu.settings import Tracking


def commit(tracking: Tracking, champion_file: Path = CHAMPION_FILE) -> Champion:
    """
    Add the promotions of this checkout to the log beside ``champion.json``, and name the last one's champion there.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    champion_file : Path
        File that names the champion for everyone.

    Returns
    -------
    Champion
        As written.

    Raises
    ------
    PromotionError
        If nothing was promoted here that the file does not name.
    InputError
        If a file or a log is not as it was written.

    Notes
    -----
    The log comes first. A commit that was cut off between log and file is finished by the next one.
    """
    with promotion_lock(tracking):
        place = Place.of(champion_file)
        if place.here is None:
            raise PromotionError(
                f"nothing to commit: {champion_file} names the champion of this checkout, or no model was promoted here"
            )
        log = audit.log_file(champion_file)
        known = audit.read_log(log)
        made = [entry for entry in place.entries if entry not in known]
        if made:
            audit.append(log, made)
        write_named(champion_file, place.here.champion)
    return place.here.champion
