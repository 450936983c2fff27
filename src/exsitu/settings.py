"""Settings: ``params.yaml`` as frozen, typed, validated objects.

The file has a common part and one overlay a profile; what a stage receives is the common part with the chosen overlay
laid over it. An unknown key is an error that names the nearest known one.
"""

import logging
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from exsitu.columns import nearest
from exsitu.errors import SettingsError

log = logging.getLogger(__name__)

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Velocity = tuple[float, float, float]

Variant = Literal["none", "vm_first", "vm_last", "vm_first_last", "zm_first", "zm_last", "zm_first_last"]
"""A way to transfer: whose labels, and which layers learn."""

InputSetName = Literal["4D", "4D+phot", "4D+feh", "5D", "5D+phot", "5D+feh", "6D", "6D+phot", "6D+feh"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Galaxy(_Frozen):
    """A mock galaxy and the solar viewpoints (0, 1, 2) it is seen from."""

    galaxy: str
    viewpoints: tuple[int, ...]

    @property
    def surveys(self) -> tuple[str, ...]:
        """Names of its surveys, ``<galaxy>/lsr<N>``."""
        return tuple(f"{self.galaxy}/lsr{n}" for n in self.viewpoints)


class Data(_Frozen):
    """Which mock galaxies play which part."""

    pretraining: Galaxy
    target: Galaxy
    galaxy_seed: int


class Quality(_Frozen):
    """The quality cut 0 < parallax_error / parallax < max_fractional_parallax_error."""

    max_fractional_parallax_error: PositiveFloat


class VelocityMixture(_Frozen):
    """The VM selection (paper, Sec. 3): a mixture of two Gaussians in velocity, and [Fe/H] below a limit (dex)."""

    max_feh: float
    disc_mean_kms: Velocity
    halo_mean_kms: Velocity


class HeightMetallicity(_Frozen):
    """The ZM selection (paper, Sec. 3): height above the plane (kpc) and [Fe/H] below a limit (dex)."""

    min_height_kpc: PositiveFloat
    max_feh: float


class Labels(_Frozen):
    """The traditional selections."""

    v_lsr_kms: PositiveFloat
    vm: VelocityMixture
    zm: HeightMetallicity


class Network(_Frozen):
    """Inputs and shape of the network."""

    input_set: InputSetName
    representation: Literal["measured", "rest_frame"]
    hidden: tuple[PositiveInt, ...]

    @model_validator(mode="after")
    def _distances_are_known(self) -> "Network":
        if self.representation == "rest_frame" and self.input_set.startswith("4D"):
            raise ValueError(f"rest_frame needs a parallax, which {self.input_set} lacks; take 5D or 6D")
        return self


class Plateau(_Frozen):
    """Learning rate times `factor` after `patience` epochs without improvement, never below `floor`."""

    factor: Fraction
    patience: PositiveInt
    floor: PositiveFloat


class Training(_Frozen):
    """How a network is trained (paper, Sec. 4.2)."""

    noise: Literal["errors", "covariance"]
    draws_per_star: PositiveInt
    accreted_per_batch: PositiveInt
    accreted_weight: PositiveFloat
    learning_rate: PositiveFloat
    plateau: Plateau
    stop_patience: PositiveInt
    cores: PositiveInt


class Transfer(_Frozen):
    """How a network is transferred (paper, Sec. 7)."""

    learning_rate: PositiveFloat
    variants: tuple[Variant, ...]


class Bins(_Frozen):
    """Equal bins between two velocities, km/s."""

    low: float
    high: float
    count: PositiveInt


class Cuts(_Frozen):
    """Score cuts from `low` to `high`."""

    low: Fraction
    high: Fraction
    step: PositiveFloat


class Acceptance(_Frozen):
    """What a recipe must reach on test stars whose truth is known."""

    min_auc: Fraction
    min_purity: Fraction
    min_efficiency_accreted: Fraction
    max_sum_chi2: PositiveFloat


class Evaluation(_Frozen):
    """How networks are compared."""

    velocity_bins: Bins
    cuts: Cuts
    min_selected: PositiveInt
    acceptance: Acceptance


class MaxLossSigma(_Frozen):
    """How many standard errors of the difference a candidate may fall behind the champion; negative demands a gain."""

    sum_chi2: float
    purity: float
    efficiency_accreted: float


class RealStars(_Frozen):
    """Real stars of which a candidate must select a fraction between limits; not checked where `path` is null."""

    path: Path | None
    release: str | None = None
    allow_missing_errors: bool = False
    min_selected_fraction: Fraction | None = None
    max_selected_fraction: Fraction | None = None

    @model_validator(mode="after")
    def _limited(self) -> "RealStars":
        if self.min_selected_fraction is None and self.max_selected_fraction is None:
            raise ValueError("give min_selected_fraction, max_selected_fraction or both")
        return self


class Promotion(_Frozen):
    """What a candidate must reach, beside the acceptance limits, to become champion."""

    sample: Literal["holdout", "target"]
    jackknife_groups: Annotated[int, Field(ge=2)]
    max_loss_sigma: MaxLossSigma
    without_champion: Literal["promote", "refuse"]
    real_stars: dict[str, RealStars]


class Survey(_Frozen):
    """A survey that can be released by name; `truth` is read by the audit alone."""

    path: Path
    release: str
    truth: Path | None = None


class Tracking(_Frozen):
    """Where MLflow keeps runs, and the name of the registered model."""

    uri: str
    artifacts: Path
    model_name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class Watch(_Frozen):
    """Surveys that are held against the training stars every week, and how far an input may have moved."""

    surveys: tuple[str, ...]
    max_psi: PositiveFloat
    max_ks: Fraction


Port = Annotated[int, Field(ge=1024, le=65535)]


class Servers(_Frozen):
    """Ports on loopback of the servers that ``make up`` starts, and how many flow runs the worker does at once."""

    prefect_port: Port
    mlflow_port: Port
    worker_limit: PositiveInt


class Mocks(_Frozen):
    """Where mock surveys come from: the built-in generator, or ananke's files below `root` and id lists in `labels`."""

    source: Literal["builtin", "ananke"]
    stars_per_viewpoint: PositiveInt
    target_stars_per_viewpoint: PositiveInt | None = None
    particle_mass_msun: PositiveFloat | None = None
    accreted_particle_mass_msun: PositiveFloat | None = None
    error_profile: Literal["ananke", "dr2", "dr3"] | None = None
    root: Path | None = None
    labels: dict[str, Path] | None = None

    @property
    def of_target(self) -> "Mocks":
        """The same for the target galaxy, of which more stars may be wanted: some teach, some test."""
        return self.model_copy(
            update={"stars_per_viewpoint": self.target_stars_per_viewpoint or self.stars_per_viewpoint}
        )

    @model_validator(mode="after")
    def _complete(self) -> "Mocks":
        generator = (self.particle_mass_msun, self.accreted_particle_mass_msun, self.error_profile)
        if self.source == "builtin" and None in generator:
            raise ValueError("source 'builtin' needs particle_mass_msun, accreted_particle_mass_msun, error_profile")
        return self


class MilkyWay(_Frozen):
    """Where the Milky Way comes from: the built-in stand-in, or Gaia and spectroscopic files by path."""

    source: Literal["standin", "files"]
    gaia_stars: PositiveInt | None = None
    spectroscopic_stars: PositiveInt | None = None
    gaia: tuple[Path, ...] | None = None
    spectroscopy: Path | None = None
    best_neighbour: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> "MilkyWay":
        if self.source == "standin" and None in (self.gaia_stars, self.spectroscopic_stars):
            raise ValueError("source 'standin' needs gaia_stars and spectroscopic_stars")
        return self


class Samples(_Frozen):
    """Numbers of stars set aside; training takes the rest."""

    validation_stars: PositiveInt
    test_stars: PositiveInt
    transfer_stars: PositiveInt


class Epochs(_Frozen):
    """Most epochs of a training; it may stop earlier."""

    pretraining: PositiveInt
    transfer: PositiveInt


class Experiments(_Frozen):
    """
    How large the paper's experiments are.

    Parameters
    ----------
    seeds : int
        Networks of each kind.
    validation_share, test_share : float
        Shares of each survey's stars that no network learns from; what is left trains.
    training_stars, transfer_stars : int
        At most so many stars of each survey a network learns from, or is transferred on.
    validation_stars : int
        At most so many stars that stop a training, of all surveys together.
    epochs, transfer_epochs : int
        Most epochs of a fresh network, and of one that goes on from another.
    draws_per_epoch : int
        An epoch passes over the stars until it has made so many draws, or `training.draws_per_star` of each.
    plateau_patience, stop_patience : int
        Epochs without improvement before the learning rate falls, and before the training stops.
    jackknife_blocks : int
        Blocks that star particles are cut into for standard errors.
    population_stars : int
        Stars of each survey of a galaxy drawn from the priors.
    population_galaxies : tuple of int
        Numbers of such galaxies that networks are pretrained on, to be compared; ascending.
    """

    seeds: PositiveInt
    validation_share: Fraction
    test_share: Fraction
    training_stars: PositiveInt
    transfer_stars: PositiveInt
    validation_stars: PositiveInt
    epochs: PositiveInt
    transfer_epochs: PositiveInt
    draws_per_epoch: PositiveInt
    plateau_patience: PositiveInt
    stop_patience: PositiveInt
    jackknife_blocks: Annotated[int, Field(gt=1)]
    population_stars: PositiveInt
    population_galaxies: tuple[PositiveInt, ...]

    @model_validator(mode="after")
    def _some_train(self) -> "Experiments":
        if not 0 < self.validation_share + self.test_share < 1:
            raise ValueError("validation_share + test_share leave no star to train on; their sum must be below 1")
        return self

    @model_validator(mode="after")
    def _more_and_more(self) -> "Experiments":
        numbers = self.population_galaxies
        if len(numbers) < 2 or list(numbers) != sorted(set(numbers)):
            raise ValueError("population_galaxies are to be compared: give two numbers or more, ascending")
        return self


class Settings(_Frozen):
    """Everything a stage can be told. See ``params.yaml`` for what each key does."""

    profile: str
    seed: int
    data: Data
    quality: Quality
    labels: Labels
    network: Network
    training: Training
    transfer: Transfer
    evaluation: Evaluation
    promotion: Promotion
    surveys: dict[str, Survey]
    tracking: Tracking
    watch: Watch
    servers: Servers
    mocks: Mocks
    milky_way: MilkyWay
    samples: Samples
    epochs: Epochs
    experiments: Experiments
    chunk_rows: PositiveInt


PARAMS = "params.yaml"

# Keys below which people choose the names, and what each name holds.
_NAMED: dict[str, type[BaseModel]] = {"surveys": Survey, "real_stars": RealStars}


def _merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Keys the settings know at the place of an error."""
    model: type[BaseModel] = Settings
    for step in location:
        annotation = model.model_fields[str(step)].annotation if str(step) in model.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
        elif step in _NAMED:
            model = _NAMED[str(step)]
    return list(model.model_fields)


def _explain(path: Path, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        where = ".".join(str(step) for step in problem["loc"])
        if problem["type"] == "extra_forbidden":
            key, known = str(problem["loc"][-1]), _known_keys(problem["loc"][:-1])
            lines.append(f"unknown key {where!r}{nearest(key, known)}")
        elif problem["type"] == "missing":
            lines.append(f"missing key {where!r}")
        else:
            lines.append(f"{where or 'settings'} = {problem['input']!r}: {problem['msg']}")
    return f"{path}: " + "; ".join(lines)


def shipped_params() -> Path:
    """
    Find the settings that exsitu itself brings.

    Returns
    -------
    Path
        ``params.yaml`` in the installed package; of a checkout, the one of the repository.
    """
    packaged = Path(__file__).with_name(PARAMS)
    return packaged if packaged.is_file() else Path(__file__).parents[2] / PARAMS


def _here_or_shipped() -> Path:
    here = Path(PARAMS)
    if here.is_file():
        return here
    log.info("no %s in %s: the settings are those that exsitu brings", PARAMS, Path.cwd())
    return shipped_params()


def load_settings(path: Path | None = None, profile: str | None = None) -> Settings:
    """
    Read the settings.

    Parameters
    ----------
    path : Path, optional
        The YAML file; by default ``params.yaml`` of the working directory, and where there is none, exsitu's own.
    profile : str, optional
        Overlay to use instead of the one the file names.

    Returns
    -------
    Settings

    Raises
    ------
    SettingsError
        If the file is missing or not YAML, a key is unknown or missing, or a value is not allowed.
    """
    path = _here_or_shipped() if path is None else path
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"no {path} here; run exsitu in the folder of the repository, or name another with --params"
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text ({error}): save it as UTF-8") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("profiles"), dict):
        raise SettingsError(f"{path} needs a mapping with the key 'profiles'")
    profiles = raw.pop("profiles")
    name = profile or raw.get("profile")
    if not isinstance(name, str) or name not in profiles:
        known = [str(each) for each in profiles]
        raise SettingsError(f"{path}: no profile {name!r}{nearest(str(name), known)}; known: {', '.join(known)}")
    if not isinstance(profiles[name], dict):
        raise SettingsError(f"{path}: profile {name!r} is not a mapping of keys to values")
    try:
        return Settings.model_validate(_merge(raw, {**profiles[name], "profile": name}))
    except ValidationError as error:
        raise SettingsError(_explain(path, error)) from None
