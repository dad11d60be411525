"""Latent spaces of autoencoders: Gaussians of independent dimensions.

Source: Kingma and Welling, arXiv:1312.6114, section 2.4 and appendix B.
"""

# Axes: B events, Z latent dimensions.
from __future__ import annotations

import torch
from torch import Tensor


def drawn(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """μ + σ·ε for ε of N(0, 1), (B, Z) each."""
    return mean + noise * torch.exp(log_variance / 2)


def gaussian_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback–Leibler divergence of N(mean, variance) from N(0, 1), summed over Z and averaged over B; (B, Z) each.

    Raises: ValueError for different shapes.
    """
    if mean.shape != log_variance.shape:
        raise ValueError(f"mean {tuple(mean.shape)}, log variance {tuple(log_variance.shape)}; give the same shape")
    return (mean**2 + log_variance.exp() - log_variance - 1).sum(dim=1).mean() / 2
