"""Templates to HTML, figures to SVG: what all pages share."""

from __future__ import annotations

import hashlib
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


def render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(**context)


def svg(figure: Figure, label: str) -> Markup:
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


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "with_error": text.with_error,
        "significant": text.significant,
        "excess": text.signed_with_error,
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
        "directions": {"lower": "lower", "higher": "higher", "to_perfect": "nearer to perfect"},
    }
    return environment
