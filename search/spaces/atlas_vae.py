"""Hyperparameters of the ATLAS VAE: table 1 of "Deep generative models for fast shower simulation in ATLAS"."""

from __future__ import annotations

from functools import partial

from optuna.distributions import FloatDistribution as Real
from optuna.distributions import IntDistribution as Whole

from search.spaces.space import Branch, Parameter, Space, When, choice

TABLE = "ATLAS, table 1"
INFERRED = "The optimum is our reading: the bold type is lost"
DEPTHS = ("encoder_layers", "decoder_layers")
INITIALIZERS = (
    "zeros",
    "ones",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "variance_scaling",
    "glorot_normal",
)
_choice = partial(choice, TABLE)


def _weight(name: str, title: str, default: float, low: float, high: float, log: bool, note: str = "") -> Parameter:
    branch = Branch(Real(low, high, log=log), (low, default, high))
    return Parameter(name, title, default, (branch,), TABLE, note)


def _units(layer: int, low: int, default: int, high: int) -> Parameter:
    when = When(DEPTHS, minimum=layer) if layer > 1 else None
    note = "A fifth layer has the width of the fourth: our reading, the table ends at four" if layer == 4 else ""
    return Parameter(
        f"units_{layer}",
        f"Units of hidden layer {layer}, counted from the cells inwards",
        default,
        (Branch(Whole(low, high), (low, default, high), when),),
        TABLE,
        note,
    )


OPEN_END = "The paper's interval is open at 0; the low end is ours"
SAME_FOR_VECTORS = "For a vector, variance_scaling and glorot_normal are the same distribution by Keras' definition"
LAYER_NOTE = "The table lists three weights for four layers; our reading: front, middle, back"
SPACE = Space(
    "atlas-vae",
    (
        Parameter("latent_dim", "Latent dimension", 10, (Branch(Whole(1, 100, log=True), (1, 10, 100)),), TABLE),
        _weight("reconstruction_weight", "Reconstruction weight", 1.0, 1e-2, 3.0, True, OPEN_END),
        _weight("kl_weight", "Kullback-Leibler weight", 1e-4, 1e-7, 1.0, True, OPEN_END),
        _weight("total_energy_weight", "Total energy weight", 1e-2, 0.0, 1.0, False),
        _weight("front_weight", "Weight of the front layer's energy fraction", 8e-2, 0.0, 1.0, False, LAYER_NOTE),
        _weight("middle_weight", "Weight of the middle layer's energy fraction", 6e-1, 0.0, 1.0, False, LAYER_NOTE),
        _weight("back_weight", "Weight of the back layer's energy fraction", 2e-1, 0.0, 1.0, False, LAYER_NOTE),
        _choice("encoder_layers", "Hidden layers of the encoder", 4, (1, 2, 3, 4, 5)),
        _choice("decoder_layers", "Hidden layers of the decoder", 4, (1, 2, 3, 4, 5)),
        _units(1, 180, 200, 266),
        _units(2, 120, 150, 180),
        _units(3, 80, 100, 120),
        _units(4, 10, 50, 80),
        _choice("activation", "Activation", "selu", ("elu", "relu", "selu", "leaky_relu", "prelu"), INFERRED),
        _choice("kernel_initializer", "Kernel initialiser", "variance_scaling", INITIALIZERS, INFERRED),
        _choice("bias_initializer", "Bias initialiser", "ones", INITIALIZERS, f"{INFERRED}. {SAME_FOR_VECTORS}"),
        _choice("optimizer", "Optimiser", "rmsprop", ("rmsprop", "adam", "adagrad", "adadelta", "nadam")),
        Parameter(
            "learning_rate",
            "Learning rate",
            1e-4,
            (Branch(Real(1e-6, 1e-2, log=True), (1e-2, 1e-4, 1e-6)),),
            TABLE,
        ),
        _choice("batch_size", "Mini-batch size", 100, (50, 100, 150, 1000), INFERRED),
    ),
)
