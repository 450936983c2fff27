"""What a gate found, in words: one finding an expectation, a report for machines and the same for people."""

import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from exsitu.gates.suites import Expectation
from exsitu.provenance import publish_file, write_json


@dataclass(slots=True, eq=False)
class Finding:
    """
    What came of one expectation, over all chunks of a table.

    Parameters
    ----------
    expectation : dict
        As it stands in the suite.
    state : str
        ``"not checked"`` (an optional column that is not there, or one already reported as missing or of a wrong type),
        ``"passed"`` or ``"failed"``.
    checked, unexpected : int
        Rows looked at, and rows that were not as expected.
    observed : object
        What was seen, for expectations on the whole table.
    error : str or None
        Message of the exception, where the expectation could not be evaluated; it has then failed.
    rows : list of dict
        Offending rows: row number (from 0) and values.
    """

    expectation: Expectation
    state: str = "not checked"
    checked: int = 0
    unexpected: int = 0
    observed: Any = None
    error: str | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Type of the expectation."""
        return str(self.expectation["type"])

    @property
    def columns(self) -> list[str]:
        """Columns the expectation is about."""
        kwargs = self.expectation["kwargs"]
        if "column_list" in kwargs:
            return list(kwargs["column_list"])
        return [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]

    @property
    def failed(self) -> bool:
        """Whether the table is refused for it."""
        return self.state == "failed"

    def skippable(self, missing: Collection[str]) -> bool:
        """
        Whether the expectation is about an optional column that is not there.

        Parameters
        ----------
        missing : collection of str
            Columns that are not there.

        Returns
        -------
        bool
        """
        return bool(self.expectation["meta"].get("optional")) and any(c in missing for c in self.columns)

    def judge(self, *, success: bool, observed: Any, error: str | None) -> None:
        """
        Take an answer about the table as a whole; once failed stays failed.

        Parameters
        ----------
        success : bool
            Whether the expectation was met.
        observed : object
            What was seen.
        error : str or None
            Message of an exception.
        """
        if self.failed:
            return
        self.state = "passed" if success and error is None else "failed"
        self.observed, self.error = observed, error

    def count(self, checked: int, unexpected: int, *, error: str | None) -> None:
        """
        Add an answer about some rows; whether enough rows are as expected is decided over all of them.

        Parameters
        ----------
        checked, unexpected : int
            Rows looked at, and rows that were not as expected.
        error : str or None
            Message of an exception.
        """
        self.checked += checked
        self.unexpected += unexpected
        self.error = self.error or error
        allowed = (1.0 - float(self.expectation["kwargs"].get("mostly", 1.0))) * self.checked
        self.state = "failed" if self.error or self.unexpected > allowed else "passed"

    def show(self, rows: Sequence[dict[str, Any]]) -> None:
        """
        Keep offending rows for the report, five in all.

        Parameters
        ----------
        rows : sequence of dict
            As `offending` makes them.
        """
        self.rows = [*self.rows, *rows][:5]


def offending(
    chunk: pd.DataFrame, labels: Sequence[Hashable], columns: Sequence[str], most: int
) -> list[dict[str, Any]]:
    """
    Pick offending rows for a report.

    Parameters
    ----------
    chunk : DataFrame
        Rows labelled by their number in the table.
    labels : sequence
        Labels of the offending rows.
    columns : sequence of str
        Columns the expectation is about; the id is added where there is one.
    most : int
        Most rows to pick.

    Returns
    -------
    list of dict
        ``{"row": number, "values": {column: value}}``.
    """
    shown = [c for c in dict.fromkeys(("source_id", *columns)) if c in chunk]
    return [
        {"row": int(label), "values": {c: _plain(chunk.at[label, c]) for c in shown}}  # type: ignore[call-overload]  # noqa: PD008
        for label in list(labels)[:most]
    ]


def _plain(value: Any) -> Any:
    """A value JSON can hold; NaN and infinities become words."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def summary(finding: Finding) -> str:
    """
    Say a failed finding in one line.

    Parameters
    ----------
    finding : Finding
        The finding.

    Returns
    -------
    str
    """
    where = ", ".join(finding.columns) or "the table"
    wanted = {k: v for k, v in finding.expectation["kwargs"].items() if not k.startswith(("column", "ignore"))}
    bounds = f" ({', '.join(f'{k} {v}' for k, v in wanted.items())})" if wanted else ""
    line = f"{where}: {finding.kind}{bounds}"
    if finding.error:
        return f"{line} could not be evaluated: {finding.error}"
    if finding.checked:
        rows = ", ".join(_row(row) for row in finding.rows)
        return f"{line} failed in {finding.unexpected} of {finding.checked} rows, such as {rows}"
    return f"{line} failed, observed {_plain(finding.observed)}"


def _row(row: dict[str, Any]) -> str:
    return f"row {row['row']} ({', '.join(f'{name}={value}' for name, value in row['values'].items())})"


def write_report(path: Path, suite: str, rows: int, findings: Sequence[Finding]) -> Path:
    """
    Write what a gate found as JSON, and as Markdown beside it; no times, so that equal tables give equal reports.

    Parameters
    ----------
    path : Path
        The report; its suffix is replaced.
    suite : str
        Name of the suite.
    rows : int
        Rows of the table.
    findings : sequence of Finding
        One an expectation.

    Returns
    -------
    Path
        The Markdown file.
    """
    failed = [finding for finding in findings if finding.failed]
    content = {
        "suite": suite,
        "passed": not failed,
        "rows": rows,
        "expectations": [_record(finding) for finding in findings],
    }
    write_json(path.with_suffix(".json"), content)
    lines = [
        f"# Gate `{suite}`: {'failed' if failed else 'passed'}",
        "",
        f"{rows} rows, {len(findings)} expectations, {len(failed)} failed.",
        *(["", "## Failed", "", *(f"- {summary(finding)}" for finding in failed)] if failed else []),
        "",
        "## All expectations",
        "",
        "| columns | expectation | state | not as expected | observed |",
        "|---|---|---|---|---|",
        *(_line(finding) for finding in findings),
    ]
    target = path.with_suffix(".md")
    with publish_file(target) as staged:
        staged.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def _record(finding: Finding) -> dict[str, Any]:
    return {
        "type": finding.kind,
        "columns": finding.columns,
        "kwargs": finding.expectation["kwargs"],
        "state": finding.state,
        "checked": finding.checked,
        "unexpected": finding.unexpected,
        "observed": _plain(finding.observed),
        "error": finding.error,
        "offending_rows": finding.rows,
    }


def _line(finding: Finding) -> str:
    unexpected = f"{finding.unexpected} of {finding.checked}" if finding.checked else ""
    observed = "" if finding.observed is None else str(_plain(finding.observed))
    return f"| {', '.join(finding.columns)} | {finding.kind} | {finding.state} | {unexpected} | {observed} |"
