"""Every study that ships with the project."""

from data_adapters.registry import Registry
from search import atlas_gan, atlas_vae

STUDIES = Registry("study", atlas_gan.STUDY, atlas_vae.STUDY)
