"""Kinds of files that hold arrays of numbers, whatever these mean: one file each, and a line in ``registry.py``."""
