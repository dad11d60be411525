"""File layouts, one file each: keys, shapes and units, and the detectors that belong to them."""
