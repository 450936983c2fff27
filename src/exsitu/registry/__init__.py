"""The champion: which model releases are made with, in MLflow's registry and in ``champion.json``.

``champion.json`` is tracked by git, so a collaborator without the tracking database can rebuild a release; the alias
``champion`` in the registry says the same to people who look there. Both change together, in `promote` alone.
"""

from exsitu.registry.champion import CHAMPION_FILE, Champion, find_weights, read_champion
from exsitu.registry.promotion import CHAMPION, PREVIOUS, Candidate, promote, register, registered_champion

__all__ = [
    "CHAMPION",
    "CHAMPION_FILE",
    "PREVIOUS",
    "Candidate",
    "Champion",
    "find_weights",
    "promote",
    "read_champion",
    "register",
    "registered_champion",
]
