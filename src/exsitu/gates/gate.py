"""Check a table against its suite; the only module that knows Great Expectations.

A suite is read from ``expectations/<name>.json`` (`exsitu.gates.suites` writes them). Tables come whole or in chunks,
and memory stays bounded: expectations on rows are counted chunk by chunk; ids are kept as they are (8 bytes a row)
because uniqueness is a fact of the whole; medians and quantiles are taken of every row up to a million rows, and beyond
of half a million to a million rows that lie evenly in the table.
"""

import functools
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from exsitu.columns import nearest
from exsitu.errors import GateError
from exsitu.gates.reports import Finding, offending, summary, write_report
from exsitu.gates.sampling import EvenSample
from exsitu.gates.suites import PAIR_EXPECTATION, TABLES, Expectation
from exsitu.gates.suites import suites as suites_of_registry
from exsitu.provenance import read_json
from exsitu.quality import fractional_parallax_error

_SCHEMA = frozenset(
    {"expect_column_to_exist", "expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list"}
)
_ROWS = frozenset(
    {
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_between",
        "expect_column_value_lengths_to_be_between",
        PAIR_EXPECTATION,
    }
)
_KEYS = frozenset({"expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"})
_SUMMARIES = frozenset({"expect_column_median_to_be_between", "expect_column_quantile_values_to_be_between"})
_COUNT = "expect_table_row_count_to_be_between"

_SHOWN = 5
"""Offending rows shown of one expectation."""

_NAMED = 4
"""Failed expectations named in the error; the report has them all."""

_SAMPLE_ROWS = 1 << 20
_KEYS_AT_ONCE = 1 << 21


def check(
    frames: pd.DataFrame | Iterable[pd.DataFrame],
    suite: str,
    *,
    report: Path,
    suites: Path = Path("expectations"),
) -> None:
    """
    Let a table through if it passes its suite, and leave a report either way.

    Parameters
    ----------
    frames : DataFrame or iterable of DataFrame
        The table, whole or in chunks.
    suite : str
        Name of the suite, such as ``"gaia_survey"``.
    report : Path
        Where the report goes: JSON there, and beside it the same in Markdown for people.
    suites : Path
        Folder of the suites; where there is none, they are those of the registry of columns.

    Raises
    ------
    GateError
        If the table fails, the suite is missing or one of its expectations is unknown. The message names the suite,
        each failed column with a count and up to five rows, and the report.
    """
    for _ in checked([frames] if isinstance(frames, pd.DataFrame) else frames, suite, report=report, suites=suites):
        pass


def checked(frames: Iterable[pd.DataFrame], suite: str, *, report: Path, suites: Path) -> Iterator[pd.DataFrame]:
    """
    Hand a table on chunk by chunk while it is checked; the verdict comes when the last chunk was taken.

    Parameters
    ----------
    frames : iterable of DataFrame
        The table in chunks.
    suite : str
        Name of the suite.
    report : Path
        Where the report goes.
    suites : Path
        Folder of the suites.

    Yields
    ------
    DataFrame
        The chunks as they came.

    Raises
    ------
    GateError
        As `check` does.
    """
    gate = _Gate(suite, _load(suites, suite))
    for frame in frames:
        gate.add(frame)
        yield frame
    findings = gate.finish()
    written = write_report(report, suite, gate.rows, findings)
    failed = [finding for finding in findings if finding.failed]
    if failed:
        raise GateError(
            f"gate {suite}: {len(failed)} of {len(findings)} expectations failed on {gate.rows} rows: "
            f"{'; '.join(summary(finding) for finding in failed[:_NAMED])}"
            f"{'; and more' if len(failed) > _NAMED else ''}. The whole report is {written}; "
            f"mend the table or what made it, then run the stage again"
        )


def _load(folder: Path, name: str) -> list[Expectation]:
    if not folder.is_dir() and name in TABLES:  # outside the repository: what `write_suites` would write there
        return list(suites_of_registry()[name]["expectations"])
    path = folder / f"{name}.json"
    if not path.is_file():
        known = sorted(p.stem for p in folder.glob("*.json"))
        raise GateError(f"no suite {path}{nearest(name, known)}; known: {', '.join(known) or 'none'}")
    try:
        expectations: list[Expectation] = read_json(path)["expectations"]
        unknown = {e["type"] for e in expectations} - {*_SCHEMA, *_ROWS, *_KEYS, *_SUMMARIES, _COUNT}
    except (ValueError, KeyError, TypeError) as error:
        raise GateError(f"{path} is not a suite ({error!r}); restore it with exsitu.gates.write_suites") from None
    if unknown or not any(e["type"] == _COUNT for e in expectations):
        # Without a row count, an empty table passes everything else.
        what = f"expectations gates cannot check: {', '.join(sorted(unknown))}" if unknown else f"no {_COUNT}"
        raise GateError(f"{path} has {what}; restore it with exsitu.gates.write_suites")
    return expectations


@functools.cache
def _engine() -> Any:
    """Great Expectations in memory: no files, no telemetry, no progress bars, and our own expectation known to it."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        # Great Expectations 1.24 itself imports modules of the standard library that are on their way out.
        warnings.filterwarnings("ignore", r"module 'sre_\w+' is deprecated", DeprecationWarning)
        import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    _define_fractional_error()
    return (
        context.data_sources.add_pandas("frames")
        .add_dataframe_asset("frame")
        .add_batch_definition_whole_dataframe("all")
    )


def _define_fractional_error() -> None:
    """Register the expectation ``min < error / value < max``, both ends strict; NaN, zero and negative values fail."""
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations.expectation import ColumnPairMapExpectation
    from great_expectations.expectations.metrics.map_metric_provider import (
        ColumnPairMapMetricProvider,
        column_pair_condition_partial,
    )

    class ColumnPairFractionalErrorBetween(ColumnPairMapMetricProvider):  # type: ignore[misc] # untyped package
        condition_metric_name = "column_pair.fractional_error_between"
        condition_domain_keys = ("batch_id", "table", "column_A", "column_B", "row_condition", "ignore_row_if")
        condition_value_keys = ("min_value", "max_value")

        @column_pair_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator] # likewise
        def _pandas(
            cls,  # noqa: N805 - the decorator makes it a class method
            column_A: "pd.Series[float]",  # noqa: N803 - Great Expectations' names
            column_B: "pd.Series[float]",  # noqa: N803
            min_value: float,
            max_value: float,
            **_: Any,
        ) -> "pd.Series[bool]":
            fraction = pd.Series(fractional_parallax_error(column_B, column_A), index=column_B.index)
            return (fraction > min_value) & (fraction < max_value)

    class ExpectColumnPairFractionalErrorToBeBetween(ColumnPairMapExpectation):  # type: ignore[misc] # likewise
        map_metric = "column_pair.fractional_error_between"
        min_value: float
        max_value: float
        ignore_row_if: str = "neither"
        success_keys = ("column_A", "column_B", "min_value", "max_value", "ignore_row_if", "mostly")
        args_keys = ("column_A", "column_B", "min_value", "max_value")


def _ask(frame: pd.DataFrame, expectations: Sequence[Expectation], detail: str = "BASIC") -> list[dict[str, Any]]:
    """Validate a frame; results in the order of the expectations, which Great Expectations itself does not keep."""
    if not expectations:
        return []
    definition = _engine()
    import great_expectations as gx

    numbered = [{**e, "meta": {**e["meta"], "position": n}} for n, e in enumerate(expectations)]
    batch = definition.get_batch(batch_parameters={"dataframe": frame})
    outcome = batch.validate(
        gx.ExpectationSuite(name="suite", expectations=numbered),
        result_format={"result_format": detail, "partial_unexpected_count": 0},
    )
    answers: list[dict[str, Any]] = [{} for _ in expectations]
    for result in outcome.results:
        position = result.expectation_config.meta["position"]
        answers[position] = {"success": bool(result.success), **result.result, "error": _error(result.exception_info)}
    return answers


def _error(info: Mapping[str, Any]) -> str | None:
    """Message of the exception inside an expectation, which Great Expectations keeps in two shapes."""
    for entry in (info, *info.values()):
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            return str(entry.get("exception_message"))
    return None


class _Gate:
    """What is known so far of a table that comes in chunks."""

    def __init__(self, name: str, expectations: list[Expectation]) -> None:
        self.name = name
        self.rows = 0
        self._findings = [Finding(e) for e in expectations]
        self._schemas: dict[tuple[tuple[str, str], ...], frozenset[str]] = {}
        self._keys: dict[int, list[pd.DataFrame]] = {}
        self._sample: EvenSample | None = None

    def _of(self, kinds: frozenset[str], unusable: frozenset[str]) -> list[Finding]:
        """Findings of these kinds whose columns are all there and of the right type."""
        return [f for f in self._findings if f.kind in kinds and not unusable.intersection(f.columns)]

    def add(self, frame: pd.DataFrame) -> None:
        unusable = self._check_schema(frame)
        chunk = frame.set_axis(pd.RangeIndex(self.rows, self.rows + len(frame)), axis=0)
        self.rows += len(frame)
        if frame.empty:
            return
        self._check_rows(_widened(chunk), self._of(_ROWS, unusable))
        for number, finding in enumerate(self._findings):
            if finding in self._of(_KEYS, unusable):
                self._keys.setdefault(number, []).append(chunk[finding.columns])
        self._add_to_sample(chunk, unusable)

    def _check_schema(self, frame: pd.DataFrame) -> frozenset[str]:
        """Columns this chunk lacks or has in a wrong type; asked once for each schema met, of a frame without rows."""
        schema = tuple((str(name), str(dtype)) for name, dtype in frame.dtypes.items())
        if schema not in self._schemas:
            missing = {c for f in self._findings for c in f.columns if c not in frame}
            wrong = set()
            asked = [f for f in self._of(_SCHEMA, frozenset()) if not f.skippable(missing)]
            there = [f for f in asked if f.kind == "expect_column_to_exist" or not missing.intersection(f.columns)]
            for finding, answer in zip(there, _ask(frame.head(0), [f.expectation for f in there]), strict=True):
                finding.judge(success=answer["success"], observed=answer.get("observed_value"), error=answer["error"])
                if not answer["success"]:
                    wrong.update(finding.columns)
            self._schemas[schema] = frozenset(missing | wrong)
        return self._schemas[schema]

    def _check_rows(self, chunk: pd.DataFrame, findings: list[Finding]) -> None:
        used = sorted({c for f in findings for c in f.columns})
        for finding, answer in zip(findings, _ask(chunk[used], [f.expectation for f in findings]), strict=True):
            unexpected = 0 if answer["error"] else int(answer["unexpected_count"])
            finding.count(len(chunk), unexpected, error=answer["error"])
            if unexpected and len(finding.rows) < _SHOWN:
                [full] = _ask(chunk[used], [finding.expectation], "COMPLETE")
                finding.show(offending(chunk, full["unexpected_index_list"], finding.columns, _SHOWN))

    def _add_to_sample(self, chunk: pd.DataFrame, unusable: frozenset[str]) -> None:
        columns = sorted({c for f in self._of(_SUMMARIES, unusable) for c in f.columns})
        if self._sample is None:
            self._sample = EvenSample(columns, _SAMPLE_ROWS)
        if self._sample.columns == columns:
            self._sample.add(chunk)

    def finish(self) -> list[Finding]:
        unusable = frozenset().union(*self._schemas.values())
        # A frame of no columns but all rows: Great Expectations counts what no memory could hold.
        count = pd.DataFrame(index=pd.RangeIndex(self.rows))
        findings = self._of(frozenset({_COUNT}), unusable)
        for finding, answer in zip(findings, _ask(count, [f.expectation for f in findings]), strict=True):
            finding.judge(success=answer["success"], observed=self.rows, error=answer["error"])
        for number, pieces in self._keys.items():
            self._check_keys(self._findings[number], pieces)
        findings = self._of(_SUMMARIES, unusable)
        if self._sample is not None and findings:
            answers = _ask(_widened(self._sample.frame()), [f.expectation for f in findings])
            for finding, answer in zip(findings, answers, strict=True):
                finding.judge(success=answer["success"], observed=answer.get("observed_value"), error=answer["error"])
        return self._findings

    def _check_keys(self, finding: Finding, pieces: list[pd.DataFrame]) -> None:
        """Equal keys share the remainder of their first column, so that parts can be looked at one after another."""
        keys = pd.concat(pieces)
        parts = 1 + len(keys) // _KEYS_AT_ONCE
        first = pd.util.hash_array(keys[finding.columns[0]].to_numpy()) % np.uint64(parts)
        for part in range(parts):
            some = keys[first == part]
            [answer] = _ask(some, [finding.expectation])
            finding.count(len(some), int(answer["unexpected_count"]), error=answer["error"])
            if answer["unexpected_count"] and len(finding.rows) < _SHOWN:
                [full] = _ask(some, [finding.expectation], "COMPLETE")
                finding.show(offending(some, full["unexpected_index_list"], finding.columns, _SHOWN))


def _widened(frame: pd.DataFrame) -> pd.DataFrame:
    """32-bit columns as 64-bit ones: Great Expectations compares only these as arrays, others value by value."""
    wide = {"f": np.float64, "i": np.int64}
    narrow = {
        name: wide[dtype.kind] for name, dtype in frame.dtypes.items() if dtype.kind in wide and dtype.itemsize < 8
    }
    return frame.astype(narrow)
