"""The numbers to expect of a run: recorded in ``docs/outcome.json``, told in README, compared with a run."""

import statistics
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from exsitu.catalog.manifest import read_manifest
from exsitu.catalog.verify import SCORES, audit_release
from exsitu.errors import InputError
from exsitu.provenance import git_revision, publish_file, read_record, write_json
from exsitu.settings import Settings
from exsitu.stages.evaluate import read_evaluation
from exsitu.tables import read_parquet

OUTCOME = Path("docs/outcome.json")
README = Path("README.md")
BEGIN, END = "<!-- numbers: written by `exsitu outcome --write` -->", "<!-- end of numbers -->"
SIGMAS = 3.0
"""A number of another run agrees with the record if it lies within so many of the stated spreads."""

_WIDTH = 120
STARS = {"hd_134439": 74235, "hd_134440": 74234, "alf_cen_a": 71683, "barnards_star": 87937}
"""Hipparcos numbers: a textbook accreted pair, and two stars born here."""

NAMES = {
    "pretrained_auc": "AUC of the pretrained network on its own galaxy",
    "target_auc": "AUC of the best variant on another galaxy",
    "target_purity": "its purity there",
    "target_efficiency_accreted": "its efficiency_accreted there",
    "holdout_purity": "its purity on a viewpoint it never saw",
    "holdout_efficiency_accreted": "its efficiency_accreted on that viewpoint",
    "standin_passing": "stand-in stars that pass the cut",
    "standin_selected": "stand-in stars released",
    "standin_purity": "purity of that release",
    "standin_efficiency_accreted": "efficiency_accreted of that release",
    "standin_efficiency_in_situ": "efficiency_in_situ of that release",
    "hipparcos2_passing": "Hipparcos-2 stars that pass the cut",
    "hipparcos2_selected": "Hipparcos-2 stars released",
    "hd_134439": "score of HD 134439",
    "hd_134440": "score of HD 134440",
    "alf_cen_a": "score of α Cen A",
    "barnards_star": "score of Barnard's star",
}
"""What each number is, in words."""


_PARAGRAPH = """
The pretrained 5D network reaches an AUC of {pretrained_auc} on its own galaxy and {target_auc} on another; the best of
seven transfer variants (`{variant}`, S > {cut}) selects there with a purity of {target_purity} and an ε_A of
{target_efficiency_accreted}, and on a viewpoint it never saw {holdout_purity} and {holdout_efficiency_accreted}. The
release of the stand-in holds {standin_selected} of {standin_passing} stars; its audit says purity {standin_purity},
ε_A {standin_efficiency_accreted}, ε_I {standin_efficiency_in_situ}. The release of **real stars** (Hipparcos-2) holds
{hipparcos2_selected} of the {hipparcos2_passing} that pass the cut; the textbook accreted pair HD 134439/134440 comes
to {hd_134439} and {hd_134440}, α Cen A to {alf_cen_a}, Barnard's star to {barnards_star}. {spread}
"""


@dataclass(frozen=True)
class Outcome:
    """
    What came out of a run of the whole pipeline.

    Parameters
    ----------
    profile : str
        Profile of the settings.
    revision : str
        Commit of the checkout.
    data : str
        Digest in ``data.dvc``; empty where there is none.
    weights_sha256 : str
        Of the model that made the releases.
    variant : str
        The best way to transfer.
    cut : float
        Its score cut.
    numbers : mapping of str to float
        By the names of `NAMES`.
    spreads : mapping of str to float
        Standard deviation of a number over runs on several machines or with several seeds; empty before it is measured.
    runs : int
        So many runs gave the spreads.
    """

    profile: str
    revision: str
    data: str
    weights_sha256: str
    variant: str
    cut: float
    numbers: Mapping[str, float]
    spreads: Mapping[str, float] = field(default_factory=dict)
    runs: int = 1


def read_outcome(path: Path) -> Outcome:
    """
    Read a recorded outcome.

    Parameters
    ----------
    path : Path
        Such as ``docs/outcome.json``.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If it is missing, damaged, or holds something else.
    """
    keys = tuple(Outcome.__dataclass_fields__)
    held = read_record(path, *keys, made_by="exsitu outcome --write")
    if unknown := sorted({*held} - {*keys} | {*held["numbers"], *held["spreads"]} - {*NAMES}):
        raise InputError(f"{path} holds {', '.join(unknown)}, which no outcome has; run `exsitu outcome --write`")
    return Outcome(**held)


def measured_outcome(settings: Settings, *, build: Path, releases: Path, root: Path) -> Outcome:
    """
    Gather what came out of the run in a checkout.

    Parameters
    ----------
    settings : Settings
        Profile, and where the truth of the stand-in is.
    build : Path
        What the stages wrote.
    releases : Path
        Folder of releases; the newest of the stand-in and of Hipparcos-2 count.
    root : Path
        The checkout.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If a stage or a release is missing.
    """
    found = read_evaluation(build / "evaluation")
    best, holdout = found["variants"][found["best"]], found.get("holdout") or {}
    standin, hipparcos = (_newest(releases, survey) for survey in ("standin", "hipparcos2"))
    numbers = {
        "pretrained_auc": read_record(build / "pretrained/metrics.json", "auc", made_by="exsitu pretrain")["auc"],
        **{f"target_{name}": best[name] for name in ("auc", "purity", "efficiency_accreted")},
        **{f"holdout_{name}": holdout[name] for name in ("purity", "efficiency_accreted") if name in holdout},
        **_counts(standin, "standin"),
        **_audit(standin, settings.surveys["standin"].truth),
        **_counts(hipparcos, "hipparcos2"),
        **_scores(hipparcos),
    }
    return Outcome(
        profile=settings.profile,
        revision=git_revision(root),
        data=_data_digest(root),
        weights_sha256=str(read_manifest(standin)["model"]["weights_sha256"]),
        variant=found["best"],
        cut=float(best["cut"]),
        numbers={name: float(value) for name, value in numbers.items()},
    )


def _newest(releases: Path, survey: str) -> Path:
    numbered = {path.name.removeprefix(f"{survey}-"): path for path in releases.glob(f"{survey}-*")}
    found = {int(number): path for number, path in numbered.items() if number.isdecimal()}
    if not found:
        raise InputError(f"no release of {survey} in {releases}: run `make catalog`, or `exsitu release {survey}`")
    return found[max(found)]


def _counts(release: Path, survey: str) -> dict[str, float]:
    counts = read_manifest(release)["counts"]
    return {f"{survey}_passing": counts["passing_parallax_cut"], f"{survey}_selected": counts["selected"]}


def _audit(release: Path, truth: Path | None) -> dict[str, float]:
    if truth is None or not truth.is_file():
        return {}
    audit = audit_release(release, truth)
    return {f"standin_{name}": audit[name] for name in ("purity", "efficiency_accreted", "efficiency_in_situ")}


def _scores(release: Path) -> dict[str, float]:
    table = read_parquet(release / SCORES, columns=["source_id", "score"]).set_index("source_id")["score"]
    return {name: float(table[number]) for name, number in STARS.items() if number in table.index}


def _data_digest(root: Path) -> str:
    record = root / "data.dvc"
    return str(yaml.safe_load(record.read_text(encoding="utf-8"))["outs"][0]["md5"]) if record.is_file() else ""


def with_spreads(outcome: Outcome, others: Sequence[Outcome]) -> Outcome:
    """
    Add how far numbers differ between runs.

    Parameters
    ----------
    outcome : Outcome
        The run to be recorded.
    others : sequence of Outcome
        Other runs: on other machines, or with other seeds.

    Returns
    -------
    Outcome
        With the standard deviation of each number over all of them.
    """
    runs = (outcome, *others)
    values = {name: [run.numbers[name] for run in runs if name in run.numbers] for name in outcome.numbers}
    spreads = {name: statistics.stdev(all_of) for name, all_of in values.items() if len(all_of) > 1}
    return Outcome(**{**asdict(outcome), "spreads": spreads, "runs": 1 + len(others)})


def compared(recorded: Outcome, here: Outcome) -> list[str]:
    """
    Compare a run with the record, number by number.

    Parameters
    ----------
    recorded : Outcome
        What README says.
    here : Outcome
        What came out here.

    Returns
    -------
    list of str
        A line a number that differs by more than rounding, or one line that all agree.
    """
    if recorded.profile != here.profile:
        return [f"README's numbers are of profile {recorded.profile}, this run is of {here.profile}: not compared"]
    lines = [
        f"{NAMES[name]}: README says {_shown(name, recorded)}; this run {_shown(name, here)}: "
        f"{_judged(name, recorded, here)}"
        for name in recorded.numbers
        if name in here.numbers and _shown(name, recorded) != _shown(name, here)
    ]
    return lines or ["all numbers of README came out here"]


def _judged(name: str, recorded: Outcome, here: Outcome) -> str:
    if name not in recorded.spreads:
        return "its spread over runs is not measured yet"
    allowed = SIGMAS * recorded.spreads[name]
    where = "within" if abs(here.numbers[name] - recorded.numbers[name]) <= allowed else "OUTSIDE"
    return f"{where} ± {_format(name, allowed)} ({SIGMAS:g} sigma of {recorded.runs} runs)"


def _shown(name: str, outcome: Outcome) -> str:
    return _format(name, outcome.numbers[name])


def _format(name: str, value: float) -> str:
    if name.endswith(("_selected", "_passing")):
        return f"{value:,.0f}"
    if "efficiency_in_situ" in name:
        return f"{100 * value:.2f} %"
    return f"{100 * value:.0f} %" if "purity" in name or "efficiency" in name else f"{value:.2f}"


def paragraph(outcome: Outcome) -> str:
    """
    Tell an outcome as README does.

    Parameters
    ----------
    outcome : Outcome
        The recorded one.

    Returns
    -------
    str
        Markdown, in lines of README's width.
    """
    n = {name: _shown(name, outcome) if name in outcome.numbers else "(not measured)" for name in NAMES}
    shown = {name: _format(name, value) for name, value in outcome.spreads.items()}
    moving = [f"± {text} ({NAMES[name]})" for name, text in shown.items() if text.strip("0. %")]
    spread = (
        f"Over {outcome.runs} runs that differ in their seeds these numbers have standard deviations of "
        f"{', '.join(moving)}; of the others none that shows."
        if outcome.spreads
        else ""
    )
    told = {"variant": outcome.variant, "cut": f"{outcome.cut:.2f}", "spread": spread}
    text = " ".join(_PARAGRAPH.format(**n, **told).split())
    joined = textwrap.wrap(text.replace(" %", "\u00a0%"), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(joined).replace("\u00a0", " ")


def write_outcome(outcome: Outcome, *, path: Path, readme: Path) -> None:
    """
    Record an outcome, and tell it in README.

    Parameters
    ----------
    outcome : Outcome
        What came out.
    path : Path
        File of the record.
    readme : Path
        Page with the two marks between which the numbers stand.

    Raises
    ------
    InputError
        If the page lacks the marks.
    """
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise InputError(f"{readme} must hold the marks {BEGIN!r} and {END!r} once each")
    before, _, rest = text.partition(BEGIN)
    told = f"{before}{BEGIN}\n{paragraph(outcome)}\n{END}{rest.partition(END)[2]}"
    write_json(path, asdict(outcome))
    with publish_file(readme) as staged:
        staged.write_text(told, encoding="utf-8")
