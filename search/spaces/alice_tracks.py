"""Hyperparameters of the generators of ALICE tracks.

The paper (K. Deja et al., Generative Models for Fast Cluster Simulations in the TPC for the ALICE Experiment) has six
methods with their numbers of layers, and no other number: what it names without one is ours, and so is what it does not
name.
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Real

from models.alice_config import AUTOENCODERS, METHODS
from search.spaces.space import Branch, Parameter, Space, Value, When, choice

PAPER = "K. Deja et al. (ALICE), section 3.2"
SECTION_3_1 = "K. Deja et al. (ALICE), section 3.1"
FUTURE = "K. Deja et al. (ALICE), section 6"
OURS = "Not in the paper"
OUR_VALUE = "The paper has it, without a value: ours"
OTHERS_OURS = "The paper's is the optimum, the others are ours"

GANS = tuple(method for method in METHODS if method not in AUTOENCODERS)
RECURRENT = "gan-lstm"


def _of(*methods: str) -> When:
    return When(("method",), values=methods)


IS_GAN = _of(*GANS)
IS_AUTOENCODER = _of(*AUTOENCODERS)


def _listed(
    source: str, name: str, title: str, default: Value, values: tuple[Value, ...], when: When, note: str = OUR_VALUE
) -> Parameter:
    """A choice that has an effect under a condition."""
    return Parameter(name, title, default, (Branch(Choice(values), values, when),), source, note)


def _interval(
    name: str,
    title: str,
    default: float,
    low: float,
    high: float,
    when: When | None = None,
    note: str = OUR_VALUE,
) -> Parameter:
    """A logarithmic interval, whose best place depends on how long one trains."""
    branch = Branch(Real(low, high, log=True), (low, default, high), when)
    return Parameter(name, title, default, (branch,), PAPER, note)


def _number(name: str, title: str, high: float) -> Parameter:
    """A number from 0, which is the default, that matters where a critic has labels."""
    return Parameter(name, title, 0.0, (Branch(Real(0.0, high), (0.0, high), IS_GAN),), OURS)


SPACE = Space(
    "alice-tracks",
    (
        choice(PAPER, "method", "Method", "progan", METHODS, "The optimum is the paper's best, table 1"),
        choice(FUTURE, "conditioning", "What networks are told", "none", ("none", "momentum"), "Momentum: future work"),
        choice(PAPER, "latent_dim", "Latent dimension", 100, (5, 10, 20, 50, 100, 200), OUR_VALUE),
        _listed(PAPER, "mlp_layers", "Dense layers of generator and critic", 4, (3, 4, 5), _of("gan-mlp"), OTHERS_OURS),
        _listed(
            SECTION_3_1, "vae_layers", "Hidden layers of encoder and decoder", 1, (1, 2, 3), _of("vae"), OTHERS_OURS
        ),
        _listed(
            PAPER,
            "dense_units",
            "Units of the hidden layer next to the track; each further one has half as many",
            512,
            (64, 128, 256, 512, 1024),
            _of("gan-mlp", "vae"),
        ),
        _listed(PAPER, "lstm_layers", "LSTM layers", 1, (1, 2), _of(RECURRENT)),
        _listed(PAPER, "lstm_units", "Units of an LSTM layer", 64, (16, 32, 64, 128), _of(RECURRENT)),
        _listed(
            PAPER,
            "conv_layers",
            "Convolutions, and deconvolutions",
            3,
            (2, 3, 4, 5),
            _of("cvae", "dcgan"),
            OTHERS_OURS,
        ),
        _listed(
            PAPER,
            "channels",
            "Channels of the convolution next to the track; each further one has twice as many, at most eight times",
            32,
            (4, 8, 16, 32, 64),
            _of("cvae", "dcgan", "progan"),
        ),
        _listed(PAPER, "kernel", "Points in a kernel", 4, (3, 4, 5, 7), _of("cvae", "dcgan", "progan")),
        _listed(
            PAPER,
            "growth_steps",
            "Steps of growth; one convolution more",
            5,
            (3, 4, 5),
            _of("progan"),
            OTHERS_OURS,
        ),
        _interval("growth_epochs", "Epochs before each fade-in", 40.0, 0.5, 100.0, _of("progan")),
        _interval("fade_epochs", "Epochs of each fade-in", 40.0, 0.5, 100.0, _of("progan")),
        choice(PAPER, "dropout", "Dropout rate, in critic and encoder", 0.25, (0.0, 0.1, 0.25, 0.5), OUR_VALUE),
        _listed(
            PAPER,
            "leaky_slope",
            "Slope of LeakyReLU below zero",
            0.2,
            (0.01, 0.1, 0.2, 0.3),
            _of(*(method for method in METHODS if method != RECURRENT)),
        ),
        _listed(
            PAPER,
            "batch_norm",
            "Batch norm, also in critic or encoder",
            "both",
            ("off", "generator", "both"),
            _of(*(method for method in METHODS if method != RECURRENT)),
            "The others are ours; a critic with gradient penalty has none",
        ),
        _listed(
            PAPER,
            "reconstruction",
            "Reconstruction error",
            "cross_entropy",
            ("cross_entropy", "squared"),
            IS_AUTOENCODER,
            OTHERS_OURS,
        ),
        _interval("kl_weight", "Kullback-Leibler weight", 1.0, 1e-3, 10.0, IS_AUTOENCODER),
        _listed(PAPER, "objective", "Objective", "js", ("js", "kl", "wasserstein"), IS_GAN, OTHERS_OURS),
        Parameter(
            "gradient_penalty_weight",
            "Gradient penalty weight",
            10.0,
            (Branch(Choice((0.1, 1.0, 10.0)), (0.1, 1.0, 10.0), When(("objective",), values=("wasserstein",))),),
            OURS,
        ),
        _listed(OURS, "critic_steps", "n_critic: critic steps a generator step", 1, (1, 2, 3, 5), IS_GAN, ""),
        _listed(OURS, "label_smoothing", "Label of full simulation, one-sided", 1.0, (0.8, 0.9, 1.0), IS_GAN, ""),
        _number("label_noise", "Noise of labels", 0.3),
        _number("label_switch", "Share of labels exchanged at random", 0.1),
        _interval("learning_rate", "Learning rate of generator or autoencoder", 2e-4, 1e-5, 1e-2),
        _interval("critic_learning_rate", "Learning rate of the critic", 2e-4, 1e-5, 1e-2, IS_GAN),
        choice(PAPER, "beta_1", "β₁ of Adam", 0.5, (0.0, 0.5, 0.9), OUR_VALUE),
        choice(PAPER, "beta_2", "β₂ of Adam", 0.999, (0.9, 0.99, 0.999), OUR_VALUE),
        choice(OURS, "decay", "Decay of the learning rates, a step", 0.0, (0.0, 1e-5, 1e-4, 1e-3)),
        choice(PAPER, "batch_size", "Mini-batch size", 64, (32, 64, 128), OUR_VALUE),
        choice(OURS, "average_decay", "Exponential average of the generator's weights", 0.0, (0.0, 0.99, 0.999)),
    ),
)
