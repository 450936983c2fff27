"""A model's folder ready to score, loaded and compiled once a process however often it is asked for."""

import functools
from pathlib import Path

from exsitu.model.network import CARD, WEIGHTS, load_model, rebuilt, seen_from
from exsitu.model.scoring import Scorer
from exsitu.phase_space import SolarFrame, frame
from exsitu.provenance import sha256_file

_HELD = 4


def open_scorer(
    folder: Path,
    *,
    max_fractional_parallax_error: float,
    require_errors: bool = True,
    weights_sha256: str | None = None,
    solar: SolarFrame | None = None,
) -> Scorer:
    """
    Load a model ready to score.

    Parameters
    ----------
    folder : Path
        As ``exsitu.model.network.save_model`` wrote it.
    max_fractional_parallax_error : float
        A star is scored if 0 < parallax_error / parallax < this.
    require_errors : bool
        As in `Scorer`.
    weights_sha256 : str, optional
        Digest the weights must have.
    solar : SolarFrame, optional
        From where the stars are seen; the Milky Way's Sun by default. A network may have been taught elsewhere.

    Returns
    -------
    Scorer
        The same as long as the folder holds the same files; the last few are held.

    Raises
    ------
    InputError
        If a file is missing, or a digest differs.
    """
    files = [folder / CARD, folder / WEIGHTS]
    digests = tuple(sha256_file(path) for path in files if path.is_file())
    here = solar or frame("milky_way")
    return _opened(folder.absolute(), digests, weights_sha256, max_fractional_parallax_error, require_errors, here)


@functools.lru_cache(maxsize=_HELD)
def _opened(
    folder: Path,
    _digests: tuple[str, ...],
    weights_sha256: str | None,
    limit: float,
    require_errors: bool,  # noqa: FBT001 - part of a cache's key
    solar: SolarFrame,
) -> Scorer:
    network, card = load_model(folder, weights_sha256=weights_sha256)
    here = seen_from(card, solar)
    if here != card:
        network = rebuilt(network, here)
    return Scorer(network, here, max_fractional_parallax_error=limit, require_errors=require_errors)
