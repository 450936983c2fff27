"""Make ``src/exsitu/mocks/isochrones.npz``: stars of a given age and [Fe/H] in Gaia's bands, by published formulae.

Run once, by hand, with an interpreter that has cosmic-popsynth 4.3 (GPL-3; a tool of this script alone, exsitu neither
imports nor needs it): ``pip install cosmic-popsynth; python scripts/make_isochrones.py``. ``--figure`` also draws the
colour-magnitude diagram that the result is judged by. The table that stands in the package is what this script wrote.

What is taken from where
- Evolution: the analytic formulae of Hurley, Pols & Tout (2000, MNRAS 315, 543), single stars, Z = 0.0142 x 10^[Fe/H]
  (Asplund et al. 2009) held to the formulae's range 1e-4 ... 0.03, Reimers mass loss with eta = 0.5. Main sequence,
  subgiants (Hertzsprung gap), first giants, core helium burning, early AGB; thermally pulsing AGB stars (a million
  years) and white dwarfs are left out. Alpha enhancement is not modelled.
- M_G: bolometric correction BC_G of Andrae et al. (2018, A&A 616, A8), Table 4, with M_bol,Sun = 4.74; outside its
  3300-8000 K the Mbol - M_G of Pecaut & Mamajek (2013, ApJS 208, 9; E. Mamajek's table, version 2019.3.22).
- BP - RP: colour-Teff-[Fe/H] relations for dwarfs and giants of Mucciarelli, Bellazzini & Massari (2021, A&A 653, A90),
  Table 1; for hotter and cooler dwarfs Pecaut & Mamajek; cooler giants on the tangent at the relation's red end.
- G - RP: the dwarf locus of Pecaut & Mamajek as a function of BP - RP.
"""
# ruff: noqa: INP001 - a script, not part of a package

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TARGET = Path(__file__).parents[1] / "src" / "exsitu" / "mocks" / "isochrones.npz"
METALLICITIES = np.round(np.linspace(-2.15, 0.325, 20), 4)
LOG_AGES = np.round(np.linspace(np.log10(2.0e7), np.log10(1.32e10), 36), 4)
TRACK_MASSES = np.geomspace(0.1, 14.0, 300)
SOLAR_Z = 0.0142
Z_RANGE = (1.0e-4, 0.03)
SUN_TEFF, SUN_LOGG, SUN_MBOL = 5772.0, 4.438, 4.74

# Fractions of a phase's duration at which tracks are kept; giants brighten fastest at the end.
PHASES = {
    1: np.linspace(0.0, 1.0, 41),
    2: np.linspace(0.0, 1.0, 9),
    3: 1.0 - (1.0 - np.linspace(0.0, 1.0, 31)) ** 3,
    4: np.linspace(0.0, 1.0, 13),
    5: 1.0 - (1.0 - np.linspace(0.0, 1.0, 13)) ** 3,
}

# Pecaut & Mamajek: Teff (K) and BP - RP, hotter than 10700 K after B - V of the same table; BP - RP and G - RP.
_PECAUT_MAMAJEK = np.array(
    [
        (2400, 4.78), (2650, 4.75), (2850, 3.95), (3030, 3.36), (3100, 3.13), (3200, 2.95), (3250, 2.71), (3410, 2.49),
        (3500, 2.39), (3550, 2.25), (3650, 2.14), (3700, 2.09), (3870, 1.84), (3940, 1.78), (4070, 1.71), (4230, 1.58),
        (4410, 1.45), (4600, 1.32), (4830, 1.21), (5040, 1.10), (5170, 1.01), (5280, 0.98), (5340, 0.95), (5490, 0.90),
        (5660, 0.85), (5770, 0.823), (5920, 0.782), (6060, 0.719), (6170, 0.694), (6340, 0.64), (6510, 0.587),
        (6640, 0.546), (6810, 0.49), (7030, 0.434), (7220, 0.377), (7500, 0.32), (7800, 0.263), (8080, 0.194),
        (8270, 0.166), (8550, 0.096), (8840, 0.068), (9200, 0.011), (9700, -0.037), (10400, -0.087), (10700, -0.12),
        (12500, -0.19), (15700, -0.27), (20600, -0.36), (31500, -0.52),
    ]
)  # fmt: skip
_LOCUS = np.array(
    [
        (-0.52, -0.25), (-0.12, -0.036), (0.011, 0.036), (0.194, 0.137), (0.32, 0.204), (0.49, 0.279), (0.64, 0.356),
        (0.782, 0.438), (0.85, 0.473), (0.95, 0.524), (1.05, 0.58), (1.21, 0.66), (1.32, 0.70), (1.45, 0.74),
        (1.58, 0.79), (1.71, 0.87), (1.84, 0.92), (2.09, 1.01), (2.25, 1.06), (2.49, 1.12), (2.71, 1.17), (2.95, 1.24),
        (3.36, 1.33), (3.95, 1.45), (4.75, 1.52),
    ]
)  # fmt: skip
# Mbol - M_G of the same table, where Andrae et al. give no polynomial; joined to it at 3300 and 8000 K.
_COOL_TEFF, _COOL_BC = [2400.0, 2650.0, 2850.0, 3030.0, 3200.0], [-2.62, -2.08, -2.22, -1.54, -1.18]
_HOT_TEFF = [8550.0, 9200.0, 9700.0, 10700.0, 12500.0, 15700.0, 20600.0, 31500.0]
_HOT_BC = [-0.03, -0.13, -0.22, -0.44, -0.84, -1.38, -2.09, -3.05]

_ANDRAE_WARM = (6.000e-02, 6.731e-05, -6.647e-08, 2.859e-11, -7.197e-15)
_ANDRAE_COOL = (1.749e00, 1.977e-03, 3.737e-07, -8.966e-11, -4.183e-14)
_MUCCIARELLI = {
    "dwarf": (0.4929, 0.5092, -0.0353, 0.0192, -0.0020, -0.0395),
    "giant": (0.5323, 0.4775, -0.0344, -0.0110, -0.0020, -0.0009),
}
_GIANT_RED_END = 1.81


def bolometric_correction(teff: Floats) -> Floats:
    """BC_G of stars of an effective temperature in kelvin, mag."""
    offset = teff - SUN_TEFF
    warm = sum(a * offset**i for i, a in enumerate(_ANDRAE_WARM))
    cool = sum(a * offset**i for i, a in enumerate(_ANDRAE_COOL))
    edges = [_andrae(3300.0, _ANDRAE_COOL), _andrae(8000.0, _ANDRAE_WARM)]
    outside = np.interp(teff, [*_COOL_TEFF, 3300.0, 8000.0, *_HOT_TEFF], [*_COOL_BC, *edges, *_HOT_BC])
    # The two polynomials differ by 0.01 mag at 4000 K: a ramp of 100 K joins them.
    ramp = np.clip((teff - 3950.0) / 100.0, 0.0, 1.0)
    return np.where((teff >= 3300.0) & (teff <= 8000.0), ramp * warm + (1.0 - ramp) * cool, outside)


def _andrae(teff: float, coefficients: tuple[float, ...]) -> float:
    return sum(a * (teff - SUN_TEFF) ** i for i, a in enumerate(coefficients))


def _mucciarelli(teff: Floats, feh: float, kind: str) -> Floats:
    """BP - RP at which the relation gives the temperature: the lower root of a quadratic in the colour."""
    b0, b1, b2, b3, b4, b5 = _MUCCIARELLI[kind]
    constant, slope = b0 + b3 * feh + b4 * feh**2 - 5040.0 / teff, b1 + b5 * feh
    return (-slope + np.sqrt(np.maximum(slope**2 - 4.0 * b2 * constant, 0.0))) / (2.0 * b2)


def colour(teff: Floats, logg: Floats, feh: float) -> Floats:
    """BP - RP of stars, mag."""
    pecaut = np.interp(teff, *_PECAUT_MAMAJEK.T)
    in_range = np.clip((teff - 4200.0) / 500.0, 0.0, 1.0) * np.clip((7300.0 - teff) / 500.0, 0.0, 1.0)
    dwarf = in_range * _mucciarelli(np.clip(teff, 4200.0, 7300.0), feh, "dwarf") + (1.0 - in_range) * pecaut
    b0, b1, b2, b3, b4, b5 = _MUCCIARELLI["giant"]
    red = _GIANT_RED_END
    theta_red = b0 + b1 * red + b2 * red**2 + b3 * feh + b4 * feh**2 + b5 * feh * red
    beyond = red + (5040.0 / teff - theta_red) / (b1 + 2.0 * b2 * red + b5 * feh)
    within = _mucciarelli(np.maximum(teff, 5040.0 / theta_red), feh, "giant")
    giant = np.where(teff < 5040.0 / theta_red, beyond, within)
    hot = np.clip((teff - 6500.0) / 500.0, 0.0, 1.0)
    giant = (1.0 - hot) * giant + hot * pecaut
    dwarfness = np.clip((logg - 2.8) / 0.6, 0.0, 1.0)
    return dwarfness * dwarf + (1.0 - dwarfness) * giant


def settings() -> dict[str, object]:
    """Defaults of cosmic's binary physics, which a single star never meets, with a coarser main-sequence step."""
    import ast

    import cosmic

    source = Path(cosmic.__file__).parent / "data" / "cosmic-settings.json"
    found: dict[str, object] = {}
    for category in json.loads(source.read_text(encoding="utf-8")):
        if category["category"] != "bse":
            continue
        for setting in category["settings"]:
            value = next(option["name"] for option in setting["options"] if option.get("default"))
            if isinstance(value, str):
                value = [2.0 / 21.0] * 16 if "2.0/21" in value else ast.literal_eval(value)
            found[setting["name"]] = value
    # The formulae are polynomials in log10(Z / 0.02); cosmic's own solar Z in that place bends every track.
    return found | {"pts1": 0.01, "neta": 0.5, "zsun": 0.02}


def tracks(feh: float) -> tuple[Floats, Floats]:
    """
    Evolve the track masses.

    Returns
    -------
    times : ndarray, shape (n_masses, n_points)
        Age at each kept point of each phase, Myr; infinite where a star never gets there in 200 Gyr.
    states : ndarray, shape (3, n_masses, n_points)
        log10 luminosity (Sun), log10 Teff (K), log10 present mass (Sun).
    """
    from cosmic.evolve import Evolve
    from cosmic.sample.initialbinarytable import InitialBinaryTable

    n, z = len(TRACK_MASSES), float(np.clip(SOLAR_Z * 10.0**feh, *Z_RANGE))
    zeros = np.zeros(n)
    stars = InitialBinaryTable.InitialBinaries(
        m1=TRACK_MASSES, m2=zeros, porb=zeros, ecc=zeros, tphysf=np.full(n, 2.0e5),
        kstar1=np.where(TRACK_MASSES < 0.7, 0, 1), kstar2=np.full(n, 15), metallicity=np.full(n, z),
    )  # fmt: skip
    _, history, _, _ = Evolve.evolve(
        initialbinarytable=stars, BSEDict=settings(), SSEDict={"stellar_engine": "sse"}, randomseed=1, dtp=0.0
    )
    times, states = [], []
    for i in range(n):
        one = history.loc[i]
        track = [np.asarray(one[c], float) for c in ("tphys", "lum_1", "teff_1", "mass_1")]
        kind = np.maximum(np.asarray(one["kstar_1"], float), 1.0)
        t, s = _resample(track[0], np.log10(np.maximum(track[1:], 1e-9)), kind)
        times.append(t)
        states.append(s)
    return np.array(times), np.moveaxis(np.array(states), 0, 1)


def _resample(time: Floats, state: Floats, kind: Floats) -> tuple[Floats, Floats]:
    """One track at the fractions of its phases; a phase it skips is a point, one it never reaches has infinite age."""
    times, states, last = [], [], len(time) - 1
    reached = 0
    for phase, fractions in PHASES.items():
        inside = np.flatnonzero(kind == phase)
        if len(inside) < 2:
            point = state[:, min(reached, last)]
            t = np.full(len(fractions), time[reached] if reached < last else np.inf)
            s = np.repeat(point[:, None], len(fractions), axis=1)
        else:
            first, final = inside[0], inside[-1]
            t = time[first] + fractions * (time[final] - time[first])
            s = np.array([np.interp(t, time[inside], row[inside]) for row in state])
            reached = final + 1 if final < last else last
        times.append(t)
        states.append(s)
    return np.concatenate(times), np.concatenate(states, axis=1)


def isochrone(log_age: float, times: Floats, states: Floats) -> Floats:
    """Initial mass, log L, log Teff, log present mass along an isochrone, in order of mass; shape (4, n_nodes)."""
    age, log_mass = 10.0 ** (log_age - 6.0), np.log(TRACK_MASSES)
    n_main = len(PHASES[1])
    lifetime = times[:, n_main - 1]
    turnoff = float(np.exp(np.interp(-np.log(age), -np.log(lifetime), log_mass)))
    masses = np.concatenate([np.geomspace(0.1, 0.7 * turnoff, 30), np.linspace(0.7 * turnoff, turnoff, 26)[1:]])
    nodes = [[m, *_main_sequence(m, age, lifetime, states[:, :, :n_main])] for m in masses]
    for j in range(n_main, times.shape[1]):
        reach = np.isfinite(times[:, j])
        mass = float(np.exp(np.interp(-np.log(age), -np.log(times[reach, j]), log_mass[reach])))
        at = [np.interp(np.log(mass), log_mass[reach], row[reach, j]) for row in states]
        nodes.append([mass, *at])
    result = np.array(nodes).T
    result[0] = np.maximum.accumulate(result[0])
    return result


def _main_sequence(mass: float, age: float, lifetime: Floats, states: Floats) -> list[float]:
    """State of a main-sequence star, interpolated between tracks at the same fraction of the lifetime."""
    log_mass = np.log(TRACK_MASSES)
    fraction = min(1.0, age / float(np.exp(np.interp(np.log(mass), log_mass, np.log(lifetime)))))
    i = int(np.clip(np.searchsorted(log_mass, np.log(mass)) - 1, 0, len(log_mass) - 2))
    w = (np.log(mass) - log_mass[i]) / (log_mass[i + 1] - log_mass[i])
    low, high = (np.array([np.interp(fraction, PHASES[1], s[k]) for s in states]) for k in (i, i + 1))
    return list((1.0 - w) * low + w * high)


def photometry(nodes: Floats, feh: float) -> dict[str, Floats]:
    """Columns of the table along an isochrone."""
    mass, log_l, log_teff, log_mass_now = nodes
    teff = 10.0**log_teff
    logg = SUN_LOGG + log_mass_now + 4.0 * (log_teff - np.log10(SUN_TEFF)) - log_l
    bp_rp = colour(teff, logg, feh)
    return {
        "mass": mass,
        "g_abs": SUN_MBOL - 2.5 * log_l - bolometric_correction(teff),
        "bp_rp": bp_rp,
        "g_rp": np.interp(bp_rp, *_LOCUS.T),
        "log_teff": log_teff,
        "logg": logg,
    }


SCALES = {"g_abs": 1e-3, "bp_rp": 1e-3, "g_rp": 1e-3, "log_teff": 2e-4, "logg": 1e-3}
"""Steps in which the int16 columns are stored: a millimagnitude, 2e-4 dex of Teff, 1e-3 dex of gravity."""


def build() -> dict[str, NDArray[np.generic]]:
    """The whole table, arrays of shape (n_feh, n_age, n_nodes)."""
    columns: dict[str, list[Floats]] = {name: [] for name in ("mass", *SCALES)}
    for feh in METALLICITIES:
        times, states = tracks(float(feh))
        for log_age in LOG_AGES:
            for name, values in photometry(isochrone(float(log_age), times, states), float(feh)).items():
                columns[name].append(values)
    shape = (len(METALLICITIES), len(LOG_AGES), -1)
    table: dict[str, NDArray[np.generic]] = {"feh": METALLICITIES, "log_age": LOG_AGES}
    table["mass"] = np.array(columns["mass"]).reshape(shape).astype(np.float32)
    for name, step in SCALES.items():
        steps = np.round(np.array(columns[name]).reshape(shape) / step)
        if np.abs(steps).max() > np.iinfo(np.int16).max:
            raise OverflowError(f"{name} reaches {steps.max() * step}, too much for int16 in steps of {step}")
        table[name] = steps.astype(np.int16)
    return table


def figure(table: dict[str, NDArray[np.generic]], path: Path) -> None:
    """Colour-magnitude diagrams of a few ages and metallicities, to be looked at."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(12, 8), layout="constrained")
    left, right = fig.subplots(1, 2, sharey=True)
    solar = int(np.abs(METALLICITIES).argmin())
    for age in (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 13.0):
        j = int(np.abs(LOG_AGES - np.log10(age * 1e9)).argmin())
        left.plot(
            table["bp_rp"][solar, j] * 1e-3, table["g_abs"][solar, j] * 1e-3, ".-", ms=3, lw=0.7, label=f"{age} Gyr"
        )
    j = int(np.abs(LOG_AGES - 10.08).argmin())
    for i in range(0, len(METALLICITIES), 3):
        label = f"[Fe/H] = {METALLICITIES[i]:.2f}"
        right.plot(table["bp_rp"][i, j] * 1e-3, table["g_abs"][i, j] * 1e-3, ".-", ms=3, lw=0.7, label=label)
    for axes in (left, right):
        axes.set(xlabel="BP - RP", ylabel="M_G", ylim=(15, -4), xlim=(-0.5, 4.5))
        axes.legend()
        axes.grid(alpha=0.3)
    fig.savefig(path, dpi=90)


def main() -> None:
    """Write the table, and the figure where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=TARGET)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    table = build()
    np.savez_compressed(arguments.output, **table)
    if arguments.figure:
        figure(table, arguments.figure)


if __name__ == "__main__":
    main()
