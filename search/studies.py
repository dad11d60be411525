"""Every study that ships with the project."""

from data_adapters.registry import Registry
from search import airshower_wgan, atlas_gan, atlas_vae

STUDIES = Registry("study", airshower_wgan.STUDY, atlas_gan.STUDY, atlas_vae.STUDY)
