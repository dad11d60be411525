"""Hyperparameters of the translation of drawn tracks to LHCb events: appendix C.3 of T. Neuer's thesis."""

from __future__ import annotations

from search.spaces.lhcb_images import image_space

SPACE = image_space("lhcb-tracker-image", residual_blocks=4)
