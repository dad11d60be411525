"""Bytes on disk to events: file formats, detectors, datasets, splits. Knows no model."""
