"""Markdown, as the generated pages need it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a header; cells may hold ``|`` and newlines."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def code_free(text: str) -> str:
    """Text that a Markdown table shows as it is."""
    return text.replace("<", "&lt;").replace("|", "&#124;")
