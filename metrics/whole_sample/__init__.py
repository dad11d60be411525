"""Metrics of whole samples, for the benchmark: they train networks or compare event with event."""
