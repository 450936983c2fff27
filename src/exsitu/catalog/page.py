"""The page of a release: what it is, how it was made, what each column means, how to verify and cite it."""

from collections.abc import Iterator, Mapping
from typing import Any

from exsitu.catalog.formats import NAMES
from exsitu.columns import PROVISIONAL, REFERENCE_EPOCHS, RELEASES, column

PAPER = (
    "Ostdiek, B., Necib, L., Cohen, T., et al. 2020, *Cataloging accreted stars within Gaia DR2 using deep learning*, "
    "A&A 636, A75, [arXiv:1907.06652](https://arxiv.org/abs/1907.06652)"
)

_SOURCES: Mapping[str, str] = {
    "ananke": "Sanderson, R. E., et al. 2020, ApJS 246, 6 (the ananke mock surveys)",
    "gaia_dr2": "Gaia Collaboration 2018, A&A 616, A1, with the acknowledgement ESA/Gaia/DPAC",
    "gaia_dr3": "Gaia Collaboration 2023, A&A 674, A1, with the acknowledgement ESA/Gaia/DPAC",
    "gaia_dr4": "Gaia DR4, as its own pages ask, with the acknowledgement ESA/Gaia/DPAC",
    "hipparcos2": "van Leeuwen, F. 2007, A&A 474, 653 (Hipparcos, the new reduction)",
    "rave_dr5": "Kunder, A., et al. 2017, AJ 153, 75 (RAVE DR5)",
}

_FLAGS: Mapping[str, str] = {
    "not_finite": "an input is missing: the star has no score",
    "parallax_cut": "the parallax is not positive or not measured well enough: the star has no score",
    "outside_training": "an input lies outside what the network saw in training: the score is an extrapolation",
    "errors_missing": "the parallax has no error: only its sign was asked for",
    "not_physical": "a value was no measurement (-9999, an error of 0, outside its range) and was taken as missing",
}


def readme(manifest: Mapping[str, Any]) -> str:
    """
    Write the page of a release.

    Parameters
    ----------
    manifest : mapping
        The manifest; its list of files is not needed.

    Returns
    -------
    str
        Markdown.
    """
    return "\n".join(
        [
            *_opening(manifest),
            *_counts(manifest),
            *_files(manifest),
            *_columns(manifest),
            *_flags(manifest),
            *_making(manifest),
            *_using(manifest),
        ]
    )


def _opening(manifest: Mapping[str, Any]) -> Iterator[str]:
    survey = RELEASES.get(manifest["data_release"], manifest["data_release"])
    mock = bool(manifest["provenance"].get("synthetic"))
    yield f"# {manifest['version']}: {'mock stars called accreted' if mock else 'accreted (ex situ) stars'}"
    yield ""
    yield (
        f"{manifest['counts']['selected']} {'mock ' if mock else ''}stars of the survey `{manifest['survey']}` "
        f"({'a mock survey in the form of ' if mock else ''}{survey}) that a neural network "
        f"calls accreted, that is, born in another galaxy: score S > {manifest['cut']:g}."
    )
    yield ""
    if mock:
        yield "**These are not real stars:** the survey is a mock galaxy, and no star of it was ever observed."
        yield ""
    if manifest["data_release"] in PROVISIONAL:
        yield (
            "**Provisional:** what exsitu knows of this data release is a draft of its data model; names, epoch and "
            "columns may be others in the archive. Make the release again when exsitu knows the final one."
        )
        yield ""
    for doubt in manifest.get("doubts", ()):
        yield f"**Doubt, allowed when this was released:** {doubt}"
        yield ""
    if manifest["counts"]["selected"]:
        yield "![Stars selected, on the sky in Galactic coordinates](sky.png)"
        yield ""
    yield "![Scores of all stars that pass the parallax cut](score.png)"
    yield ""


def _counts(manifest: Mapping[str, Any]) -> Iterator[str]:
    counts, limit = manifest["counts"], manifest["max_fractional_parallax_error"]
    share = 100.0 * counts["selected"] / counts["scored"]
    yield "## Counts"
    yield ""
    yield "| stars | number |"
    yield "|---|---|"
    yield f"| read | {counts['read']} |"
    yield f"| with 0 < parallax_error / parallax < {limit:g} | {counts['passing_parallax_cut']} |"
    yield f"| scored | {counts['scored']} |"
    yield f"| selected, S > {manifest['cut']:g} | {counts['selected']} ({share:.3g} % of the scored) |"
    yield ""


def _files(manifest: Mapping[str, Any]) -> Iterator[str]:
    parquet, fits, votable = NAMES
    yield "## Files"
    yield ""
    yield "| file | what |"
    yield "|---|---|"
    yield f"| `{parquet}`, `{fits}`, `{votable}` | the selected stars, one table three times, in the survey's order |"
    passing = manifest["counts"]["passing_parallax_cut"]
    yield f"| `scores.parquet` | id, score and flags of all {passing} stars that pass the parallax cut |"
    yield "| `manifest.json` | counts, digests of every file, of the network, of the data and of the code |"
    yield "| `SHA256SUMS` | the same digests for `sha256sum -c` |"
    yield ""


def _columns(manifest: Mapping[str, Any]) -> Iterator[str]:
    epoch = REFERENCE_EPOCHS.get(manifest["data_release"])
    yield "## Columns"
    yield ""
    if epoch is not None:
        yield f"Positions are ICRS at epoch J{epoch}. NaN stands where the survey has no value."
        yield ""
    yield "| name | unit | type | UCD | meaning |"
    yield "|---|---|---|---|---|"
    for name in manifest["columns"]:
        c = column(name)
        yield f"| `{c.name}` | {c.unit} | {c.dtype} | {c.ucd} | {c.description} |"
    yield ""


def _flags(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield "## Flags"
    yield ""
    yield "`flags` is a sum of bits; 0 is a plain score. Numbers are of all stars read."
    yield ""
    yield "| bit | name | stars | meaning |"
    yield "|---|---|---|---|"
    for name, bit in manifest["flags"].items():
        yield f"| {bit} | {name} | {manifest['counts']['flagged'][name]} | {_FLAGS.get(name, '')} |"
    yield ""
    yield (
        "Read the score with care: it orders stars by how much they look like accreted stars of simulated galaxies; it "
        "is no probability for a single star. Leave out stars with `outside_training` where purity matters."
    )
    yield ""
    if "remakings" in manifest:
        yield manifest["remakings"]
        yield ""


def _making(manifest: Mapping[str, Any]) -> Iterator[str]:
    model, code = manifest["model"], manifest["code"]
    yield "## How it was made"
    yield ""
    yield f"- Network: {model['name']} version {model['version']}, variant {model['variant']}, run {model['run_id']}"
    yield f"- Weights: sha256 {model['weights_sha256']}"
    yield f"- Survey: sha256 {manifest['data']['survey_digest']}"
    yield f"- Code: exsitu {code['exsitu']}, commit {code['git_revision']}, sha256 {code['code_digest']}"
    yield f"- Written: {manifest['created']}"
    measured = model.get("evaluation", {})
    numbers = {k: v for k, v in measured.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    if numbers:
        target = measured.get("target", "mock stars of another galaxy")
        listed = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        yield f"- The recipe, measured on {target}, where the truth is known: {listed}"
    yield ""


def _using(manifest: Mapping[str, Any]) -> Iterator[str]:
    version, data_release = manifest["version"], manifest["data_release"]
    yield "## Verify"
    yield ""
    yield "    sha256sum -c SHA256SUMS"
    yield f"    exsitu verify releases/{version}"
    yield ""
    yield (
        "The second compares every file with the manifest, the three formats row by row with each other and with the "
        "scores, and runs the gate `catalog` again."
    )
    yield ""
    yield "## Cite"
    yield ""
    yield f"- this release by its version, `{version}`, and exsitu {manifest['code']['exsitu']}"
    yield f"- the method: {PAPER}"
    if manifest["provenance"].get("synthetic"):
        yield "- the data: mock stars, by the program and galaxy that the survey's file names; none was observed"
    elif data_release in _SOURCES:
        yield f"- the data: {_SOURCES[data_release]}"
    yield ""
