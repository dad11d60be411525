"""Every row of the papers' tables of hyperparameters is searched, with the values that the paper lists.

The rows are written down here as the papers print them, apart from the spaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from search.engine.documentation import hyperparameters
from search.spaces import SPACES


@dataclass(frozen=True)
class Row:
    """A row of a paper's table: the hyperparameter as it is printed, its values, and the optimum (None: not given)."""

    printed: str
    name: str
    values: tuple[Any, ...]
    optimum: Any


def appendix_b(*optima: Any, image: bool) -> tuple[Row, ...]:
    """The table of the LHCb thesis, whose last three rows are of the image models alone."""
    steps, batch, noise, critic_rate, generator_rate, smoothing, loss, patch = optima
    rates = (1e-3, 5e-4, 1e-4, 5e-5, 1e-5)
    weights = (0.0, 0.5, 1.0, 5.0, 10.0)
    rows = (
        Row("Adversarial steps", "critic_steps", (1, 5, 10), steps),
        Row("Batch size", "batch_size", (1, 4, 8, 16, 32, 64), batch),
        Row("Dim_z", "latent_dim", (4, 8, 16, 32, 64, 128), noise),
        Row("Feature matching", "feature_matching", ("on", "off"), None),
        Row("LR Discriminator", "critic_learning_rate", (*rates, 1e-6), critic_rate),
        Row("LR Generator", "generator_learning_rate", rates, generator_rate),
        Row("Label smoothing", "label_smoothing", (0.8, 0.9, 0.95), smoothing),
        Row("Loss", "objective", ("js", "kl", "wasserstein"), loss),
        Row("Optimizer", "optimizer", ("rmsprop", "adam"), "adam"),
        Row("PatchGAN", "patch_critic", ("on", "off"), patch),
        Row("Random labels", "random_labels", (0.0, 0.05, 0.1), None),
    )
    if not image:
        return rows
    return (
        *rows,
        Row("lambda VAE", "lambda_vae", weights, 0.1),
        Row("lambda X", "lambda_x", weights, 0.5),
        Row("lambda Z", "lambda_z", weights, 1.0),
    )


IMAGES = appendix_b(1, None, 64, 1e-6, 1e-5, 0.9, "js", "on", image=True)
TABLES: dict[str, tuple[Row, ...]] = {
    "atlas-vae": (
        Row("Latent space dimensions", "latent_dim", (1, 10, 100), 10),
        Row("Reconstruction weight", "reconstruction_weight", (), 1.0),
        Row("KL weight", "kl_weight", (), 1e-4),
        Row("Etot weight", "total_energy_weight", (), 1e-2),
        Row("E_i weight, front", "front_weight", (), 8e-2),
        Row("E_i weight, middle", "middle_weight", (), 6e-1),
        Row("E_i weight, back", "back_weight", (), 2e-1),
        Row("Hidden layers (encoder)", "encoder_layers", (1, 2, 3, 4, 5), 4),
        Row("Hidden layers (decoder)", "decoder_layers", (1, 2, 3, 4, 5), 4),
        Row("Activation function", "activation", ("elu", "relu", "selu", "leaky_relu", "prelu"), "selu"),
        Row("Optimizer", "optimizer", ("rmsprop", "adam", "adagrad", "adadelta", "nadam"), "rmsprop"),
        Row("Learning rate", "learning_rate", (), 1e-4),
        Row("Mini-batch size", "batch_size", (50, 100, 150, 1000), 100),
    ),
    "atlas-gan": (
        Row("Hidden layers", "hidden_layers", (1, 3, 5, 10), None),
        Row("Units per layer", "units", (64, 128, 512, 1024), None),
        Row("Gradient penalty", "gradient_penalty", ("one_sided", "two_sided"), None),
        Row("Gradient penalty weight", "gradient_penalty_weight", (0.0, 10.0, 20.0), None),
        Row("Training ratio", "training_ratio", (20, 10, 5, 3, 1), None),
        Row("Learning rate", "learning_rate", (5e-5, 5e-6, 1e-5, 1e-6, 1e-7), None),
        Row("Mini-batch size", "batch_size", (64, 1024), None),
    ),
    "clic-3dgan": (
        Row("power p", "power", (0.85, 0.75, 0.5, 0.25), 0.85),
        Row("latent vector", "latent_dim", (), 254),
        Row("W_G", "adversarial_weight", (), 3.0),
        Row("W_P", "energy_weight", (), 0.1),
        Row("W_A", "angle_weight", (), 25.0),
        Row("W_E", "sum_weight", (0.1, 0.2), 0.1),
        Row("generator steps", "generator_steps", (), 2),
        Row("learning rate, generator", "generator_learning_rate", (), 1e-3),
        Row("learning rate, discriminator", "discriminator_learning_rate", (), 1e-3),
        Row("optimiser", "optimizer", (), "rmsprop"),
        Row("batch size", "batch_size", (), 64),
        Row("dropout", "dropout", (), 0.2),
        Row("convolutions of the generator", "generator_convolutions", (), 7),
        Row("convolutions of the discriminator", "discriminator_convolutions", (), 4),
        Row("epochs of step one", "first_step_epochs", (), 130),
        Row("lowest energy of step one", "first_step_low", (), 100.0),
        Row("highest energy of step one", "first_step_high", (), 200.0),
    ),
    "airshower-wgan": (
        Row("l", "latent_dim", (), 80),
        Row("κ", "constrainer_weight", (), 1e-3),
        Row("λ", "gradient_penalty_weight", (), 3.0),
        Row("batch size", "batch_size", (), 64),
        Row("n_critic", "training_ratio", (), 8),
        Row("lr", "learning_rate", (), 5e-4),
        Row("β1", "beta_1", (), 0.5),
        Row("β2", "beta_2", (), 0.9),
        Row("decay", "decay", (), 1e-4),
        Row("maps of table 1", "generator_maps", (), 64),
        Row("layers of table 1", "generator_layers", (), 4),
        Row("maps of table 2", "critic_maps", (), 64),
        Row("layers of table 2", "critic_layers", (), 4),
        Row("linear of table 2", "critic_units", (), 100),
    ),
    "airshower-refiner": (
        Row("batch size", "batch_size", (), 100),
        Row("n_critic", "training_ratio", (), 10),
        Row("λ", "gradient_penalty_weight", (), 5.0),
        Row("lr", "learning_rate", (), 1e-4),
        Row("β1", "beta_1", (), 0.5),
        Row("β2", "beta_2", (), 0.999),
        Row("residual blocks of table 3", "residual_blocks", (), 4),
        Row("maps of table 3", "refiner_maps", (), 64),
        Row("kernel of table 3", "kernel", (), 7),
    ),
    "lhcb-single-track": appendix_b(5, 32, 32, 1e-4, 1e-4, None, "wasserstein", None, image=False),
    "lhcb-refinement": IMAGES,
    "lhcb-tracker-image": IMAGES,
    "alice-tracks": (
        Row("methods", "method", ("gan-mlp", "gan-lstm", "vae", "cvae", "dcgan", "progan"), "progan"),
        Row("layers of GAN-MLP", "mlp_layers", (), 4),
        Row("hidden layers of VAE", "vae_layers", (), 1),
        Row("layers of cVAE and DCGAN", "conv_layers", (), 3),
        Row("progressive steps", "growth_steps", (), 5),
    ),
}
ROWS = [pytest.param(space, row, id=f"{space}-{row.printed}") for space, rows in TABLES.items() for row in rows]


def test_every_space_has_the_table_of_its_paper() -> None:
    assert set(TABLES) == set(SPACES)


@pytest.mark.parametrize(("space", "row"), ROWS)
def test_every_row_is_searched(space: str, row: Row) -> None:
    parameter = SPACES[space][row.name]
    published = {value for branch in parameter.branches for value in branch.published}
    assert set(row.values) <= published
    if row.optimum is not None:
        assert parameter.default == row.optimum
        assert any(branch.holds(row.optimum) for branch in parameter.branches)
    assert any(not branch.distribution.single() for branch in parameter.branches), "it cannot be searched"


def test_the_documentation_has_every_row() -> None:
    text = hyperparameters()
    for space, rows in TABLES.items():
        assert f"Model `{space}`" in text
        for row in rows:
            assert f"| `{row.name}` |" in text
