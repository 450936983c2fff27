"""The network and its card: architecture built in our code, weights and constants on disk, nothing that can run."""

import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.model.inputs import Stars, input_columns
from exsitu.model.representations import RestFrame, representation
from exsitu.model.runtime import keras
from exsitu.phase_space import SOLAR_MOTION, SolarFrame
from exsitu.provenance import publish_file, read_json, sha256_json, write_json
from exsitu.settings import Network

WEIGHTS = "weights.npz"
CARD = "model.json"


@dataclass(frozen=True)
class ModelCard:
    """
    What a network is, and where it came from.

    Parameters
    ----------
    input_set : str
        A key of ``INPUT_SETS``.
    representation : str
        A key of ``REPRESENTATIONS``.
    hidden : tuple of int
        Widths of the hidden layers.
    domain : mapping of str to (float, float)
        Closed range of each input in the training sample, in the column's unit.
    provenance : mapping
        Stage, labels, data digest, code, settings, seed: free, and no part of the digest.
    weights_sha256 : str
        SHA-256 of ``weights.npz``; empty until the model is saved.
    inputs : tuple of str
        Raw columns in the order the network takes them; the input set's by default.
    constants : mapping
        What decides the representation's numbers; its defaults by default.
    """

    input_set: str
    representation: str
    hidden: tuple[int, ...]
    domain: Mapping[str, tuple[float, float]]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""
    inputs: tuple[str, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill in the defaults, and hold the parts against one another."""
        kind = representation(self.representation)
        inputs = self.inputs or input_columns(self.input_set)
        constants = self.constants or kind.for_inputs(inputs).constants
        object.__setattr__(self, "inputs", tuple(inputs))
        object.__setattr__(self, "constants", dict(constants))
        if list(self.inputs) != list(constants["columns"]) or set(self.inputs) != set(self.domain):
            raise InputError(
                f"inputs {list(self.inputs)}, representation of {list(constants['columns'])} and domain of "
                f"{list(self.domain)} are not of one network; they must name the same columns"
            )

    @property
    def representation_digest(self) -> str:
        """SHA-256 of the representation's name and constants: the scaler's identity."""
        return sha256_json(self.to_json()["representation"])

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides scores and flags: inputs in order, constants, shape, domain, weights."""
        return sha256_json({name: part for name, part in self.to_json().items() if name != "provenance"})

    @property
    def learnt_on(self) -> Mapping[str, Sequence[float]]:
        """Quantiles of the inputs in the sample of the first training, however often the network was transferred."""
        made = self.provenance
        while "pretraining" in made:
            made = made["pretraining"]
        found: Mapping[str, Sequence[float]] = made.get("learnt_on", {})
        return found

    def to_json(self) -> dict[str, Any]:
        """
        Turn the card into what JSON can hold.

        Returns
        -------
        dict
        """
        return {
            "input_set": self.input_set,
            "inputs": list(self.inputs),
            "representation": {"name": self.representation, "config": dict(self.constants)},
            "hidden": list(self.hidden),
            "domain": {name: list(self.domain[name]) for name in self.inputs},
            "weights_sha256": self.weights_sha256,
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> "ModelCard":
        """
        Make a card of what `to_json` gave.

        Parameters
        ----------
        held : mapping
            Parts of the card.

        Returns
        -------
        ModelCard

        Raises
        ------
        InputError
            If a part is missing or is not what it should be.
        """
        try:
            return cls(
                input_set=held["input_set"],
                representation=held["representation"]["name"],
                hidden=tuple(int(width) for width in held["hidden"]),
                domain={name: (float(low), float(high)) for name, (low, high) in held["domain"].items()},
                provenance=held["provenance"],
                weights_sha256=held["weights_sha256"],
                inputs=tuple(held["inputs"]),
                constants=held["representation"]["config"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"not a model card ({error!r}); use a folder that save_model wrote") from None


def build_network(spec: Network | ModelCard, *, seed: int) -> Any:
    """
    Make a network with fresh weights.

    Parameters
    ----------
    spec : Network or ModelCard
        Input set, representation and widths of the hidden layers.
    seed : int
        Seed of the weights; the same seed gives the same bits.

    Returns
    -------
    keras.Model
        Takes raw columns in physical units, shape (n_stars, n_inputs), gives scores, shape (n_stars, 1). Its layers:
        ``representation``, ``first``, ``hidden_2``, ..., ``last`` (one logit) and ``score`` (its sigmoid).

    Notes
    -----
    Paper, Sec. 4: dense, ReLU, Glorot-uniform weights, sigmoid out.
    """
    kind = representation(spec.representation)
    if isinstance(spec, ModelCard):
        layer = kind(**spec.constants, name="representation")
    else:
        layer = kind.for_inputs(input_columns(spec.input_set))
    names = ["first", *(f"hidden_{i}" for i in range(2, len(spec.hidden) + 1)), "last"]
    seeds = iter(int(s) for s in np.random.SeedSequence(seed).generate_state(len(names)) >> 1)
    stars = keras.Input((len(layer.columns),), name="stars")
    signal = layer(stars)
    for name, width in zip(names, (*spec.hidden, 1), strict=True):
        start = keras.initializers.GlorotUniform(seed=next(seeds))
        activation = None if name == "last" else "relu"
        signal = keras.layers.Dense(width, activation=activation, kernel_initializer=start, name=name)(signal)
    return keras.Model(stars, keras.layers.Activation("sigmoid", name="score")(signal), name="exsitu")


def knows_sun(card: ModelCard) -> bool:
    """
    Whether a network's numbers depend on where its survey is seen from.

    Parameters
    ----------
    card : ModelCard
        Its card.

    Returns
    -------
    bool
    """
    return card.representation == RestFrame.kind


def seen_from(card: ModelCard, solar: SolarFrame, *, own_sun: bool = False) -> ModelCard:
    """
    The card of a network of the same weights for a survey made from another place.

    Parameters
    ----------
    card : ModelCard
        Of any network.
    solar : SolarFrame
        The Sun of the survey that is scored, or, with `own_sun`, of any that is learnt from.
    own_sun : bool
        Whether each star is to bring its Sun's motion (`Stars.with_solar_motion`), for training on several viewpoints.

    Returns
    -------
    ModelCard
        The same card where the representation knows of no Sun.
    """
    if not knows_sun(card):
        return card
    plain = input_columns(card.input_set)
    columns = (*SOLAR_MOTION, *plain) if own_sun else plain
    domain = {name: card.domain.get(name, (-np.inf, np.inf)) for name in columns}
    constants = {**card.constants, **RestFrame.at(columns, solar).constants, "scale": card.constants["scale"]}
    return dataclasses.replace(card, inputs=columns, domain=domain, constants=constants)


def rebuilt(network: Any, card: ModelCard) -> Any:
    """
    A network of another card's representation with the weights of one of the same shape.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it.
    card : ModelCard
        Of the new network, such as `seen_from` gives it.

    Returns
    -------
    keras.Model
        Shares nothing with the old one.
    """
    made = build_network(card, seed=0)
    _set_weights(made, weights_of(network), Path("the network that was given"))
    return made


def require_inputs(network: Any, stars: Stars) -> None:
    """
    Refuse stars whose columns are not the network's, in the network's order.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it.
    stars : Stars
        What it is to take.

    Raises
    ------
    InputError
        If the columns differ.
    """
    expected = network.get_layer("representation").columns
    if stars.columns != expected:
        raise InputError(f"the network takes {', '.join(expected)}; the stars come with {', '.join(stars.columns)}")


def weights_of(network: Any) -> dict[str, NDArray[np.float32]]:
    """
    Weights by layer.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it.

    Returns
    -------
    dict
        ``{"first/kernel": array, "first/bias": array, ...}``, copies.
    """
    return {f"{layer.name}/{w.name}": np.array(w) for layer in network.layers for w in layer.weights}


def save_model(folder: Path, network: Any, card: ModelCard) -> ModelCard:
    """
    Write ``weights.npz`` and then ``model.json``, each atomically; the same model gives the same bytes.

    Parameters
    ----------
    folder : Path
        Where to write; made if need be. Other files in it stay.
    network : keras.Model
        The network.
    card : ModelCard
        Its card.

    Returns
    -------
    ModelCard
        The card with ``weights_sha256``.
    """
    content = _archive(weights_of(network))
    with publish_file(folder / WEIGHTS) as staged:
        staged.write_bytes(content)
    saved = dataclasses.replace(card, weights_sha256=hashlib.sha256(content).hexdigest())
    write_json(folder / CARD, {**saved.to_json(), "digest": saved.digest})
    return saved


def _archive(arrays: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Arrays as ``.npz``, entry by entry: what ``np.savez`` writes around them changed within Python 3.11."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, array, allow_pickle=False)
            told = zipfile.ZipInfo(f"{name}.npy")  # of 1980
            told.create_system, told.external_attr = 3, 0o600 << 16  # as on Unix, wherever it is written
            archive.writestr(told, entry.getvalue())
    return buffer.getvalue()


def load_model(folder: Path, *, weights_sha256: str | None = None) -> tuple[Any, ModelCard]:
    """
    Build a network from its card and give it its weights, once their digest is right.

    Parameters
    ----------
    folder : Path
        As `save_model` wrote it.
    weights_sha256 : str, optional
        Digest the weights must have, from wherever the model was promoted or released.

    Returns
    -------
    network : keras.Model
        The network.
    card : ModelCard
        Its card.

    Raises
    ------
    InputError
        If a file is missing, a digest differs, or the arrays are not those of the card's architecture.
    """
    try:
        held, content = read_json(folder / CARD), (folder / WEIGHTS).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"no model in {folder}: {Path(error.filename).name} is missing; train or fetch it") from None
    except ValueError as error:
        raise InputError(f"{folder / CARD} is not JSON: {error}") from None
    card = ModelCard.from_json(held)
    if held.get("digest") != card.digest:
        raise InputError(
            f"{folder / CARD} has digest {card.digest}, but states {held.get('digest')}: it was changed after it was "
            "written; fetch it again"
        )
    found = hashlib.sha256(content).hexdigest()
    for stated in (card.weights_sha256, weights_sha256 or card.weights_sha256):
        if found != stated:
            raise InputError(
                f"{folder / WEIGHTS} has SHA-256 {found}, expected {stated}: the file was changed or is another "
                "model's; fetch it again"
            )
    network = build_network(card, seed=0)
    _set_weights(network, _read_weights(content, folder / WEIGHTS), folder / WEIGHTS)
    return network, card


def _read_weights(content: bytes, path: Path) -> dict[str, NDArray[np.float32]]:
    """Arrays of an npz file; pickled objects are refused, never run."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not an archive of plain arrays ({error}); it is not loaded") from None


def _set_weights(network: Any, weights: dict[str, NDArray[np.float32]], path: Path) -> None:
    expected = {name: (w.shape, w.dtype) for name, w in weights_of(network).items()}
    found = {name: (w.shape, w.dtype) for name, w in weights.items()}
    if found != expected:
        raise InputError(f"{path} holds {found}; the card's architecture needs {expected}")
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise InputError(f"{path}: {name} is not finite; the training that wrote it diverged")
    for layer in network.layers:
        layer.set_weights([weights[f"{layer.name}/{w.name}"] for w in layer.weights])
