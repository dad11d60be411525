"""What the spaces of the air-shower models have in common.

The paper gives one value of each hyperparameter, and compared none; the other values are ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Real

from search.spaces.space import Branch, Parameter, Value, choice

SECTION_2_1 = "arXiv:1802.03325, section 2.1"
OURS = "Not in the paper"
OUR_VALUE = "The paper has it, without a value: ours"
OTHERS_OURS = "The paper's is the optimum, the others are ours"

SIDES = ("one_sided", "two_sided")

Defaults = Mapping[str, Value]


def listed(source: str, name: str, title: str, default: Value, values: tuple[Value, ...], note: str = "") -> Parameter:
    """A choice of which the paper has the default alone."""
    return choice(source, name, title, default, values, note or OTHERS_OURS)


def interval(
    source: str, name: str, title: str, default: float, low: float, high: float, note: str = "", **further: bool
) -> Parameter:
    """A logarithmic interval around the paper's value."""
    branch = Branch(Real(low, high, log=True), (low, default, high))
    return Parameter(name, title, default, (branch,), source, note or OTHERS_OURS, **further)


def optimisation(section: str, defaults: Defaults) -> tuple[Parameter, ...]:
    """Gradient penalty, critic steps and Adam, which both models have."""
    return (
        listed(
            section,
            "gradient_penalty_weight",
            "Gradient penalty weight λ",
            defaults["gradient_penalty_weight"],
            (0.3, 1.0, 3.0, 5.0, 10.0),
        ),
        Parameter(
            "gradient_penalty",
            "Gradient penalty",
            "two_sided",
            (Branch(Choice(SIDES), SIDES),),
            SECTION_2_1,
            "Equation 4 is two-sided; the other is ours",
        ),
        listed(
            section,
            "training_ratio",
            "n_critic: critic steps per generator step",
            defaults["training_ratio"],
            (1, 2, 3, 4, 5, 8, 10),
        ),
        interval(section, "learning_rate", "Learning rate", float(defaults["learning_rate"]), 1e-5, 5e-3),
        listed(section, "beta_1", "β₁ of Adam", defaults["beta_1"], (0.0, 0.5, 0.9)),
        listed(section, "beta_2", "β₂ of Adam", defaults["beta_2"], (0.9, 0.99, 0.999)),
        listed(section, "decay", "Decay of the learning rates, an update", defaults["decay"], (0.0, 1e-5, 1e-4, 1e-3)),
        listed(section, "batch_size", "Mini-batch size", defaults["batch_size"], (16, 32, 64, 100)),
    )


def ours(dropout: str) -> tuple[Parameter, ...]:
    """What the paper leaves open.

    Args:
        dropout: Where it acts.
    """
    initializers = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal")
    return (
        choice(OURS, "leaky_slope", "Slope of the critic's LeakyReLU below zero", 0.3, (0.1, 0.2, 0.3), OUR_VALUE),
        choice(OURS, "dropout", f"Dropout rate, {dropout}", 0.25, (0.0, 0.1, 0.25, 0.5), OUR_VALUE),
        choice(OURS, "kernel_initializer", "Kernel initialiser", "glorot_uniform", initializers),
        choice(OURS, "average_decay", "Exponential average of the generator's weights", 0.0, (0.0, 0.9, 0.95, 0.99)),
    )
