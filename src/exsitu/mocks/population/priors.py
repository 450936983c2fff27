"""The priors of a population of mock galaxies, in one table, and a galaxy drawn from them.

Every parameter of ``exsitu.mocks.galaxies`` has its row in ``PRIORS``. Every draw has a stream of random numbers of its
own, named after its row: a row that is changed, added or taken away moves no other parameter of any galaxy.
"""

import dataclasses
import itertools
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from exsitu import elementary as el
from exsitu.draws import Draws
from exsitu.errors import InputError
from exsitu.mocks.galaxies import (
    Bar,
    Disc,
    Dust,
    Dwarfs,
    GalaxyModel,
    HeatedDisc,
    Inflow,
    Orbit,
    Potential,
    ProtoGalaxy,
    Satellite,
    Spiral,
)
from exsitu.mocks.orbits import circular_velocity
from exsitu.phase_space import SolarFrame
from exsitu.provenance import read_json

Kind = Literal["uniform", "log-uniform", "normal", "integer", "isotropic", "fixed", "derived"]
Part = TypeVar("Part")

FIRST_CODE = 1000
"""Code of the first galaxy of a population; the built-in galaxies' are below."""

LARGEST_INDEX = (1 << 17) - 1 - FIRST_CODE
"""Beyond it, ids of stars would collide (``make.first_source_id``)."""

R_SUN = 8.2
"""Where the viewpoints of a population stand, kpc from the centre."""

CIRCULAR_VELOCITY = (190.0, 260.0)
"""A potential whose circular velocity at `R_SUN` falls outside this range is drawn again, km/s."""

MERGED_MASS = (4.0e8, 4.5e9)
"""Mergers whose stellar masses add up to something outside this range are drawn again, Msun: 0.3 to 3 times the Milky
Way's stellar halo (Deason et al. 2019)."""

_SATELLITES_AT_MOST = 16

_DRAW = 0  # in the seeds, where `randomness.Purpose` stands for everything that is made of a drawn galaxy

_BUILT_IN = "brackets the built-in galaxies"
_DISC = "Bland-Hawthorn & Gerhard 2016 (2.6 ± 0.5 thin, 2.0 ± 0.2 thick), and " + _BUILT_IN
_DISPERSIONS = "brackets the built-in galaxies and the dispersions measured nearby (Anguiano et al. 2018)"
_HEATED = "brackets the built-in galaxies; the Splash (Belokurov et al. 2020) is its Milky Way counterpart"
_PROTO = "brackets the built-in galaxies; Aurora (Belokurov & Kravtsov 2022) is its Milky Way counterpart"
_BAR = "corotation at 1.0 to 1.4 bar lengths: fast bars (Debattista & Sellwood 2000; Aguerri et al. 2015)"
_METALS = (
    "slope and scatter: dwarfs of today (Kirby et al. 2013); the fall with lookback time is this table's, so that "
    "mergers of 8 to 10 Gyr ago lie 0.3 to 0.4 dex below (Naidu et al. 2022), GSE at -1.17 (Feuillet et al. 2020)"
)
_SIZES = "grows with mass; brackets the built-in mergers of that mass"
_MERGER = "-1.69 + 0.30 (log10 mass - 6) - 0.04 / Gyr x infall"


@dataclass(frozen=True, slots=True)
class Prior:
    """
    One row of the table of priors.

    Parameters
    ----------
    parameter : str
        Field of the generator, from `GalaxyModel` down, such as ``"disc.sigma"``; parts of a tuple have a name of their
        own, such as ``"heated.sigma.z"``.
    kind : str
        How it is drawn. An isotropic inclination is uniform in its cosine; an integer is uniform, both ends included;
        something fixed is `first`; something derived is not drawn.
    first, second : float
        Low and high; of a normal distribution, mean and standard deviation.
    unit : str
        Unit of the draw.
    source : str
        Where the numbers come from.
    becomes : str
        What the parameter is, where it is not the draw itself.
    """

    parameter: str
    kind: Kind
    first: float
    second: float
    unit: str
    source: str
    becomes: str = ""


def _derived(parameter: str, becomes: str, unit: str = "", source: str = "") -> Prior:
    return Prior(parameter, "derived", 0.0, 0.0, unit, source, becomes)


PRIORS: tuple[Prior, ...] = (
    _derived("name", "population-SEED-INDEX"),
    _derived("code", "1000 + INDEX"),
    _derived("source", "seed and index of the draw"),
    Prior("potential.bulge_mass", "uniform", 4.0e9, 1.0e10, "Msun", _BUILT_IN),
    Prior("potential.bulge_scale", "uniform", 0.4, 0.8, "kpc", _BUILT_IN),
    Prior("potential.disc_mass", "uniform", 5.0e10, 8.0e10, "Msun", _BUILT_IN),
    Prior("potential.disc_a", "uniform", 2.6, 3.6, "kpc", _BUILT_IN),
    Prior("potential.disc_b", "uniform", 0.25, 0.45, "kpc", _BUILT_IN),
    Prior("potential.halo_mass", "uniform", 5.2e11, 8.0e11, "Msun", _BUILT_IN),
    Prior("potential.halo_scale", "uniform", 14.0, 22.0, "kpc", _BUILT_IN),
    Prior("disc.surface_density", "uniform", 2.6e7, 3.7e7, "Msun/kpc2", "33 ± 3 Msun/pc2 (McKee et al. 2015)"),
    Prior("disc.scale_thin", "uniform", 2.2, 3.5, "kpc", _DISC),
    Prior("disc.scale_thick", "uniform", 1.8, 2.8, "kpc", _DISC),
    Prior("disc.sigma", "uniform", 26.0, 46.0, "km/s", _DISPERSIONS),
    Prior("disc.thick_age", "uniform", 7.0, 9.0, "Gyr", _BUILT_IN),
    Prior("disc.thick_factor", "uniform", 0.80, 1.15, "", _DISPERSIONS),
    Prior("disc.early", "uniform", -0.03, 0.14, "1/Gyr", _BUILT_IN),
    Prior("disc.feh", "uniform", -0.02, 0.18, "dex", _BUILT_IN),
    Prior("disc.feh_gradient", "uniform", -0.070, -0.025, "dex/kpc", _BUILT_IN),
    Prior("heated.fraction", "uniform", 0.05, 0.13, "", _HEATED),
    Prior("heated.sigma.R", "uniform", 135.0, 170.0, "km/s", _HEATED),
    Prior("heated.sigma.phi", "uniform", 105.0, 135.0, "km/s", _HEATED),
    Prior("heated.sigma.z", "uniform", 85.0, 112.0, "km/s", _HEATED),
    Prior("heated.v_phi", "uniform", 20.0, 80.0, "km/s", _HEATED),
    Prior("heated.feh", "uniform", -0.90, -0.50, "dex", _HEATED),
    Prior("heated.feh_scatter", "uniform", 0.25, 0.34, "dex", _HEATED),
    Prior("heated.height", "uniform", 1.5, 2.2, "kpc", _HEATED),
    Prior("heated.scale", "uniform", 2.6, 3.4, "kpc", _HEATED),
    _derived(
        "heated.heated",
        "two thirds of the way from infall to disruption of the most massive merger that fell in more than 8 Gyr ago "
        "(of the first merger where none did), at least 7",
        "Gyr ago",
        "a merger heats the disc; within 0.2 Gyr of the built-in galaxies'",
    ),
    Prior("proto.fraction", "log-uniform", 0.002, 0.012, "", _PROTO),
    Prior("proto.sigma.R", "uniform", 130.0, 165.0, "km/s", _PROTO),
    Prior("proto.sigma.phi", "uniform", 112.0, 145.0, "km/s", _PROTO),
    Prior("proto.sigma.z", "uniform", 100.0, 125.0, "km/s", _PROTO),
    Prior("proto.v_phi", "uniform", 0.0, 45.0, "km/s", _PROTO),
    Prior("proto.feh", "uniform", -1.6, -1.3, "dex", _PROTO),
    Prior("proto.feh_scatter", "uniform", 0.30, 0.40, "dex", _PROTO),
    Prior("proto.height", "uniform", 1.5, 2.2, "kpc", _PROTO),
    Prior("proto.scale", "uniform", 2.6, 3.4, "kpc", _PROTO),
    Prior("spiral.amplitude", "uniform", 0.05, 0.15, "", _BUILT_IN),
    Prior("spiral.speed", "uniform", 3.0, 11.0, "km/s", _BUILT_IN),
    Prior("spiral.phase", "uniform", 0.0, np.pi, "rad", "two arms: all phases there are"),
    Prior("bar.strength", "uniform", 0.005, 0.016, "", "0.01 (Dehnen 2000), and " + _BUILT_IN),
    Prior("bar.length", "uniform", 3.8, 5.2, "kpc", "5.0 ± 0.2 (Wegg et al. 2015), and " + _BUILT_IN),
    Prior("bar.pattern_speed", "uniform", 1.1, 1.4, "bar lengths", _BAR, "the angular velocity at this radius"),
    Prior("bar.phase", "uniform", 0.0, np.pi, "rad", "all phases there are"),
    Prior("dust.density", "uniform", 0.5, 1.0, "mag/kpc", _BUILT_IN),
    Prior("dust.height", "uniform", 0.08, 0.14, "kpc", _BUILT_IN),
    Prior("dust.scale", "uniform", 3.0, 5.0, "kpc", _BUILT_IN),
    Prior("satellites", "integer", 2, 6, "", _BUILT_IN, "so many mergers"),
    _derived("satellites.name", "merger 1, merger 2, …"),
    Prior("satellites.mass", "log-uniform", 1.0e8, 3.981e9, "Msun", "up to twice GSE's; smaller ones are the dwarfs"),
    Prior("satellites.infall", "uniform", 4.0, 11.5, "Gyr ago", _BUILT_IN),
    Prior("satellites.disrupted", "uniform", 1.5, 3.5, "Gyr", _BUILT_IN, "infall - draw, at least 1 Gyr ago"),
    Prior("satellites.orbit.radius", "uniform", 18.0, 42.0, "kpc", _BUILT_IN),
    Prior("satellites.orbit.circularity", "uniform", 0.1, 0.5, "", _BUILT_IN),
    Prior("satellites.orbit.inclination", "isotropic", 0.0, 180.0, "deg", "no direction is preferred"),
    Prior("satellites.orbit.node", "uniform", 0.0, 360.0, "deg", "no direction is preferred"),
    Prior("satellites.orbit.friction_time", "uniform", 2.0, 5.0, "Gyr", _BUILT_IN),
    Prior("satellites.scale", "uniform", 0.70, 1.50, "", _SIZES, "(0.8 + 0.55 (log10 mass - 8)) kpc x draw"),
    Prior("satellites.sigma", "uniform", 0.75, 1.20, "", _SIZES, "(33 + 20 (log10 mass - 8)) km/s x draw"),
    Prior("satellites.feh", "normal", 0.0, 0.17, "dex", _METALS, _MERGER + " + draw"),
    Prior("satellites.feh_scatter", "uniform", 0.14, 0.28, "dex", _BUILT_IN),
    Prior("satellites.late", "uniform", 0.10, 0.60, "", _BUILT_IN),
    Prior("dwarfs.count", "integer", 10, 20, "", _BUILT_IN),
    Prior("dwarfs.mass", "log-uniform", 1.2e7, 8.0e7, "Msun", _BUILT_IN),
    Prior("dwarfs.feh", "normal", 0.0, 0.15, "dex", _METALS, "as of a merger 8.5 Gyr ago, + draw"),
    Prior("dwarfs.feh_scatter", "uniform", 0.06, 0.20, "dex", "Kirby et al. 2013 (0.17), and " + _BUILT_IN),
    Prior("inflows", "integer", 0, 2, "", _BUILT_IN, "so many streams of gas"),
    _derived("inflows.name", "stream 1, stream 2"),
    Prior("inflows.mass", "log-uniform", 6.0e7, 1.3e9, "Msun", _BUILT_IN),
    Prior("inflows.began", "uniform", 9.0, 11.0, "Gyr ago", _BUILT_IN),
    Prior("inflows.ended", "uniform", 3.0, 6.0, "Gyr", _BUILT_IN, "began - draw"),
    Prior("inflows.orbit.radius", "uniform", 34.0, 55.0, "kpc", _BUILT_IN),
    Prior("inflows.orbit.circularity", "uniform", 0.15, 0.40, "", _BUILT_IN),
    Prior("inflows.orbit.inclination", "uniform", 15.0, 85.0, "deg", "gas that feeds the disc turns with it"),
    Prior("inflows.orbit.node", "uniform", 0.0, 360.0, "deg", "no direction is preferred"),
    Prior("inflows.orbit.friction_time", "uniform", 3.0, 5.0, "Gyr", _BUILT_IN),
    Prior("inflows.width", "uniform", 1.5, 3.2, "kpc", _BUILT_IN),
    Prior("inflows.sigma", "uniform", 20.0, 35.0, "km/s", _BUILT_IN),
    Prior("inflows.feh", "uniform", -1.50, -0.95, "dex", _BUILT_IN),
    Prior("inflows.feh_scatter", "uniform", 0.25, 0.35, "dex", _BUILT_IN),
    Prior("suns", "fixed", 3, 3, "", "viewpoints 120 degrees apart, as those of ananke", "so many viewpoints"),
    Prior("suns.r_sun_kpc", "fixed", R_SUN, R_SUN, "kpc", "as of the ananke mocks"),
    Prior("suns.z_sun_kpc", "fixed", 0.0, 0.0, "kpc", "as of the ananke mocks"),
    Prior("suns.v_sun_kms.x", "normal", 0.0, 14.0, "km/s", "scatter of the ananke viewpoints"),
    Prior("suns.v_sun_kms.y", "normal", 0.0, 10.0, "km/s", "scatter of the ananke viewpoints", "v_c(8.2 kpc) + draw"),
    Prior("suns.v_sun_kms.z", "normal", 0.0, 6.0, "km/s", "scatter of the ananke viewpoints"),
    _derived("suns.source", "seed and index of the draw"),
)
"""The table of priors: a row for every parameter of a galaxy, and for how many of each part there are."""

_ROWS = {prior.parameter: prior for prior in PRIORS}


@dataclass(frozen=True, slots=True)
class _Draws:
    """The draws of one galaxy; `index` counts several of one row: satellites, viewpoints, attempts."""

    seed: int
    code: int

    def _uniform(self, parameter: str, index: int) -> float:
        return float(Draws((self.seed, self.code, _DRAW)).uniform(parameter, [index])[0])

    def __call__(self, parameter: str, index: int = 0) -> float:
        prior = _ROWS[parameter]
        low, high = prior.first, prior.second
        match prior.kind:
            case "fixed":
                return low
            case "normal":
                return low + high * float(Draws((self.seed, self.code, _DRAW)).normal(parameter, [index])[0])
            case "isotropic":
                return 90.0 - float(np.degrees(el.arcsin(2.0 * self._uniform(parameter, index) - 1.0)))
            case "log-uniform":
                span = float(el.log10(high)) - float(el.log10(low))
                return float(el.exp10(float(el.log10(low)) + span * self._uniform(parameter, index)))
            case "uniform":
                return low + (high - low) * self._uniform(parameter, index)
            case _:
                raise ValueError(f"{parameter} is {prior.kind}: nothing to draw")

    def count(self, parameter: str, index: int = 0) -> int:
        """Draw how many."""
        prior = _ROWS[parameter]
        return int(prior.first) + int((prior.second - prior.first + 1.0) * self._uniform(parameter, index))

    def part(self, kind: type[Part], path: str, index: int = 0, **given: Any) -> Part:
        """Draw every field of a dataclass that is not given."""
        fields = (field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]
        return kind(**{name: given[name] if name in given else self(f"{path}.{name}", index) for name in fields})

    def vector(self, path: str, axes: tuple[str, str, str], index: int = 0) -> tuple[float, float, float]:
        """Draw the three components of something."""
        return self(f"{path}.{axes[0]}", index), self(f"{path}.{axes[1]}", index), self(f"{path}.{axes[2]}", index)


def draw_galaxy(seed: int, index: int) -> GalaxyModel:
    """
    Draw a galaxy from the priors.

    Parameters
    ----------
    seed : int
        Of the population.
    index : int
        Which galaxy of the population, from 0 to `LARGEST_INDEX`; its parameters do not depend on how many are drawn.

    Returns
    -------
    GalaxyModel
        Named ``population-<seed>-<index>``, with code 1000 + index.

    Raises
    ------
    InputError
        If the seed is negative, or the index outside its range.
    """
    if seed < 0 or not 0 <= index <= LARGEST_INDEX:
        raise InputError(
            f"seed {seed}, galaxy {index} of a population: the seed counts from 0, galaxies from 0 to {LARGEST_INDEX}"
        )
    draw = _Draws(seed, FIRST_CODE + index)
    potential = _potential(draw)
    satellites = _satellites(draw)
    axes, source = ("R", "phi", "z"), f"drawn from the priors of a population: seed {seed}, index {index}"
    return GalaxyModel(
        name=f"population-{seed}-{index:05d}",
        code=FIRST_CODE + index,
        potential=potential,
        disc=draw.part(Disc, "disc"),
        heated=draw.part(HeatedDisc, "heated", sigma=draw.vector("heated.sigma", axes), heated=_heating(satellites)),
        proto=draw.part(ProtoGalaxy, "proto", sigma=draw.vector("proto.sigma", axes)),
        spiral=draw.part(Spiral, "spiral"),
        bar=_bar(draw, potential),
        dust=draw.part(Dust, "dust"),
        satellites=satellites,
        dwarfs=_dwarfs(draw),
        inflows=tuple(_inflow(draw, number) for number in range(draw.count("inflows"))),
        suns=tuple(_sun(draw, potential, number, source) for number in range(draw.count("suns"))),
        source=source,
    )


def _potential(draw: _Draws) -> Potential:
    low, high = CIRCULAR_VELOCITY
    drawn = (draw.part(Potential, "potential", attempt) for attempt in itertools.count())
    return next(p for p in drawn if low <= float(circular_velocity(p, R_SUN)) <= high)


def _bar(draw: _Draws, potential: Potential) -> Bar:
    length = draw("bar.length")
    corotation = length * draw("bar.pattern_speed")
    speed = float(circular_velocity(potential, corotation)) / corotation
    return draw.part(Bar, "bar", length=length, pattern_speed=speed)


def _metallicity(mass: float, infall: float) -> float:
    """Mean [Fe/H] of a galaxy of some stellar mass (Msun) that fell in some Gyr ago."""
    return -1.69 + 0.30 * (float(el.log10(mass)) - 6.0) - 0.04 * infall


def _satellites(draw: _Draws) -> tuple[Satellite, ...]:
    low, high = MERGED_MASS
    for attempt in itertools.count():
        first, count = attempt * _SATELLITES_AT_MOST, draw.count("satellites", attempt)
        satellites = tuple(_satellite(draw, first + i, f"merger {i + 1}") for i in range(count))
        if low <= sum(satellite.mass for satellite in satellites) <= high:
            break
    return satellites


def _satellite(draw: _Draws, number: int, name: str) -> Satellite:
    mass, infall = draw("satellites.mass", number), draw("satellites.infall", number)
    decades = float(el.log10(mass)) - 8.0
    return draw.part(
        Satellite,
        "satellites",
        number,
        name=name,
        mass=mass,
        infall=infall,
        disrupted=max(infall - draw("satellites.disrupted", number), 1.0),
        orbit=draw.part(Orbit, "satellites.orbit", number),
        scale=(0.8 + 0.55 * decades) * draw("satellites.scale", number),
        sigma=(33.0 + 20.0 * decades) * draw("satellites.sigma", number),
        feh=_metallicity(mass, infall) + draw("satellites.feh", number),
    )


def _heating(satellites: tuple[Satellite, ...]) -> float:
    """When a merger heated the disc, Gyr ago."""
    early = [s for s in satellites if s.infall > 8.0]
    merger = max(early, key=lambda s: s.mass) if early else max(satellites, key=lambda s: s.infall)
    return max(merger.infall - 2.0 / 3.0 * (merger.infall - merger.disrupted), 7.0)


def _dwarfs(draw: _Draws) -> Dwarfs:
    mass = draw("dwarfs.mass")
    feh = _metallicity(mass, 8.5) + draw("dwarfs.feh")
    return draw.part(Dwarfs, "dwarfs", count=draw.count("dwarfs.count"), mass=mass, feh=feh)


def _inflow(draw: _Draws, number: int) -> Inflow:
    began = draw("inflows.began", number)
    ended = began - draw("inflows.ended", number)
    orbit = draw.part(Orbit, "inflows.orbit", number)
    return draw.part(Inflow, "inflows", number, name=f"stream {number + 1}", began=began, ended=ended, orbit=orbit)


def _sun(draw: _Draws, potential: Potential, number: int, source: str) -> SolarFrame:
    inwards, ahead, upwards = draw.vector("suns.v_sun_kms", ("x", "y", "z"), number)
    motion = (inwards, float(circular_velocity(potential, R_SUN)) + ahead, upwards)
    return draw.part(SolarFrame, "suns", number, v_sun_kms=motion, source=source)


def read_galaxy(path: Path) -> GalaxyModel:
    """
    Read a galaxy of a population back.

    Parameters
    ----------
    path : Path
        A ``galaxy.json``.

    Returns
    -------
    GalaxyModel
        Equal to the one that was drawn.
    """
    model: GalaxyModel = _restored(GalaxyModel, read_json(path)["model"])
    return model


def _restored(kind: Any, value: Any) -> Any:
    """A dataclass from what ``dataclasses.asdict`` and JSON made of it."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: _restored(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return tuple(_restored(inner, item) for item in value)
    return kind(value)


def priors_page() -> str:
    """
    The table of priors as a section of documentation.

    Returns
    -------
    str
        Markdown: one table, and the condition.
    """
    head = ["parameter", "drawn", "unit", "becomes", "source"]
    rows = [[f"`{p.parameter}`", _in_words(p), p.unit, p.becomes, p.source] for p in PRIORS]
    lines = [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows]]
    (slow, fast), (light, heavy) = CIRCULAR_VELOCITY, MERGED_MASS
    velocity = f"- {slow:g} ≤ v_c({R_SUN:g} kpc) ≤ {fast:g} km/s, or the potential is drawn again, as a whole;"
    mass = f"- {light:.1e} ≤ mass of all mergers ≤ {heavy:.1e} Msun, or the mergers are."
    halo = "The Milky Way's stellar halo has 1.4e+09 Msun (Deason et al. 2019)."
    return "\n".join([*lines, "", "Conditions:", "", velocity, f"{mass} {halo}", ""])


def _in_words(prior: Prior) -> str:
    match prior.kind:
        case "derived":
            return "derived"
        case "fixed":
            return f"{prior.first:g}"
        case "normal":
            return f"normal, {prior.first:g} ± {prior.second:g}"
        case _:
            return f"{prior.kind}, {prior.first:.4g} … {prior.second:.4g}"
