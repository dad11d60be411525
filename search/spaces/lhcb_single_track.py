"""Hyperparameters of the LHCb single-track GAN: appendices B and C.1 of T. Neuer's thesis."""

from __future__ import annotations

from search.spaces.lhcb import appendix_b, choice_where, further_adversarial, structure
from search.spaces.space import Space, Value, When

DEFAULTS: dict[str, Value] = {
    "objective": "wasserstein",
    "critic_steps": 5,
    "batch_size": 32,
    "latent_dim": 32,
    "feature_matching": "off",
    "critic_learning_rate": 1e-4,
    "generator_learning_rate": 1e-4,
    "label_smoothing": 0.9,
    "optimizer": "adam",
    "patch_critic": "off",
    "random_labels": 0.0,
    "beta_1": 0.0,
    "beta_2": 0.9,
    "batch_norm": "off",
    "critic_batch_norm": "off",
}

SPACE = Space(
    "lhcb-single-track",
    (
        *appendix_b(DEFAULTS),
        *further_adversarial(DEFAULTS),
        structure("activation", "Activation of hidden layers", "leaky_relu", ("leaky_relu", "relu", "elu", "swish")),
        structure("kernel", "Kernel of all convolutions", 2, (2, 3, 4)),
        structure("hidden_layers", "Dense layers before the one that becomes an image", 0, (0, 1, 2)),
        choice_where(
            "LHCb thesis, appendix B (number of nodes)",
            "hidden_units",
            "Units of these layers",
            128,
            (64, 128, 256),
            When(("hidden_layers",), minimum=1),
            "The thesis has no such layer in the end; the numbers are ours",
        ),
        structure("generator_layers", "Transposed convolutions", 3, (2, 3, 4)),
        structure("generator_filters", "Channels before them, halved by each", 512, (32, 64, 128, 256, 512)),
        structure("critic_layers", "Convolutions of the critic", 2, (1, 2, 3)),
        structure("critic_filters", "Channels of the first, doubled by each", 64, (8, 16, 32, 64)),
    ),
)
