"""Samples larger than memory: events in random order, batch by batch, prepared by threads."""

from data_adapters.streaming.stream import Batch, EventStream

__all__ = ["Batch", "EventStream"]
