"""The champion: which model releases are made with, in MLflow's registry and in ``champion.json``.

``champion.json`` is tracked by git, so a collaborator without the tracking database can rebuild a release; the alias
``champion`` in the registry says the same to people who look there. A promotion changes the alias and a file of the
same form in ``.exsitu``, which is of this checkout alone and which every command reads first; `commit` writes it into
``champion.json``. They change together, in `promote` and `restore` alone, and every change is a line of the log beside.
"""

from exsitu.registry.audit import Entry, log_file, read_log
from exsitu.registry.champion import (
    CHAMPION_FILE,
    Champion,
    find_weights,
    read_named,
)
from exsitu.registry.committing import commit
from exsitu.registry.place import champion_source, find_champion, local_file, read_champion
from exsitu.registry.policy import (
    Criterion,
    Verdict,
    acceptance_criteria,
    comparison_criteria,
    real_star_criterion,
)
from exsitu.registry.promotion import Candidate, identity, nominate, promote, restore
from exsitu.registry.versions import CANDIDATE, CHAMPION, PREVIOUS, register, registered_champion

__all__ = [
    "CANDIDATE",
    "CHAMPION",
    "CHAMPION_FILE",
    "PREVIOUS",
    "Candidate",
    "Champion",
    "Criterion",
    "Entry",
    "Verdict",
    "acceptance_criteria",
    "champion_source",
    "commit",
    "comparison_criteria",
    "find_champion",
    "find_weights",
    "identity",
    "local_file",
    "log_file",
    "nominate",
    "promote",
    "read_champion",
    "read_log",
    "read_named",
    "real_star_criterion",
    "register",
    "registered_champion",
    "restore",
]
