"""The stage ``data``: build or import the mock surveys and the Milky Way, and fetch the real stars everyone has."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from exsitu import gates
from exsitu.errors import InputError
from exsitu.parallel import Job, run_jobs
from exsitu.provenance import publish_folder, write_json
from exsitu.samples import passes_quality_cut
from exsitu.settings import Galaxy, Mocks, Settings
from exsitu.stages.data_record import RECORD, data_identity, is_current, record_of
from exsitu.tables import iter_parquet, write_parquet

log = logging.getLogger(__name__)


def make_data(
    settings: Settings, *, output: Path, reports: Path, suites: Path, kept: Path | None = None, progress: bool = True
) -> bool:
    """
    Make the folder of data, or leave it alone where it is present and current.

    Parameters
    ----------
    settings : Settings
        Which galaxies, how many stars, from where.
    output : Path
        Folder to make: ``mocks/<galaxy>/lsr<N>.parquet`` and ``lsr<N>.uncut.json`` a viewpoint,
        ``mocks/<galaxy>/accreted_particle_ids.npy``,
        ``milkyway/{gaia,rave,best_neighbour,truth}.parquet``, ``hipparcos/hipparcos2.parquet``, ``data.json``.
    reports : Path
        Folder for the reports of the gates.
    suites : Path
        Folder of the expectation suites.
    kept : Path, optional
        Folder in which the particles of built-in galaxies are kept between runs.
    progress : bool
        Whether to show progress.

    Returns
    -------
    bool
        False where nothing had to be done.

    Raises
    ------
    GateError
        If a table fails its suite; `output` is then left as it was.
    InputError
        If files named in the settings are missing or cannot be read.
    """
    if is_current(output, settings):
        log.info("%s is present and current (identity %s…): left alone", output, data_identity(settings)[:12])
        return False
    with publish_folder(output, replace=True) as staged:
        run_jobs(_makers(settings, kept, staged), progress=progress)
        _check_all(staged, reports, suites, progress=progress)
        write_json(staged / RECORD, record_of(staged, settings))
    return True


def _makers(settings: Settings, kept: Path | None, folder: Path) -> list[Job]:
    """What has to be made, each independent of the others."""
    wanted = (
        (settings.data.target, settings.mocks.of_target),  # first, because it takes longest
        (settings.data.pretraining, settings.mocks),
    )
    told = {"settings": settings, "folder": folder}
    return [
        *(
            Job(f"mocks {', '.join(of.surveys)}", _make_mocks, {**told, "mocks": mocks, "galaxy": of, "kept": kept})
            for of, mocks in wanted
        ),
        Job("the Milky Way", _make_milky_way, {**told, "kept": kept}),
        Job("Hipparcos-2", _fetch_hipparcos, told),
    ]


def _make_mocks(settings: Settings, mocks: Mocks, galaxy: Galaxy, kept: Path | None, folder: Path) -> None:
    if mocks.source == "ananke":
        _import_ananke(settings, galaxy, folder / "mocks")
        return
    from exsitu.mocks.make import make_mocks

    make_mocks(
        folder / "mocks",
        galaxy,
        mocks,
        seed=settings.data.galaxy_seed,
        max_fractional_parallax_error=settings.quality.max_fractional_parallax_error,
        progress=False,
        kept=kept,
    )


def _import_ananke(settings: Settings, galaxy: Galaxy, folder: Path) -> None:
    from exsitu.surveys.mock_import import import_mock

    root, labels = settings.mocks.root, settings.mocks.labels or {}
    if root is None or galaxy.galaxy not in labels:
        raise InputError(f"source 'ananke' needs mocks.root and mocks.labels.{galaxy.galaxy} in params.yaml")
    for viewpoint, survey in zip(galaxy.viewpoints, galaxy.surveys, strict=True):
        # The paper stacks the two innermost radial slices, which hold all stars with good parallaxes.
        files = sorted(root.rglob(f"lsr-{viewpoint}-rslice-[01].{galaxy.galaxy}-*.hdf5"))
        if not files:
            raise InputError(f"no lsr-{viewpoint}-rslice-0 or -1 of {galaxy.galaxy} below {root}")
        counts = import_mock(
            folder / galaxy.galaxy,
            files,
            labels[galaxy.galaxy],
            survey=survey,
            max_fractional_parallax_error=settings.quality.max_fractional_parallax_error,
            chunk_rows=settings.chunk_rows,
        )
        log.info("%s: %s", survey, counts)


def _cut(frames: Iterator[pd.DataFrame], settings: Settings) -> Iterator[pd.DataFrame]:
    for frame in frames:
        yield frame[passes_quality_cut(frame, settings.quality.max_fractional_parallax_error)]


def _make_milky_way(settings: Settings, kept: Path | None, folder: Path) -> None:
    target = folder / "milkyway"
    if settings.milky_way.source == "files":
        _import_milky_way(settings, target)
        return
    from exsitu.mocks.standin import make_standin

    seed = settings.data.galaxy_seed
    make_standin(target, settings.milky_way, settings.mocks, seed=seed, progress=False, kept=kept)


def _import_milky_way(settings: Settings, folder: Path) -> None:
    from exsitu.surveys.crossmatch import read_neighbours
    from exsitu.surveys.spectroscopy import read_rave

    source = settings.milky_way
    if source.gaia is None or source.spectroscopy is None:
        raise InputError("source 'files' needs milky_way.gaia and milky_way.spectroscopy in params.yaml")
    gaia = _one_survey(source.gaia, settings.chunk_rows)
    write_parquet(folder / "gaia.parquet", _cut(gaia, settings), metadata={"survey": "gaia"})
    write_parquet(folder / "rave.parquet", [read_rave(source.spectroscopy, chunk_rows=settings.chunk_rows)])
    if source.best_neighbour is not None:
        write_parquet(folder / "best_neighbour.parquet", [read_neighbours(source.best_neighbour)])


def _one_survey(files: Sequence[Path], chunk_rows: int) -> Iterator[pd.DataFrame]:
    """Read the files of one survey as one table, in which no id comes twice."""
    from exsitu.surveys.reader import UniqueIds, read_survey

    ids = UniqueIds(", ".join(str(path) for path in files))
    for path in files:
        for frame in read_survey(path, chunk_rows=chunk_rows, unique_ids=False):
            ids.add(frame["source_id"].to_numpy())
            yield frame
    ids.refuse_repeats()


def _fetch_hipparcos(settings: Settings, folder: Path) -> None:
    from exsitu.surveys.hipparcos import read_hipparcos

    frames = read_hipparcos(chunk_rows=settings.chunk_rows)
    write_parquet(folder / "hipparcos" / "hipparcos2.parquet", frames, metadata={"survey": "hipparcos2"})


def _check_all(folder: Path, reports: Path, suites: Path, *, progress: bool) -> None:
    from tqdm import tqdm

    mocks = sorted(folder.glob("mocks/*/*.parquet"))
    tables = {f"mock_survey {path.parent.name}-{path.stem}": ("mock_survey", path) for path in mocks}
    tables["gaia_survey milkyway"] = ("gaia_survey", folder / "milkyway" / "gaia.parquet")
    tables["gaia_survey hipparcos2"] = ("gaia_survey", folder / "hipparcos" / "hipparcos2.parquet")
    tables["spectroscopic_survey rave"] = ("spectroscopic_survey", folder / "milkyway" / "rave.parquet")
    for name, (suite, path) in tqdm(tables.items(), desc="gates", unit="table", disable=not progress):
        gates.check(iter_parquet(path), suite, report=reports / f"{name.replace(' ', '-')}.json", suites=suites)
