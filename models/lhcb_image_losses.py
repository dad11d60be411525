"""What the kinds of image-to-image translation minimise: cycles of images and latent places, and a divergence.

Source: T. Neuer, master thesis, University of Zurich, 2020, equations 4.2.1 to 4.2.6, read as follows.

- The latent cycle of (4.2.5) and (4.2.6) takes z ∼ p(z), which an encoder can find again; the λ after λ_VAE in (4.2.6)
  is a stray one; (3.1.16) means μ + Σ^½·ε.
- |·|₁ is the sum over cells or latent dimensions, as written; the divergence is (3.1.13), the sum over dimensions
  (``models.gaussians``).
- λ_x, λ_z and λ_VAE weigh these terms in all kinds; (4.2.1) to (4.2.5) have them at 1.
- A generator that minimises log(1 − D) minimises −log D instead (``models.adversarial``).
- Where a kind makes two images of an event, from z ∼ p(z) and from the encoder, both fool the critic, and the critic
  sees the real event once for each, as in BicycleGAN (arXiv:1711.11586), where each cycle has its own objective: with
  Wasserstein distances the printed sum, in which the real event counts once, has no minimum.
"""

# Axes: B events, V cells, Z latent dimensions.
from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from data_adapters.registry import Registry


@dataclass(frozen=True)
class Translation:
    """A kind of image-to-image translation.

    Attributes:
        encoded: Whether an image is also made from the place where the encoder puts the real one, with its divergence.
        image_cycle: Whether images are compared with the real ones: those of the encoder's places, or, without such,
            those of z ∼ p(z).
        latent_cycle: Whether the encoder must find z ∼ p(z) again.
    """

    name: str
    encoded: bool
    image_cycle: bool
    latent_cycle: bool


TRANSLATIONS = Registry(
    "kind of image-to-image translation",
    Translation("pix2pix", encoded=False, image_cycle=True, latent_cycle=False),  # (4.2.1)
    Translation("vae_gan", encoded=True, image_cycle=True, latent_cycle=False),  # (4.2.4)
    Translation("clr_gan", encoded=False, image_cycle=False, latent_cycle=True),  # (4.2.5)
    Translation("bicycle_gan", encoded=True, image_cycle=True, latent_cycle=True),  # (4.2.6)
)


def absolute_difference(wanted: Tensor, found: Tensor) -> Tensor:
    """|wanted − found|₁ of each event, (B, …) each, averaged over events.

    Raises: ValueError if the two have different shapes.
    """
    if wanted.shape != found.shape:
        raise ValueError(f"wanted {tuple(wanted.shape)}, found {tuple(found.shape)}; give the same shape")
    difference: Tensor = (wanted - found).abs().flatten(1).sum(dim=1).mean()
    return difference
