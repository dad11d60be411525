"""CLIC-like electrons of all energies in few cells, and a 3DGAN that trains on them in no time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from data_adapters.datasets import CLIC_ELECTRONS_2_500_GEV, CLIC_ELECTRONS_COARSE
from data_adapters.events import Events
from data_adapters.regrid import regridded

CLIC_3DGAN_CONFIG = {
    "latent_dim": 4,
    "coarse_filters": 4,
    "upsampling": 3,
    "generator_convolutions": 4,
    "generator_first_filters": 4,
    "generator_filters": 4,
    "generator_kernel_change": -3,
    "discriminator_convolutions": 2,
    "discriminator_first_filters": 4,
    "discriminator_filters": 4,
    "discriminator_kernel_change": -3,
    "batch_size": 8,
    "first_step_epochs": 1,
}
CLIC_3DGAN_LEARNING = {
    "first_step_epochs": 0,
    "batch_size": 16,
    "optimizer": "adam",
    "generator_learning_rate": 5e-3,
    "sum_weight": 1.0,
    "average_decay": 0.9,
}


@lru_cache
def clic_electrons() -> Events:
    """60 electrons of 2 to 500 GeV."""
    assert CLIC_ELECTRONS_COARSE.regrid is not None
    source = regridded(CLIC_ELECTRONS_2_500_GEV.source, CLIC_ELECTRONS_COARSE.regrid)
    return source.select(np.arange(60))
