"""Making mock galaxies, in CPU-seconds and GB beside the stated limits: `make bench-mocks`, about five minutes.

Each figure is of one process of its own on one thread, imports left out: the particles of each galaxy as the quick
profile makes them, of one at full resolution, and seven million stars within the parallax cut of one viewpoint.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from exsitu.mocks.galaxies import GALAXIES
from exsitu.mocks.galaxy import make_particles
from exsitu.mocks.kept import kept_particles
from exsitu.mocks.make import Plan, make_surveys
from exsitu.mocks.uncertainties import error_profile
from exsitu.settings import load_settings

ROOT = Path(__file__).parents[1]
STARS = 7_000_000
FULL = {"particle_mass_msun": 7000.0, "accreted_particle_mass_msun": 7000.0}


@dataclass(frozen=True)
class Figure:
    """What was measured and what it may cost."""

    what: str
    cpu_seconds: float
    limit_s: float
    peak_gb: float
    limit_gb: float | None = None


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """CPU-seconds of some work, and the largest memory this process ever held, GB."""
    start = time.process_time()
    work()
    return time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def particles(name: str, masses: dict[str, float]) -> tuple[float, float]:
    """Make the particles of a galaxy, the compiled parts loaded before."""
    make_particles(GALAXIES[name], particle_mass_msun=1e7, accreted_particle_mass_msun=1e7, seed=1)
    return measured(lambda: make_particles(GALAXIES[name], **masses, seed=1))


def survey(kept: Path) -> tuple[float, float]:
    """Write seven million stars of particles that are there."""
    model = GALAXIES["m12i"]
    found = kept_particles(kept, model, **FULL, seed=1)
    with tempfile.TemporaryDirectory(dir=kept) as folder:
        few = Plan(10_000, error_profile("ananke"), 1, 0.1)
        make_surveys(Path(folder) / "few", model, found, (0,), few, {}, progress=False)
        many = Plan(STARS, error_profile("ananke"), 1, 0.1)
        return measured(lambda: make_surveys(Path(folder) / "many", model, found, (0,), many, {}, progress=False))


def alone(work: Callable[..., tuple[float, float]], *arguments: object) -> tuple[float, float]:
    """Run in a process of its own, which has held nothing before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def main() -> None:
    """Measure, print, and write ``benchmarks/MOCKS.md``."""
    mocks = load_settings(ROOT / "params.yaml", "quick").mocks
    quick = {
        "particle_mass_msun": float(mocks.particle_mass_msun or 0),
        "accreted_particle_mass_msun": float(mocks.accreted_particle_mass_msun or 0),
    }
    figures = []
    for name in GALAXIES:
        cpu, gb = alone(particles, name, quick)
        figures.append(Figure(f"particles of {name}, quick", cpu, 20.0, gb))
    cpu, gb = alone(particles, "m12i", FULL)
    figures.append(Figure("particles of m12i, full resolution", cpu, 400.0, gb))
    with tempfile.TemporaryDirectory() as kept:
        kept_particles(Path(kept), GALAXIES["m12i"], **FULL, seed=1)
        cpu, gb = alone(survey, Path(kept))
    figures.append(Figure(f"{STARS / 1e6:.0f} M stars of m12i/lsr0 within the cut", cpu, 60.0, gb, 3.0))
    lines = [
        "# Making mocks",
        "",
        "Made by `make bench-mocks`, one process of one thread a figure.",
        "",
        "| what | CPU-seconds | limit | peak GB | limit |",
        "|---|---|---|---|---|",
        *(
            f"| {f.what} | {f.cpu_seconds:.1f} | {f.limit_s:.0f} | {f.peak_gb:.2f} | {f.limit_gb or ''} |"
            for f in figures
        ),
        "",
    ]
    text = "\n".join(lines)
    (ROOT / "benchmarks" / "MOCKS.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
