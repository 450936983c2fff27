"""The command ``verify``: re-check a release, and audit it where the truth is known."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exsitu.catalog.verify import Check, audit_release, verify_release
from exsitu.errors import InputError
from exsitu.provenance import read_json
from exsitu.settings import Settings
from exsitu.stages.data_record import verified_digest


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What came of verifying a release.

    Parameters
    ----------
    folder : Path
        The release.
    checks : list of Check
        Every check, passed or not.
    audit : dict
        Numbers against the truth; empty where none was asked for.
    """

    folder: Path
    checks: list[Check]
    audit: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """
        Turn the outcome into what JSON can hold.

        Returns
        -------
        dict
        """
        checks = [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in self.checks]
        return {"release": self.folder.name, "passed": self.passed, "checks": checks, "audit": self.audit}

    def text(self) -> str:
        """
        Turn the outcome into text for people.

        Returns
        -------
        str
            A line a check, then the audit.
        """
        lines = [f"{'pass' if c.passed else 'FAIL'}  {c.name}: {c.detail}" for c in self.checks]
        lines += [
            f"audit {name} {v:.4f}" if isinstance(v, float) else f"audit {name} {v}" for name, v in self.audit.items()
        ]
        return "\n".join([*lines, f"{self.folder}: {'verified' if self.passed else 'NOT verified'}"])


def verify(settings: Settings, folder: Path, *, audit: bool, suites: Path) -> Outcome:
    """
    Re-check everything in a release.

    Parameters
    ----------
    settings : Settings
        Names the file that holds a survey's truth.
    folder : Path
        The release.
    audit : bool
        Compare with the truth.
    suites : Path
        Folder of the expectation suites.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If there is no release there, or an audit is asked for of a survey whose truth is not known.
    """
    if not folder.is_dir():
        raise InputError(f"no release {folder}; see what is in {folder.parent}")
    checks = verify_release(folder, suites=suites)
    if not audit or not all(check.passed for check in checks):
        return Outcome(folder, checks)
    survey = read_json(folder / "manifest.json")["survey"]
    known = settings.surveys.get(survey)
    if known is None or known.truth is None:
        raise InputError(f"the truth of survey {survey!r} is not known; verify {folder} without --audit")
    verified_digest(known.truth, settings)
    return Outcome(folder, checks, audit_release(folder, known.truth))
