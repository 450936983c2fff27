"""Every experiment by its name: a new one is one file and one line here."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from exsitu.columns import nearest
from exsitu.errors import SettingsError
from exsitu.experiments.experiment import Experiment

EXPERIMENTS: Mapping[str, str] = MappingProxyType(
    {
        "E1": "e01_selections",
        "E2": "e02_inputs",
        "E3": "e03_bright_to_dim",
        "E4": "e04_viewpoints",
        "E5": "e05_planing",
        "E6": "e06_transfer",
        "E7": "e07_validation",
        "E8": "e08_footprint",
        "E9": "e09_thirds",
        "E10": "e10_catalog",
        "E11": "e11_error_sampling",
        "E12": "e12_photometric",
        "E13": "e13_architectures",
        "E14": "e14_definitions",
        "E15": "e15_trees",
        "E16": "e16_leakage",
        "E17": "e17_noise",
        "E18": "e18_calibration",
        "E19": "e19_ensembles",
        "E20": "e20_labels",
        "E21": "e21_blind_spots",
        "E22": "e22_rest_frame",
        "E23": "e23_population",
    }
)
"""Module of each experiment, in the order of the report."""


def experiment(name: str) -> Experiment:
    """
    Look an experiment up.

    Parameters
    ----------
    name : str
        Such as ``"E6"``, in either case.

    Returns
    -------
    Experiment

    Raises
    ------
    SettingsError
        If there is none of that name.
    """
    wanted = name.upper()
    if wanted not in EXPERIMENTS:
        known = ", ".join(EXPERIMENTS)
        raise SettingsError(f"no experiment {name!r}{nearest(wanted, EXPERIMENTS)}; known: {known}, all")
    module = importlib.import_module(f"exsitu.experiments.{EXPERIMENTS[wanted]}")
    found: Experiment = module.EXPERIMENT
    return found


def chosen(names: tuple[str, ...]) -> list[Experiment]:
    """
    Experiments asked for, each once, in the order of the report.

    Parameters
    ----------
    names : tuple of str
        Names, or ``"all"``.

    Returns
    -------
    list of Experiment

    Raises
    ------
    SettingsError
        If one is unknown.
    """
    wanted = set(EXPERIMENTS) if "all" in {n.lower() for n in names} else {experiment(n).name for n in names}
    return [experiment(name) for name in EXPERIMENTS if name in wanted]
