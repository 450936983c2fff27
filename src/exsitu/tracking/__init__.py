"""Runs in MLflow: what was trained from what, with which numbers, figures and files.

The store is SQLite under ``mlruns/`` unless the environment variable MLFLOW_TRACKING_URI names a server. A checkout may
be moved or copied: MLflow keeps absolute paths, so they are put right when the store is opened. MLflow is imported here
and in ``exsitu.registry`` alone, and inside functions.
"""

from exsitu.tracking.reading import TrackedRun, download, find_run, runs
from exsitu.tracking.recording import CARD, MODEL_FILES, WEIGHTS, Card, Run, start_run
from exsitu.tracking.store import Client, connect, file_lock, flat, patiently, store_uri

__all__ = [
    "CARD",
    "MODEL_FILES",
    "WEIGHTS",
    "Card",
    "Client",
    "Run",
    "TrackedRun",
    "connect",
    "download",
    "file_lock",
    "find_run",
    "flat",
    "patiently",
    "runs",
    "start_run",
    "store_uri",
]
