"""Generative models: conditions to showers. Knows no file format, no search and no metric."""

from models.registry import MODELS

__all__ = ["MODELS"]
