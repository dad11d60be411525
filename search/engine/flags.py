"""Command lines that help whoever mistypes a flag."""

from __future__ import annotations

import argparse
import difflib
from typing import Any


class Flags(argparse.ArgumentParser):
    """A parser, and those of its commands, that name the flags nearest to one that they do not have."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As ``argparse`` does it; ends the process where a flag is left over."""
        found, left = super().parse_known_args(args, namespace)
        unknown = [word.split("=")[0] for word in left if word.startswith("-")]
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(unknown[0], flags, n=3, cutoff=0.5)
            nearest = f" Nearest: {', '.join(near)}." if near else ""
            self.error(f"no flag {unknown[0]}.{nearest} --help lists all of them")
        return found, left
