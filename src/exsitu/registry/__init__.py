"""The champion: which model releases are made with, in MLflow's registry and in ``champion.json``.

``champion.json`` is tracked by git, so a collaborator without the tracking database can rebuild a release. A promotion is
a line of the log in ``.exsitu``, which is of this checkout alone and which every command reads first; `commit` adds it to
the log beside ``champion.json`` and names the champion there. The alias ``champion`` in the registry follows the log, for
people who look there. `promote` and `restore` alone make a champion.
"""

from exsitu.registry.audit import Entry, log_file, read_log
from exsitu.registry.champion import (
    CHAMPION_FILE,
    Champion,
    find_weights,
    read_named,
    write_named,
)
from exsitu.registry.committing import commit
from exsitu.registry.place import find_champion, local_log, read_champion, uncommitted
from exsitu.registry.policy import (
    Criterion,
    Verdict,
    acceptance_criteria,
    comparison_criteria,
    real_star_criterion,
)
from exsitu.registry.promotion import Candidate, identity, nominate, promote, recover, restore
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
    "commit",
    "comparison_criteria",
    "find_champion",
    "find_weights",
    "identity",
    "local_log",
    "log_file",
    "nominate",
    "promote",
    "read_champion",
    "read_log",
    "read_named",
    "real_star_criterion",
    "recover",
    "register",
    "registered_champion",
    "restore",
    "uncommitted",
    "write_named",
]
