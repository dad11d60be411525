"""Hyperparameters of the air-shower WGAN: arXiv:1802.03325, section 2.3, tables 1 and 2."""

from __future__ import annotations

from search.spaces.airshower import OUR_VALUE, OURS, interval, listed, optimisation, ours
from search.spaces.space import Space, Value, choice

SECTION_2_3 = "arXiv:1802.03325, section 2.3"
TABLE_1, TABLE_2 = "arXiv:1802.03325, table 1", "arXiv:1802.03325, table 2"
DEFAULTS: dict[str, Value] = {
    "gradient_penalty_weight": 3.0,
    "training_ratio": 8,
    "learning_rate": 5e-4,
    "beta_1": 0.5,
    "beta_2": 0.9,
    "decay": 1e-4,
    "batch_size": 64,
}
WIDTHS = "The further convolutions have 2, 2 and 4 times as many, and then no more"

SPACE = Space(
    "airshower-wgan",
    (
        listed(SECTION_2_3, "latent_dim", "Noise dimension l", 80, (10, 20, 40, 80, 160)),
        interval(SECTION_2_3, "constrainer_weight", "Weight of the constraint κ", 0.001, 1e-4, 1e-1),
        *optimisation(SECTION_2_3, DEFAULTS),
        listed(TABLE_1, "seed_units", "Units of the linear layer, for each seed cell", 80, (20, 40, 80, 160)),
        listed(
            TABLE_1, "generator_maps", "Maps of the generator's first convolution", 64, (8, 16, 32, 64, 128), WIDTHS
        ),
        listed(TABLE_1, "generator_layers", "Transposed convolutions of the generator", 4, (2, 3, 4, 5)),
        listed(TABLE_2, "critic_maps", "Maps of the critic's first convolution", 64, (8, 16, 32, 64, 128), WIDTHS),
        listed(TABLE_2, "critic_layers", "Convolutions of the critic", 4, (2, 3, 4, 5)),
        listed(TABLE_2, "critic_units", "Units of the critic's linear layer", 100, (25, 50, 100, 200)),
        choice(
            OURS,
            "constrainer_maps",
            "Maps that AixNet's first convolution over the array adds",
            12,
            (4, 6, 12, 24),
            OUR_VALUE,
        ),
        choice(OURS, "constrainer_layers", "AixNet's convolutions over the array", 4, (2, 3, 4), OUR_VALUE),
        *ours("in the critic, and before AixNet's last layer"),
    ),
)
