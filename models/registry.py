"""All generative models, by name."""

from __future__ import annotations

from data_adapters.registry import Registry
from models.airshower_refiner import AIRSHOWER_REFINER
from models.airshower_wgan import AIRSHOWER_WGAN
from models.alice_tracks import ALICE_TRACKS
from models.atlas_gan import ATLAS_GAN
from models.atlas_vae import ATLAS_VAE
from models.clic_3dgan import CLIC_3DGAN
from models.lhcb_images import LHCB_REFINEMENT, LHCB_TRACKER_IMAGE
from models.lhcb_single_track import LHCB_SINGLE_TRACK
from models.mean_shower import MEAN_SHOWER

MODELS = Registry(
    "model",
    AIRSHOWER_REFINER,
    AIRSHOWER_WGAN,
    ALICE_TRACKS,
    ATLAS_GAN,
    ATLAS_VAE,
    CLIC_3DGAN,
    LHCB_REFINEMENT,
    LHCB_SINGLE_TRACK,
    LHCB_TRACKER_IMAGE,
    MEAN_SHOWER,
)
