"""Networks on the stars of a sample, each of which says from which Sun it is seen.

The Sun is a constant of a network with rest-frame inputs; a sample may hold several viewpoints. While its stars teach
or are scored, they bring their Sun's motion along; what is written to disk never asks for it.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.phase_space import SOLAR_MOTION
from exsitu.samples import sun_of

if TYPE_CHECKING:
    from exsitu.model.inputs import Stars
    from exsitu.model.network import ModelCard


def told_of_suns(card: "ModelCard", stars: pd.DataFrame) -> "ModelCard":
    """
    The card of a network for stars that bring their Sun along.

    Parameters
    ----------
    card : ModelCard
        Of any network.
    stars : DataFrame
        A sample, as ``prepare`` wrote it.

    Returns
    -------
    ModelCard
        The same where the representation knows of no Sun.
    """
    from exsitu.model.network import knows_sun, seen_from

    return seen_from(card, sun_of(stars), own_sun=True) if knows_sun(card) else card


def plainly(network: Any, card: "ModelCard", stars: pd.DataFrame) -> tuple[Any, "ModelCard"]:
    """
    A network as it is kept: with plain inputs, under the Sun of a sample's first star.

    Parameters
    ----------
    network : keras.Model
        Taught by stars that brought their Sun along.
    card : ModelCard
        Its card.
    stars : DataFrame
        The sample.

    Returns
    -------
    network : keras.Model
        Of the same weights.
    card : ModelCard
        Its card.
    """
    from exsitu.model.network import knows_sun, rebuilt, seen_from

    if not knows_sun(card):
        return network, card
    plain = seen_from(card, sun_of(stars))
    return rebuilt(network, plain), plain


def with_suns(stars: "Stars", frame: pd.DataFrame, card: "ModelCard") -> "Stars":
    """
    Stars of a sample as a network takes them.

    Parameters
    ----------
    stars : Stars
        With plain inputs.
    frame : DataFrame
        The same stars in the sample.
    card : ModelCard
        Of `told_of_suns`.

    Returns
    -------
    Stars
    """
    brings = set(SOLAR_MOTION) <= set(card.inputs)
    return stars.with_solar_motion(frame[list(SOLAR_MOTION)].to_numpy(np.float64)) if brings else stars


def sample_scores(network: Any, card: "ModelCard", stars: pd.DataFrame) -> NDArray[np.float32]:
    """
    Score the stars of a sample, each under its Sun.

    Parameters
    ----------
    network : keras.Model
        With plain inputs or taught of Suns.
    card : ModelCard
        Its card.
    stars : DataFrame
        The sample.

    Returns
    -------
    ndarray of float32, shape (n_stars,)
    """
    from exsitu.model.inputs import values_from_frame
    from exsitu.model.network import rebuilt
    from exsitu.model.scoring import network_scores

    told = told_of_suns(card, stars)
    scorer = network if told.inputs == card.inputs else rebuilt(network, told)
    return network_scores(scorer, values_from_frame(stars, told.inputs))
