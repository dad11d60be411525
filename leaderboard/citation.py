"""How an entry is cited: this software as ``CITATION.cff`` says, and the paper of the model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from leaderboard.records import JsonObject

FILE = Path(__file__).parents[1] / "CITATION.cff"
FIELD = re.compile(r"^(title|version):[ \t]*(.+?)[ \t]*$", re.MULTILINE)
AUTHORS = re.compile(r"^authors:\n((?:[ \t]+.*\n)+)", re.MULTILINE)
AUTHOR = re.compile(r"name:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
PACKAGE = "fastsim-arena"


@dataclass(frozen=True)
class Software:
    """Of ``CITATION.cff``: who wrote what, in which version."""

    authors: str
    title: str
    version: str


@cache
def software() -> Software:
    """This software; its name alone where it was installed without the file."""
    if not FILE.is_file():
        return Software("The FastSim Arena authors", "FastSim Arena", "")
    content = FILE.read_text(encoding="utf-8")
    fields = dict(FIELD.findall(content))
    block = AUTHORS.search(content)
    authors = AUTHOR.findall(block.group(1)) if block else []
    return Software(", ".join(authors), fields.get("title", "FastSim Arena"), fields.get("version", ""))


def citation(entry: JsonObject) -> str:
    """What one writes for an entry: the software with its version, the entry, and the paper of its model."""
    of = software()
    version = entry["provenance"]["versions"].get(PACKAGE) or of.version
    words = [f"{of.authors}: {of.title}{f', version {version}' if version else ''}"]
    words += [f"entry {entry['id']} ({entry['model']['title']}; {entry['dataset']['title']})"]
    source = entry["model"]["source"]
    if entry["kind"] != "baseline" and source.strip():
        words += [f"model: {source}"]
    return f"{'; '.join(words)}."
