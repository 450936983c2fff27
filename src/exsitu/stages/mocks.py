"""Mock galaxies outside the pipeline: make them, import real ones, and hold them against the paper."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu import gates
from exsitu.errors import InputError, SettingsError
from exsitu.mocks.check import measure as ck
from exsitu.mocks.check.claims import Reading, Verdict, claims_of
from exsitu.mocks.check.labels import label_numbers
from exsitu.mocks.check.reading import describe_survey, look_around, percent_in_common, survey_path, viewpoints_in
from exsitu.mocks.galaxies import GALAXIES, GalaxyModel, galaxy_model
from exsitu.mocks.particles import FIRST_SATELLITE, Particles
from exsitu.provenance import publish_file, publish_folder, read_record, write_json
from exsitu.settings import Galaxy, Mocks, Settings
from exsitu.surveys.mock_files import described_sun
from exsitu.tables import iter_parquet

log = logging.getLogger(__name__)

HISTORIES = "histories.hdf5"
PROGENITORS = "accreted_particle_progenitors.npy"
MODEL = "galaxy.json"
PAGE, TABLE = "mocks-check.md", "mocks-check.json"

_NEAR_KPC = 1.0
_DWARFS = "dwarfs"


def wanted_mocks(
    settings: Settings,
    *,
    stars: int | None = None,
    error_profile: str | None = None,
    particle_mass_msun: float | None = None,
    accreted_particle_mass_msun: float | None = None,
) -> Mocks:
    """
    What mocks to make: what is asked for, and of the settings what is not.

    Parameters
    ----------
    settings : Settings
        The settings.
    stars : int, optional
        Stars of a survey, an expected number.
    error_profile : str, optional
        How well is measured.
    particle_mass_msun, accreted_particle_mass_msun : float, optional
        Mass of a particle born in the galaxy, and of one from outside, Msun.

    Returns
    -------
    Mocks

    Raises
    ------
    SettingsError
        If neither says it, as in a profile of real mocks.
    """
    told, asked = (
        settings.mocks,
        {
            "stars_per_viewpoint": stars,
            "error_profile": error_profile,
            "particle_mass_msun": particle_mass_msun,
            "accreted_particle_mass_msun": accreted_particle_mass_msun,
        },
    )
    known = {name: getattr(told, name) if value is None else value for name, value in asked.items()}
    if missing := [name for name, value in known.items() if value is None]:
        raise SettingsError(
            f"profile {settings.profile!r} has mocks.source {told.source!r} and no {', '.join(missing)}; "
            "give them as options, or use a profile of built-in mocks such as --profile quick"
        )
    return Mocks(source="builtin", **known)


def make_galaxy(
    settings: Settings,
    galaxy: Galaxy,
    mocks: Mocks,
    *,
    seed: int,
    snapshots: int,
    output: Path,
    kept: Path,
    reports: Path,
    suites: Path,
    progress: bool = True,
) -> Path:
    """
    Make surveys of a built-in galaxy and the histories of its particles.

    Parameters
    ----------
    settings : Settings
        The quality cut.
    galaxy : Galaxy
        Name and viewpoints.
    mocks : Mocks
        Stars a survey, particle masses, error profile; from `wanted_mocks`.
    seed : int
        The same seed gives the same bytes.
    snapshots : int
        Snapshots of the histories; 0 makes none.
    output : Path
        Folder of galaxies; the galaxy's own in it is replaced as a whole.
    kept : Path
        Folder in which particles are kept between runs.
    reports : Path
        Folder for the reports of the gates.
    suites : Path
        Folder of the expectation suites.
    progress : bool
        Whether to show progress.

    Returns
    -------
    Path
        The galaxy's folder: ``lsr<N>.parquet`` and ``lsr<N>.uncut.json`` a viewpoint, ``accreted_particle_ids.npy``
        and the progenitor of each of these, ``histories.hdf5``, ``galaxy.json``.

    Raises
    ------
    GateError
        If a survey fails its suite; the galaxy's folder is then left as it was.
    InputError
        If the galaxy, a viewpoint or the error profile is unknown, snapshots are too few, or more stars are asked for
        than there are.
    """
    from exsitu.mocks.histories import make_histories, require_snapshots
    from exsitu.mocks.make import Plan, described_masses, make_surveys, particles_of, views_of
    from exsitu.mocks.uncertainties import error_profile

    model, cut = galaxy_model(galaxy.galaxy), settings.quality.max_fractional_parallax_error
    plan = Plan(mocks.stars_per_viewpoint, error_profile(str(mocks.error_profile)), seed, cut)
    # Particles take minutes: what can be wrong already is found first.
    views_of(model, galaxy.viewpoints, plan.profile)
    if snapshots:
        require_snapshots(snapshots)
    particles, about = particles_of(model, mocks, seed=seed, kept=kept, progress=progress), described_masses(mocks)
    with publish_folder(output / model.name, replace=True) as staged:
        files = make_surveys(staged, model, particles, galaxy.viewpoints, plan, about, progress=progress)
        _check_surveys(model.name, files, reports, suites)
        _write_origins(staged, model, particles, mocks, seed)
        if snapshots:
            make_histories(
                staged / HISTORIES,
                model,
                particles,
                accreted_particle_mass_msun=float(mocks.accreted_particle_mass_msun or 0.0),
                snapshots=snapshots,
                seed=seed,
                progress=progress,
            )
    return output / model.name


def _check_surveys(galaxy: str, files: Sequence[Path], reports: Path, suites: Path) -> None:
    for path in files:
        if path.suffix == ".parquet":
            report = reports / f"mock_survey-{galaxy}-{path.stem}.json"
            gates.check(iter_parquet(path), "mock_survey", report=report, suites=suites)


def _write_origins(folder: Path, model: GalaxyModel, particles: Particles, mocks: Mocks, seed: int) -> None:
    """What the galaxy was made from, and which satellite each accreted particle was born in."""
    progenitors = particles.origin[particles.accreted] - FIRST_SATELLITE
    with publish_file(folder / PROGENITORS) as staged, staged.open("wb") as stream:
        np.save(stream, progenitors.astype(np.int16), allow_pickle=False)
    write_json(folder / MODEL, {"model": asdict(model), "seed": seed, "mocks": mocks.model_dump(exclude_none=True)})


def make_population(
    settings: Settings,
    *,
    count: int,
    viewpoints: tuple[int, ...],
    seed: int,
    error_profile: str,
    own: Mapping[str, Any],
    output: Path,
    reports: Path,
    suites: Path,
    progress: bool = True,
) -> list[Path]:
    """
    Make galaxies drawn from the priors, and their surveys.

    Parameters
    ----------
    settings : Settings
        The quality cut.
    count : int
        How many galaxies.
    viewpoints : tuple of int
        Numbers of the viewpoints.
    seed : int
        The same seed gives the same galaxies, however many.
    error_profile : str
        How well is measured.
    own : mapping of str to number
        ``stars_per_viewpoint``, ``particle_mass_msun`` and ``accreted_particle_mass_msun`` (Msun), where they are not
        to be the population's own.
    output : Path
        Folder of the population; galaxies that are there and current are left alone.
    reports : Path
        Folder for the reports of the gates.
    suites : Path
        Folder of the expectation suites.
    progress : bool
        Whether to show progress.

    Returns
    -------
    list of Path
        The folder of each galaxy.

    Raises
    ------
    GateError
        If a survey fails its suite.
    InputError
        As of `exsitu.mocks.population.make.make_population`.
    """
    from exsitu.mocks.population.make import make_population as make

    folders = make(
        output,
        count=count,
        seed=seed,
        viewpoints=viewpoints,
        profile=error_profile,
        max_fractional_parallax_error=settings.quality.max_fractional_parallax_error,
        progress=progress,
        **own,
    )
    for folder in folders:
        _check_surveys(folder.name, sorted(folder.glob("*.parquet")), reports, suites)
    return folders


@dataclass(frozen=True, slots=True)
class _Seen:
    """One galaxy as measured: a viewpoint in full, and the in-situ stars around each Sun."""

    measured: ck.Measured
    surroundings: dict[str, pd.DataFrame]


def check_mocks(
    settings: Settings, folders: Sequence[Path], *, viewpoint: int, output: Path, progress: bool = True
) -> list[Verdict]:
    """
    Hold a mock galaxy against the paper, and mocks of other seeds against it.

    Parameters
    ----------
    settings : Settings
        Quality cut, labels, seed.
    folders : sequence of Path
        The galaxy, made or imported; then the same with other seeds.
    viewpoint : int
        Number of the viewpoint.
    output : Path
        Folder for the page, the table as JSON and the pictures; other files in it are left alone.
    progress : bool
        Whether to show progress.

    Returns
    -------
    list of Verdict
        What the paper says and what the mocks show.

    Raises
    ------
    InputError
        If a file is missing or cannot be read, or the folders are of different galaxies.
    """
    galaxies = [describe_survey(survey_path(folder, viewpoint))["galaxy"] for folder in folders]
    if len(set(galaxies)) > 1:
        raise InputError(f"the folders hold {', '.join(galaxies)}; give one galaxy, made with different seeds")
    first = _see(settings, folders[0], viewpoint, progress=progress)
    others = [_readings(_see(settings, folder, viewpoint, progress=progress).measured) for folder in folders[1:]]
    found, unknown = _readings(first.measured) | _in_common(folders, viewpoint), Reading(None)
    verdicts = [
        Verdict(claim, found.get(claim.name, unknown), tuple(other.get(claim.name, unknown) for other in others))
        for claim in claims_of(galaxies[0])
    ]
    _write(first, viewpoint, verdicts, folders, output)
    return verdicts


def _see(settings: Settings, folder: Path, viewpoint: int, *, progress: bool) -> _Seen:
    cut = settings.quality.max_fractional_parallax_error
    measured = ck.measure(
        folder,
        viewpoint,
        settings.labels,
        max_fractional_parallax_error=cut,
        seed=settings.seed,
        progress=progress,
    )
    stars = measured.stars
    surroundings, accreted, everyone = {}, measured.counts["accreted stars"], measured.counts["stars"]
    for number in viewpoints_in(folder):
        if number == viewpoint:
            surroundings[f"viewpoint {number}"] = stars[~stars["accreted"]]
        else:
            around, more, total = look_around(folder, number, cut, progress=progress)
            surroundings[f"viewpoint {number}"], accreted, everyone = around, accreted + more, everyone + total
    numbers = {**measured.numbers, **label_numbers(folder / HISTORIES, measured.about["galaxy"])}
    if len(surroundings) > 1:
        numbers["accreted_percent_all_viewpoints"] = 100.0 * accreted / everyone
        numbers["viewpoints_v_r_spread_kms"] = _spread(surroundings)
    return _Seen(replace(measured, numbers=numbers), surroundings)


def _spread(surroundings: Mapping[str, pd.DataFrame]) -> float | None:
    """Standard deviation over the viewpoints of the mean v_R of the in-situ stars near each Sun, km/s."""
    near = [stars.loc[stars["distance_kpc"] < _NEAR_KPC, "v_r"].to_numpy(np.float64) for stars in surroundings.values()]
    return float(np.std([values.mean() for values in near])) if all(values.size for values in near) else None


def _readings(measured: ck.Measured) -> dict[str, Reading]:
    return {name: Reading(value, measured.errors.get(name)) for name, value in measured.numbers.items()}


def _in_common(folders: Sequence[Path], viewpoint: int) -> dict[str, Reading]:
    """Stars of the first folder that another has too: none, or the seeds did not make different galaxies."""
    first, *others = (survey_path(folder, viewpoint) for folder in folders)
    shares = [percent_in_common(first, other) for other in others]
    return {"stars_in_common_percent": Reading(max(shares))} if shares else {}


def _model(folder: Path, about: Mapping[str, str]) -> GalaxyModel | None:
    """What the galaxy was made from; None where it was imported."""
    from exsitu.mocks.population.priors import read_galaxy

    if (folder / MODEL).is_file():
        try:
            return read_galaxy(folder / MODEL)
        except (KeyError, TypeError) as error:
            raise InputError(f"{folder / MODEL} is of another version of exsitu ({error}); make it again") from error
    return GALAXIES.get(about["galaxy"]) if "galaxy_source" in about else None


def _progenitors(folder: Path, model: GalaxyModel | None, stars: pd.DataFrame) -> NDArray[np.str_] | None:
    """Name of the satellite each accreted star was born in; None where it is not known."""
    from exsitu.mocks.debris import satellites_of
    from exsitu.surveys.ananke import read_particle_ids
    from exsitu.surveys.mock_files import IDS

    if model is None or not (folder / PROGENITORS).is_file():
        return None
    satellites = satellites_of(model, int(read_record(folder / MODEL, "seed", made_by="exsitu mocks make")["seed"]))
    names = [satellite.name if n < len(model.satellites) else _DWARFS for n, satellite in enumerate(satellites)]
    ids, numbers = read_particle_ids(folder / IDS), np.load(folder / PROGENITORS, allow_pickle=False)
    order = np.argsort(ids)
    place = np.searchsorted(ids[order], stars["parentid"].to_numpy()).clip(max=len(ids) - 1)
    found: NDArray[np.str_] = np.array(names, np.str_)[numbers[order[place]]]
    return found


def _write(seen: _Seen, viewpoint: int, verdicts: list[Verdict], folders: Sequence[Path], output: Path) -> None:
    from exsitu.evaluation.style import save_figure
    from exsitu.mocks.check.page import page
    from exsitu.mocks.check.pictures import draw

    about = seen.measured.about
    model = _model(folders[0], about)
    figures = draw(
        seen.measured,
        described_sun(about).v_sun_kms[1],
        seen.surroundings,
        model.potential if model else None,
        _progenitors(folders[0], model, seen.measured.stars),
    )
    for name, figure in figures.items():
        save_figure(figure, output / f"{name}.png")
    write_json(output / TABLE, [verdict.as_dict() for verdict in verdicts])
    remake = f"exsitu mocks check {' '.join(map(str, folders))} --viewpoint {viewpoint} --output {output}"
    with publish_file(output / PAGE) as staged:
        staged.write_text(page(seen.measured, viewpoint, verdicts, figures, model, remake), encoding="utf-8")
