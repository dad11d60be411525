"""What commands print when they cannot do what was asked; apart, so that no command loads Ray and torch for it."""

from __future__ import annotations

import sys


def fail(error: Exception) -> int:
    """Print what is wrong; returns the exit status."""
    where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    text = f"{where}{error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)
    print(f"error: {text}", file=sys.stderr)
    return 2
