"""Write what was promoted in this checkout into the files that git carries to everyone."""

from dataclasses import asdict, replace
from pathlib import Path

from exsitu.errors import PromotionError
from exsitu.provenance import write_json
from exsitu.registry import audit
from exsitu.registry.champion import CHAMPION_FILE, Champion, read_named
from exsitu.registry.place import OVER, champion_source, local_file
from exsitu.registry.promotion import promotion_lock
from exsitu.settings import Tracking


def commit(tracking: Tracking, champion_file: Path = CHAMPION_FILE) -> Champion:
    """
    Name the champion of this checkout in ``champion.json``, and add its lines to the log beside it.

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
        If a file or a log is not of its form.
    """
    with promotion_lock(tracking):
        source = champion_source(champion_file)
        if source == champion_file:
            raise PromotionError(
                f"nothing to commit: {champion_file} names the champion of this checkout, or no model was promoted here"
            )
        here = read_named(source)
        champion = replace(here, promoted={name: told for name, told in here.promoted.items() if name != OVER})
        known = audit.read_log(audit.log_file(champion_file))
        made = [entry for entry in audit.read_log(audit.log_file(local_file(champion_file))) if entry not in known]
        with audit.added(audit.log_file(champion_file), made):
            write_json(champion_file, asdict(champion))
    return champion
