"""Hyperparameters of the air-shower refiner: arXiv:1802.03325, section 2.4, table 3."""

from __future__ import annotations

from search.spaces.airshower import OUR_VALUE, OURS, listed, optimisation, ours
from search.spaces.space import Space, Value, choice

SECTION_2_4 = "arXiv:1802.03325, section 2.4"
TABLE_3 = "arXiv:1802.03325, table 3"
DEFAULTS: dict[str, Value] = {
    "gradient_penalty_weight": 5.0,
    "training_ratio": 10,
    "learning_rate": 1e-4,
    "beta_1": 0.5,
    "beta_2": 0.999,
    "decay": 0.0,
    "batch_size": 100,
}

SPACE = Space(
    "airshower-refiner",
    (
        listed(TABLE_3, "residual_blocks", "Residual blocks", 4, (1, 2, 3, 4, 6)),
        listed(TABLE_3, "refiner_maps", "Maps of their convolutions", 64, (4, 8, 16, 32, 64)),
        listed(TABLE_3, "kernel", "Kernel along time", 7, (3, 5, 7, 11, 15)),
        choice(
            OURS, "trigger", "Refined stations below the least signal of the data are empty", "none", ("none", "data")
        ),
        *optimisation(SECTION_2_4, DEFAULTS),
        listed(
            SECTION_2_4,
            "iterations_per_epoch",
            "Refiner iterations an epoch",
            10,
            (5, 10, 20),
            "The paper's 10 000 iterations are 1 000 epochs of ten; the others are ours",
        ),
        choice(OURS, "encoder_maps", "Maps of AixNet's first convolution along time", 64, (8, 16, 32, 64), OUR_VALUE),
        choice(
            OURS,
            "critic_maps",
            "Maps that AixNet's first convolution over the array adds",
            12,
            (2, 4, 6, 12),
            OUR_VALUE,
        ),
        choice(OURS, "critic_layers", "AixNet's convolutions over the array", 4, (2, 3, 4), OUR_VALUE),
        *ours("before AixNet's last layer"),
    ),
)
