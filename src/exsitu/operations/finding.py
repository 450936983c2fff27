"""One thing that was looked at before anything is run."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """
    One thing the doctor looked at.

    Parameters
    ----------
    name : str
        What.
    fine : bool
        Whether it is as it should be.
    detail : str
        What was found, and the remedy where it is not fine.
    """

    name: str
    fine: bool
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """
        Turn the finding into what JSON can hold.

        Returns
        -------
        dict
        """
        return asdict(self)

    def text(self) -> str:
        """
        Turn the finding into a line for people.

        Returns
        -------
        str
        """
        return f"{'fine' if self.fine else 'WRONG':<6} {self.name}: {self.detail}"
