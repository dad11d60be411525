"""Hyperparameters of the refinement of LHCb events: appendix C.2 of T. Neuer's thesis."""

from __future__ import annotations

from search.spaces.lhcb_images import image_space

SPACE = image_space("lhcb-refinement", residual_blocks=0)
