"""What every file of a catalog says of itself, in whatever format."""

from dataclasses import dataclass
from typing import Any

from exsitu.columns import PROVISIONAL, REFERENCE_EPOCHS, RELEASES


@dataclass(frozen=True, slots=True)
class Header:
    """
    What every file of a catalog says of itself.

    Parameters
    ----------
    version : str
        Version of the release, such as ``"gaia-3"``.
    survey : str
        Name of the survey.
    data_release : str
        Key of ``exsitu.columns.RELEASES``: whose identifiers these are, and at what epoch the positions hold.
    model : str
        Name and version of the network.
    weights_sha256 : str
        Digest of the network's weights.
    cut : float
        Stars with a score above it are in the catalog.
    software : str
        Name and version of the program.
    synthetic : bool
        Whether the stars are mock stars, never observed.
    """

    version: str
    survey: str
    data_release: str
    model: str
    weights_sha256: str
    cut: float
    software: str
    synthetic: bool = False

    @property
    def epoch(self) -> float | None:
        """Julian year of the positions; None where the data release has no single one."""
        return REFERENCE_EPOCHS.get(self.data_release)

    @property
    def description(self) -> str:
        """One line for people."""
        source = RELEASES.get(self.data_release, self.survey)
        if self.synthetic:
            return f"{self.title}: no star was observed; a mock survey in the form of {source}"
        return f"{self.title}, of {source}"

    @property
    def title(self) -> str:
        """What the stars are, in a few words that a FITS card can hold."""
        kind = "Mock stars of a simulated galaxy" if self.synthetic else "Stars"
        provisional = ", provisional" if self.data_release in PROVISIONAL else ""
        return f"{kind} called accreted, release {self.version}{provisional}"

    @property
    def table_name(self) -> str:
        """Name of the table in files that name one."""
        return "mock_catalog" if self.synthetic else "catalog"

    def entries(self) -> list[tuple[str, str, Any, str]]:
        """
        List the facts.

        Returns
        -------
        list of (str, str, object, str)
            FITS keyword, name elsewhere, value, comment.
        """
        return [
            ("TITLE", "title", self.title, ""),
            ("SYNTH", "synthetic", self.synthetic, "whether these are mock stars, never observed"),
            ("PROVIS", "provisional", self.data_release in PROVISIONAL, "whether the data release is known by drafts"),
            ("CATALOG", "version", self.version, "version of the release"),
            ("SURVEY", "survey", self.survey, "survey the stars are from"),
            ("DATAREL", "data_release", self.data_release, "data release of the identifiers"),
            ("MODEL", "model", self.model, "network that scored the stars"),
            ("WEIGHTS", "weights_sha256", self.weights_sha256, ""),
            ("SCORECUT", "cut", self.cut, "stars with score > this are in"),
            ("SOFTWARE", "software", self.software, "program that wrote this"),
        ]
