"""The hyperparameter spaces, one file a model."""

from data_adapters.registry import Registry
from search.spaces import (
    airshower_refiner,
    airshower_wgan,
    alice_tracks,
    atlas_gan,
    atlas_vae,
    clic_3dgan,
    lhcb_refinement,
    lhcb_single_track,
    lhcb_tracker_image,
)
from search.spaces.space import Branch, OutsideSpace, Parameter, Space, When

SPACES = Registry(
    "space",
    airshower_refiner.SPACE,
    airshower_wgan.SPACE,
    alice_tracks.SPACE,
    atlas_gan.SPACE,
    atlas_vae.SPACE,
    clic_3dgan.SPACE,
    lhcb_refinement.SPACE,
    lhcb_single_track.SPACE,
    lhcb_tracker_image.SPACE,
)

__all__ = ["SPACES", "Branch", "OutsideSpace", "Parameter", "Space", "When"]
