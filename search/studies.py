"""Every study that ships with the project."""

from data_adapters.registry import Registry
from search import (
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

STUDIES = Registry(
    "study",
    airshower_refiner.STUDY,
    airshower_wgan.STUDY,
    alice_tracks.STUDY,
    atlas_gan.STUDY,
    atlas_vae.STUDY,
    clic_3dgan.STUDY,
    lhcb_refinement.STUDY,
    lhcb_single_track.STUDY,
    lhcb_tracker_image.STUDY,
)
