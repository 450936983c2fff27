"""The commands `exsitu mocks`: mock galaxies by themselves, outside the pipeline."""

import json
from pathlib import Path

import click

from exsitu.cli_paths import CHECKED, FILE, FOLDER, GATES, MOCKS, PARTICLES, SUITES
from exsitu.errors import SettingsError

POPULATION = "population"
VIEWPOINTS = {"m12i": (0, 1, 2), "m12f": (0, 1), POPULATION: (0, 1, 2)}

_progress = click.option("--progress/--no-progress", default=True, help="Show progress bars.")


@click.group()
def mocks() -> None:
    """Make mock galaxies, import real ones, and hold both against the paper."""


@mocks.command()
@click.option("--galaxy", type=click.Choice(list(VIEWPOINTS)), default="m12i", show_default=True)
@click.option(
    "--viewpoint", "viewpoints", type=click.IntRange(0), multiple=True, help="Repeat for more.  [default: all]"
)
@click.option(
    "--stars",
    type=click.IntRange(1),
    help="Stars of one survey, within the parallax cut.  [default: params; a population's own]",
)
@click.option(
    "--seed", type=click.IntRange(0), help="Another seed, another galaxy of the same kind.  [default: params]"
)
@click.option(
    "--error-profile", type=click.Choice(["ananke", "dr2", "dr3"]), help="How well is measured.  [default: params]"
)
@click.option(
    "--particle-mass",
    type=click.FloatRange(0, min_open=True),
    help="Of one born here, Msun.  [default: params; a population's own]",
)
@click.option(
    "--accreted-particle-mass",
    type=click.FloatRange(0, min_open=True),
    help="Of one from outside, Msun.  [default: likewise]",
)
@click.option(
    "--snapshots", type=click.IntRange(0), default=120, show_default=True, help="Of the histories; 0 makes none."
)
@click.option("--count", type=click.IntRange(1), help="Galaxies of the population, and of nothing else.")
@click.option("--output", type=FOLDER, default=MOCKS, show_default=True, help="Folder of galaxies; a folder each.")
@_progress
@click.pass_context
def make(
    ctx: click.Context,
    *,
    galaxy: str,
    viewpoints: tuple[int, ...],
    stars: int | None,
    seed: int | None,
    error_profile: str | None,
    particle_mass: float | None,
    accreted_particle_mass: float | None,
    snapshots: int,
    count: int | None,
    output: Path,
    progress: bool,
) -> None:
    """
    Make surveys of a built-in galaxy, or of a population drawn from the priors.

    The folder OUTPUT/GALAXY is replaced as a whole; particles are kept in build/particles between runs.
    """
    from exsitu.settings import Galaxy, load_settings
    from exsitu.stages import mocks as stage

    settings = load_settings(*ctx.obj)
    seed = settings.data.galaxy_seed if seed is None else seed
    seen_from = tuple(dict.fromkeys(viewpoints)) or VIEWPOINTS[galaxy]
    given = {"particle_mass_msun": particle_mass, "accreted_particle_mass_msun": accreted_particle_mass}
    masses = {name: mass for name, mass in given.items() if mass is not None}
    files = {"reports": GATES, "suites": SUITES}
    if (galaxy == POPULATION) != (count is not None):
        raise SettingsError("--count says how many galaxies a population has: give both, or neither")
    if count is not None:
        target = output / POPULATION
        stage.make_population(
            settings,
            count=count,
            viewpoints=seen_from,
            seed=seed,
            error_profile=error_profile or settings.mocks.error_profile or "ananke",
            own=masses if stars is None else {"stars_per_viewpoint": stars, **masses},
            output=target,
            progress=progress,
            **files,
        )
        click.echo(f"wrote {target}; next: look at {target / 'population.png'}", err=True)
        return
    wanted = stage.wanted_mocks(settings, stars=stars, error_profile=error_profile, **masses)
    made = stage.make_galaxy(
        settings,
        Galaxy(galaxy=galaxy, viewpoints=seen_from),
        wanted,
        seed=seed,
        snapshots=snapshots,
        output=output,
        kept=PARTICLES,
        progress=progress,
        **files,
    )
    click.echo(f"wrote {made}; next: exsitu mocks check {made}", err=True)


@mocks.command("import")
@click.option(
    "--slice", "slices", type=FILE, multiple=True, required=True, help="HDF5 slice of ananke; repeat for more."
)
@click.option("--ids", type=FILE, required=True, help="List of accreted star particles, .npy or .csv.")
@click.option("--galaxy", required=True, help="Name of the galaxy, such as m12i.")
@click.option("--viewpoint", type=click.IntRange(0), required=True, help="Number of the viewpoint.")
@click.option("--output", type=FOLDER, default=MOCKS, show_default=True, help="Folder of galaxies; a folder each.")
@_progress
@click.pass_context
def import_(
    ctx: click.Context,
    *,
    slices: tuple[Path, ...],
    ids: Path,
    galaxy: str,
    viewpoint: int,
    output: Path,
    progress: bool,
) -> None:
    """Import a real ananke survey from its slices, with the parallax cut."""
    from exsitu.settings import load_settings
    from exsitu.surveys.mock_import import import_mock

    settings = load_settings(*ctx.obj)
    counts = import_mock(
        output / galaxy,
        slices,
        ids,
        survey=f"{galaxy}/lsr{viewpoint}",
        max_fractional_parallax_error=settings.quality.max_fractional_parallax_error,
        chunk_rows=settings.chunk_rows,
        progress=progress,
    )
    click.echo(f"{counts.kept:,} of {counts.read:,} stars kept, {counts.bright:,} read have G < 21")
    click.echo(f"accreted: {counts.accreted:,}, {counts.accreted_with_rv:,} of them with a radial velocity")
    click.echo(f"in situ: {counts.in_situ:,}, {counts.in_situ_with_rv:,} of them with a radial velocity")
    if counts.not_physical:
        click.echo(f"warning: {counts.not_physical}", err=True)
    click.echo(f"wrote {output / galaxy}; next: exsitu mocks check {output / galaxy} --viewpoint {viewpoint}", err=True)


@mocks.command()
@click.argument("folders", type=FOLDER, nargs=-1)
@click.option("--viewpoint", type=click.IntRange(0), default=0, show_default=True, help="Number of the viewpoint.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON: name, paper, here, factor, holds.")
@click.option("--strict", is_flag=True, help="Exit with 1 where something does not hold, or seeds disagree.")
@click.option("--output", type=FOLDER, default=CHECKED, show_default=True, help="Folder for the page and its pictures.")
@_progress
@click.pass_context
def check(
    ctx: click.Context,
    *,
    folders: tuple[Path, ...],
    viewpoint: int,
    as_json: bool,
    strict: bool,
    output: Path,
    progress: bool,
) -> None:
    """
    Hold a mock galaxy against the paper, number by number.

    FOLDERS are one galaxy, made or imported [default: build/mocks/m12i]; more are the same galaxy made with other
    seeds, set side by side. Writes mocks-check.md with its pictures, and mocks-check.json. The exit code is 0 if the
    check ran, whatever it found, but for --strict.
    """
    from exsitu.mocks.check.page import verdict_text
    from exsitu.settings import load_settings
    from exsitu.stages.mocks import PAGE, check_mocks

    chosen = folders or (MOCKS / "m12i",)
    verdicts = check_mocks(load_settings(*ctx.obj), chosen, viewpoint=viewpoint, output=output, progress=progress)
    told = [verdict.as_dict() for verdict in verdicts]
    click.echo(json.dumps(told, indent=2) if as_json else verdict_text(verdicts))
    click.echo(f"wrote {output}; next: read {output / PAGE}", err=True)
    ctx.exit(1 if strict and any(v.holds is False or v.agree is False for v in verdicts) else 0)
