"""How far a star's score moves when all is made again: with other seeds of the training, with other mock galaxies.

``python scripts/remakings.py --trainings 3 --galaxies 3`` makes everything so many times more, each in a folder of its
own, scores this checkout's stand-in and Hipparcos-2 with every model, and writes what it found to
``src/exsitu/catalog/remakings.json``, which releases and model cards quote. Beside each model stand its numbers as
``exsitu outcome --save`` keeps them, for ``exsitu outcome --write --other``. Six minutes each on two cores with the
profile ``quick``; finished ones are not made again.
"""
# ruff: noqa: INP001, T201 - a script, not part of a package, that prints how far it is

import argparse
import itertools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exsitu.operations.outcome import STARS
from exsitu.settings import load_settings
from exsitu.tables import read_parquet

REPOSITORY = Path(__file__).parents[1]
SURVEYS = {"standin": "data/milkyway/gaia.parquet", "hipparcos2": "data/hipparcos/hipparcos2.parquet"}
OUTCOME = "outcome.json"

_FIRST_SEED = 5000


def remake(folder: Path, seed: int, galaxy_seed: int | None) -> None:
    """Run the pipeline in a folder, with this checkout's data or, where a galaxy's seed is given, with other ones."""
    if (folder / OUTCOME).is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(REPOSITORY / "expectations", folder / "expectations")
    (folder / "docs").mkdir()
    shutil.copy(REPOSITORY / "docs" / "outcome.json", folder / "docs")
    text = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^seed: \d+", f"seed: {seed}", text)
    if galaxy_seed is None:
        (folder / "data").symlink_to(REPOSITORY / "data", target_is_directory=True)
    else:
        text = re.sub(r"galaxy_seed: \d+", f"galaxy_seed: {galaxy_seed}", text)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    variants = [["transfer", variant] for variant in load_settings(folder / "params.yaml").transfer.variants]
    made = [] if galaxy_seed is None else [["data"]]
    promoted = ["promote", "--force", "--reason", "made again to see what moves"]
    released = [["release", name, "--allow-empty"] for name in SURVEYS]
    training = [["prepare"], ["pretrain"], *variants, ["evaluate"], ["adapt"], promoted]
    for command in [*made, *training, *released, ["outcome", "--save", OUTCOME]]:
        print(f"{folder.name}: exsitu {' '.join(command)}", flush=True)
        subprocess.run(["exsitu", *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def scores_of(folder: Path, survey: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Scores of this checkout's stars with the model of a folder, by ``source_id``, and the model's recipe."""
    output = folder / "build" / f"scores-{survey}.parquet"
    model = folder / "build" / "adapted"
    subprocess.run(
        ["exsitu", "score", "--model", str(model), "--input", SURVEYS[survey], "--output", str(output)],
        cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    table = read_parquet(output, ["source_id", "score"])
    recipe = json.loads((model / "recipe.json").read_text(encoding="utf-8"))
    return {name: table[name].to_numpy() for name in table}, recipe


def spread(folders: list[Path], survey: str) -> dict[str, Any]:
    """
    Measure how a star's score moves from model to model.

    Parameters
    ----------
    folders : list of Path
        Of the models.
    survey : str
        A key of ``SURVEYS``.

    Returns
    -------
    dict
        ``selected``: stars above each model's own cut; ``selected_by_all``, ``selected_by_any``: how many by all and by
        any; ``std``: the median standard deviation over the models, and its 90th percentile, of stars with a mean score
        in each range.
    """
    found = [scores_of(folder, survey) for folder in folders]
    cuts = [float(recipe["cut"]) for _, recipe in found]
    scores = np.stack([table["score"] for table, _ in found])
    scored = np.isfinite(scores).all(axis=0)
    ids, scores = found[0][0]["source_id"][scored], scores[:, scored]
    chosen = scores > np.array(cuts)[:, None]
    mean, std = scores.mean(axis=0), scores.std(axis=0, ddof=1)
    ranges = itertools.pairwise((0.0, 0.1, 0.5, 0.75, 0.9, 1.0))
    named = {name: scores[:, ids == STARS[name]].ravel().round(2).tolist() for name in ("hd_134439", "hd_134440")}
    return {
        "stars": len(ids),
        "variants": [recipe["variant"] for _, recipe in found],
        "cuts": cuts,
        "selected": chosen.sum(axis=1).tolist(),
        "selected_by_all": int(chosen.all(axis=0).sum()),
        "selected_by_any": int(chosen.any(axis=0).sum()),
        "std": {f"{low:g}-{high:g}": _std(std[(mean >= low) & (mean < high)]) for low, high in ranges},
        **({"named": named} if survey == "hipparcos2" else {}),
    }


def _std(values: NDArray[Any]) -> dict[str, Any]:
    if not len(values):
        return {"stars": 0}
    median, high = (round(float(np.percentile(values, q)), 3) for q in (50, 90))
    return {"stars": len(values), "median": median, "percentile_90": high}


def main() -> None:
    """Make what is missing, measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--trainings", type=int, default=3, help="pipelines with other seeds, on the same data")
    parser.add_argument("--galaxies", type=int, default=3, help="pipelines with other mock galaxies as well")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "build" / "remakings", help="where they are made")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "src" / "exsitu" / "catalog" / "remakings.json")
    asked = parser.parse_args()
    kinds = {"other trainings": (asked.trainings, False), "other galaxies": (asked.galaxies, True)}
    found: dict[str, Any] = {"profile": load_settings(REPOSITORY / "params.yaml").profile}
    for kind, (count, galaxies) in kinds.items():
        folders = [asked.folder / f"{kind.replace(' ', '-')}-{n}" for n in range(count)]
        for number, folder in enumerate(folders):
            remake(folder, _FIRST_SEED + number, _FIRST_SEED + number if galaxies else None)
        found[kind] = {survey: spread(folders, survey) for survey in SURVEYS}
    made = json.loads((asked.folder / "other-trainings-0" / OUTCOME).read_text(encoding="utf-8"))
    found = {"profile": found["profile"], "revision": made["revision"], **found}
    asked.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {asked.output}")


if __name__ == "__main__":
    sys.exit(main())
