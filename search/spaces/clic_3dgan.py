"""Hyperparameters of 3DGAN: doi:10.1109/ACCESS.2021.3101946, whose scan "is not currently feasible", as it says."""

from __future__ import annotations

from functools import partial

from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Real
from optuna.distributions import IntDistribution as Whole

from search.spaces.space import Branch, Parameter, Space, When, choice

PREPROCESSING, ARCHITECTURE = "3DGAN, section IV-A", "3DGAN, section IV-B"
LOSS, TRAINING = "3DGAN, section IV-C", "3DGAN, section IV-D"
PUBLIC = "Public PyTorch implementation of 3DGAN"
PUBLIC_KERAS = "Public Keras code of 3DGAN"
OURS = "Not in the paper"
OTHERS_OURS = "The paper gives one value; the others are ours"
_layers = partial(choice, PUBLIC, note="One value is published; the others are ours")
_training = partial(choice, TRAINING, note=OTHERS_OURS)


def _weight(name: str, title: str, default: float, low: float, high: float, published: tuple[float, ...]) -> Parameter:
    return Parameter(name, title, default, (Branch(Real(low, high, log=True), published),), LOSS, OTHERS_OURS)


def _learning_rate(network: str) -> Parameter:
    branch = Branch(Real(1e-5, 1e-2, log=True), (1e-5, 1e-3, 1e-2))
    title = f"Learning rate of the {network}"
    return Parameter(f"{network}_learning_rate", title, 1e-3, (branch,), TRAINING, OTHERS_OURS)


def _first_step(end: str, title: str, default: float, values: tuple[float, ...]) -> Parameter:
    branch = Branch(Choice(values), values, When(("first_step_epochs",), minimum=1))
    title = f"{title} energy of the first step [GeV]"
    return Parameter(f"first_step_{end}", title, default, (branch,), TRAINING, OTHERS_OURS)


CHANGES = (-3, -2, -1, 0, 1)
KERNELS = "Kernel sides of the {}, in cells longer than published"
SPACE = Space(
    "clic-3dgan",
    (
        Parameter(
            "power",
            "Power p of the cell energies",
            0.85,
            (Branch(Real(0.25, 1.0), (0.25, 0.5, 0.75, 0.85)),),
            PREPROCESSING,
        ),
        choice(ARCHITECTURE, "latent_dim", "Latent dimension", 254, (16, 64, 128, 254, 510), OTHERS_OURS),
        choice(
            ARCHITECTURE, "generator_convolutions", "Convolutions of the generator", 7, (4, 5, 6, 7, 8), OTHERS_OURS
        ),
        choice(
            ARCHITECTURE,
            "discriminator_convolutions",
            "Convolutions of the discriminator",
            4,
            (2, 3, 4, 5),
            OTHERS_OURS,
        ),
        choice(ARCHITECTURE, "dropout", "Dropout rate of the discriminator", 0.2, (0.0, 0.1, 0.2, 0.4), OTHERS_OURS),
        _layers("upsampling", "Factor of the upsampling", 6, (2, 3, 6)),
        _layers("coarse_filters", "Channels of the coarse grid", 8, (4, 8, 16)),
        _layers("generator_first_filters", "Filters of the generator's first convolution", 8, (4, 8, 16)),
        _layers("generator_filters", "Filters of its further convolutions", 6, (4, 6, 8, 12, 16)),
        _layers("generator_kernel_change", KERNELS.format("generator"), 0, CHANGES),
        _layers("discriminator_first_filters", "Filters of the discriminator's first convolution", 16, (4, 8, 16, 32)),
        _layers("discriminator_filters", "Filters of its further convolutions", 8, (4, 8, 16)),
        _layers("discriminator_kernel_change", KERNELS.format("discriminator"), 0, CHANGES),
        choice(PUBLIC_KERAS, "leaky_slope", "Slope of the discriminator's LeakyReLU", 0.3, (0.1, 0.2, 0.3)),
        _weight("adversarial_weight", "Weight W_G of the cross-entropy", 3.0, 0.3, 30.0, (0.3, 3.0, 30.0)),
        _weight("energy_weight", "Weight W_P of the particle's energy", 0.1, 0.01, 1.0, (0.01, 0.1, 1.0)),
        _weight("angle_weight", "Weight W_A of the measured angle", 25.0, 1.0, 100.0, (1.0, 25.0, 100.0)),
        _weight("sum_weight", "Weight W_E of the energy sum", 0.1, 0.01, 1.0, (0.1, 0.2)),
        _training("generator_steps", "Generator steps per batch", 2, (1, 2, 3)),
        _training("batch_size", "Mini-batch size", 64, (8, 16, 32, 64, 128)),
        _training("optimizer", "Optimiser", "rmsprop", ("rmsprop", "adam", "nadam")),
        Parameter(
            "beta_1",
            "β₁ of Adam and Nadam",
            0.5,
            (Branch(Choice((0.0, 0.5, 0.9)), (0.0, 0.5, 0.9), When(("optimizer",), values=("adam", "nadam"))),),
            OURS,
        ),
        _learning_rate("generator"),
        _learning_rate("discriminator"),
        choice(OURS, "decay", "Decay of the learning rates, a batch", 0.0, (0.0, 1e-4, 1e-3)),
        choice(
            PUBLIC_KERAS, "label_switch", "Probability that a label is switched", 0.05, (0.0, 0.05, 0.1), OTHERS_OURS
        ),
        choice(OURS, "label_noise", "Uniform noise of the labels", 0.0, (0.0, 0.1, 0.3)),
        Parameter(
            "first_step_epochs",
            "Epochs of the first step, with a part of the energies",
            130,
            (Branch(Whole(0, 160), (0, 130, 160)),),
            TRAINING,
            "The paper trained 30 epochs more on all energies; training on them from the start did not converge",
        ),
        _first_step("low", "Lowest", 100.0, (20.0, 50.0, 100.0)),
        _first_step("high", "Highest", 200.0, (200.0, 300.0, 400.0)),
        choice(OURS, "average_decay", "Exponential average of the generator's weights", 0.0, (0.0, 0.9, 0.98, 0.99)),
        choice(OURS, "precision", "Arithmetic of the networks", "float32", ("float32", "bfloat16")),
    ),
)
