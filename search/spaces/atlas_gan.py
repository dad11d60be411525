"""Hyperparameters of the ATLAS WGAN-GP: table 2 of "Deep generative models for fast shower simulation in ATLAS"."""

from __future__ import annotations

from functools import partial

from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Real

from search.spaces.space import Branch, Parameter, Space, When, choice

TABLE = "ATLAS, table 2"
INFERRED = "The optimum is our reading: the bold type is lost"
ACTIVATIONS = (
    "selu+sigmoid",
    "leaky_relu+sigmoid",
    "leaky_relu+relu",
    "leaky_relu+gauss",
    "leaky_relu+sigmoid+relu",
    "leaky_relu+clipped_relu",
    "leaky_relu+softmax",
    "leaky_relu+softmax+relu",
)
# The paper stops at 5e-5, which learns too slowly for budgets far below its 50 000 epochs.
LEARNING_RATES = Real(1e-7, 5e-3, log=True)
_choice = partial(choice, TABLE)

SPACE = Space(
    "atlas-gan",
    (
        _choice("hidden_layers", "Hidden layers of generator and critic", 3, (1, 3, 5, 10)),
        _choice("units", "Units per layer", 128, (64, 128, 512, 1024)),
        _choice("activation", "Activation, hidden + output", "leaky_relu+sigmoid", ACTIVATIONS, INFERRED),
        _choice("activity_l1_weight", "L1 activity regularisation, generator", 1e-5, (0.0, 1e-5, 1e-2)),
        _choice(
            "kernel_initializer",
            "Kernel initialiser",
            "glorot_uniform",
            ("glorot_uniform", "lecun_normal"),
            INFERRED,
        ),
        _choice("gradient_penalty_weight", "Gradient penalty weight", 10.0, (0.0, 10.0, 20.0)),
        Parameter(
            "gradient_penalty",
            "Gradient penalty",
            "two_sided",
            (
                Branch(
                    Choice(("one_sided", "two_sided")),
                    ("one_sided", "two_sided"),
                    When(("gradient_penalty_weight",), above=0.0),
                ),
            ),
            TABLE,
        ),
        _choice("training_ratio", "Training ratio: critic steps per generator step", 5, (20, 10, 5, 3, 1)),
        Parameter(
            "learning_rate",
            "Learning rate",
            5e-5,
            (
                Branch(LEARNING_RATES, (5e-5, 5e-6, 1e-6), When(("training_ratio",), values=(20, 10, 5))),
                Branch(LEARNING_RATES, (5e-5, 5e-6, 1e-5, 1e-7), When(("training_ratio",), values=(3,))),
                Branch(LEARNING_RATES, (1e-6,), When(("training_ratio",), values=(1,))),
            ),
            TABLE,
            f"{INFERRED}. Searched up to 5e-3, beyond the paper. None is given for the ratios 20 and 10: those of 5",
        ),
        _choice("batch_size", "Mini-batch size", 64, (64, 1024)),
        _choice(
            "preprocessing",
            "Preprocessing of cell energies, normalised to the incident energy",
            "fraction",
            ("log10", "log10_1e10", "fraction"),
            INFERRED,
        ),
        _choice(
            "energy_conditioning",
            "Conditioning (with multi-hot encoding of the cell alignments)",
            "log10",
            ("linear", "log10"),
            "The paper names no optimum; log10 is our choice",
        ),
    ),
)
