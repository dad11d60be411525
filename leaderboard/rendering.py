"""Templates to HTML, figures to SVG: what all pages share."""

from __future__ import annotations

import base64
import hashlib
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from leaderboard import plots, text
from leaderboard.records import JsonObject

TEMPLATES = Path(__file__).parent / "templates"
SOME_DRAWS, MOST_DRAWS = 0.15, 0.9  # more than chance leaves; what is expected of a metric
ERRORS = (2.33, 4.0, 6.0)  # one-sided α = 0.01, and much less
# Control characters, and those that turn the direction of a text or are seen by nobody.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(**context)


def visible(words: str) -> str:
    """The text with a replacement character for each that would hide or reorder what stands around it."""
    return INVISIBLE.sub("\ufffd", words)


def shortened(words: str, letters: int) -> str:
    """At most so many letters of a text from a record, all of them visible."""
    words = visible(words)
    return words if len(words) <= letters else words[: letters - 1] + "…"


def script(name: str) -> Markup:
    """A script of ours, to be put into a page between tags of its own."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 (a file of this package)


def script_source(name: str) -> Markup:
    """What a page's Content-Security-Policy says of the script: this text may run, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(script(name).encode()).digest()).decode()
    return Markup("'sha256-{}'").format(digest)


def svg(figure: Figure, label: str) -> Markup:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a title in a script that the font lacks
        return _svg(figure, visible(label))


def _svg(figure: Figure, label: str) -> Markup:
    return Markup(plots.to_svg(figure, label))  # noqa: S704 (matplotlib escapes the texts of a plot, to_svg the label)


@cache
def code_digest() -> str:
    files = [*sorted(TEMPLATES.iterdir()), *sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files if path.is_file())).hexdigest()


def _power_class(row: JsonObject) -> str:
    """Of the cell of a table: how often a fault was noticed."""
    power = row["noticed"] / row["draws"]
    shade = sum(power >= limit for limit in (SOME_DRAWS, 0.5, MOST_DRAWS))
    return f" power{shade}" if shade else ""


def _errors_class(standard_errors: float | None) -> str:
    """The same of a metric that states an error."""
    shade = 0 if standard_errors is None else sum(standard_errors > limit for limit in ERRORS)
    return f" power{shade}" if shade else ""


def _published(measured: JsonObject | None) -> str:
    """Two digits of the error; without one, as many digits as the record has."""
    if measured is None or measured["error"]:
        return text.signed_with_error(measured)
    return f"{measured['value']:,.12g}".replace(",", "\u202f").replace("-", "−")


def _finalize(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "with_error": text.with_error,
        "significant": text.significant,
        "shortened": shortened,
        "sentence": lambda words: words[:1].upper() + words[1:],
        "excess": text.signed_with_error,
        "published": _published,
        "worth": lambda row: text.worth_in_events(row["worth"], row["excess"]),
        "signed": text.signed,
        "count": text.count,
        "gev": text.gev,
        "times": text.times,
        "component_title": text.component_title,
        "power_class": _power_class,
        "errors_class": _errors_class,
        "seeds_label": text.seeds_label,
        "completed_seeds": text.completed_seeds,
        "seed_score": lambda seed: {"value": seed["score"], "error": seed["error"]},
        "timing": lambda timing: text.with_error({"value": timing["median"], "error": timing["spread"]}),
        "per_second": lambda milliseconds: text.significant(1000 / milliseconds, 2) if milliseconds else text.NOTHING,
    }
    environment.globals |= {
        "status_meanings": text.STATUS_MEANINGS,
        "component_meanings": text.COMPONENT_MEANINGS,
        "script": script,
        "script_source": script_source,
        "directions": {"lower": "lower", "higher": "higher", "to_perfect": "nearer to perfect"},
    }
    return environment
