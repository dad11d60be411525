"""Numbers and names as people read them, on the pages and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NOTHING = "–"
SIGNIFICANT = 1.645  # standard errors, one-sided 95 %: below, only the lower limit of a worth is shown
COMPONENT_TITLES = {
    "score": "Score",
    "bmre": "BMRE",
    "response": "Response",
    "shower_size": "Shower size",
    "helix_residual": "Helix residuals",
    "wasserstein": "W₁",
    "correlation": "Correlation",
    "separation_power": "Separation power",
    "chi2_ndf": "χ²/ndf",
}
COMPONENT_MEANINGS = {
    "bmre": "mean relative error of the bins of histograms and mean profiles",
    "response": "relative error of the mean energy response",
    "shower_size": "relative error of the mean signal near the core, geometric",
    "helix_residual": "Wasserstein-1 distance of the helix residuals, in standard deviations of the full simulation",
    "wasserstein": "Wasserstein-1 distance, in standard deviations of the full simulation",
    "correlation": "root mean square difference of the observables' correlations",
}
HELIX_ROWS = {
    "mse_scaled": "MSE, coordinates as fractions of 5 m",
    "mse_scaled_bending_plane": "the same in the bending plane",
    "published_column": "MSE × 500, the paper's column",
    "rms_mm": "root mean square [mm]",
    "tracks": "tracks with a helix",
    "tracks_without_helix": "tracks without",
}
BETTER, WORSE = "better (lower)", "worse (higher)"
STATUS_MEANINGS = {
    "complete": "every planned seed was trained and judged",
    "incomplete": "not every planned seed is there: shown without a rank",
    "diverged": "the training of at least one seed diverged: shown without a rank",
}


def with_error(estimate: Mapping[str, Any] | None) -> str:
    """``value ± error`` with two significant digits of the error; a dash for None."""
    if estimate is None:
        return NOTHING
    value, error = estimate["value"], estimate.get("error")
    if not error:
        return significant(value, 4)
    decimals = _decimals(error, 2)
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def signed_with_error(estimate: Mapping[str, Any] | None) -> str:
    """``value ± error`` with a true minus, unless the value is rounded to 0; a dash for None."""
    if estimate is None:
        return NOTHING
    text = with_error({**estimate, "value": abs(estimate["value"])})
    rounded_to_zero = float(text.split(" ± ")[0]) == 0
    return text if estimate["value"] >= 0 or rounded_to_zero else f"−{text}"


def with_interval(value: float, interval: Mapping[str, float]) -> str:
    """``value (lower … upper)`` with two significant digits of the half width."""
    decimals = _decimals((interval["upper"] - interval["lower"]) / 2, 2)
    numbers = value, interval["lower"], interval["upper"]
    shown, lower, upper = (_true_minus(f"{number:.{decimals}f}") for number in numbers)
    return f"{shown} ({lower} … {upper})"


def _true_minus(number: str) -> str:
    return number.replace("-", "" if float(number) == 0 else "−")


def worth_in_events(worth: Mapping[str, Any] | None, excess: Mapping[str, Any] | None) -> str:
    """Events of full simulation: an estimate only where the excess is significant, else the lower limit.

    A dash where even that is not known, and for records without a worth.
    """
    if worth is None or worth["at_least"] is None:
        return NOTHING
    at_least = f"≥ {_two_digits(worth['at_least'])}"
    if excess is None or worth["events"] is None or excess["value"] <= SIGNIFICANT * excess["error"]:
        return at_least
    return f"{_two_digits(worth['events'])} ({at_least})"


def _two_digits(number: float) -> str:
    return count(int(float(f"{number:.1e}"))) if number >= 10 else significant(number, 2)


def significant(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, without exponent where it stays short; a dash for None."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{_decimals(value, digits)}f}"


def signed(value: float | None, digits: int = 2) -> str:
    """A number with its sign, a true minus; a dash for None."""
    if value is None:
        return NOTHING
    return f"{'−' if value < 0 else '+'}{significant(abs(value), digits)}"


def count(number: int | None) -> str:
    """A whole number with thin spaces between the thousands; a dash for None."""
    return NOTHING if number is None else f"{number:,}".replace(",", "\u202f")


def times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def gev(energy: float) -> str:
    """An energy given in MeV, in GeV with three significant digits."""
    return f"{significant(energy / 1000, 3)} GeV"


def component_title(name: str) -> str:
    return COMPONENT_TITLES.get(name, name)


def helix_table(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Header and rows of the distances of points to helices (``leaderboard.helix``)."""
    reports = record["samples"]
    header = ("Points and helices (0 is not perfect)", *(role.capitalize() for role in reports))
    rows = ((title, *(significant(report[name]) for report in reports.values())) for name, title in HELIX_ROWS.items())
    return [header, *rows]


def seeds_label(entry: Mapping[str, Any]) -> str:
    """``3 of 3 seeds``: completed of planned."""
    planned = len(entry["training"]["seeds_planned"])
    return f"{completed_seeds(entry)} of {planned} seed{'' if planned == 1 else 's'}"


def completed_seeds(entry: Mapping[str, Any]) -> int:
    return sum(seed["status"] == "completed" for seed in entry["seeds"])


def comparison_sentences(entry: Mapping[str, Any], against: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """How an entry stands against all that it was compared with.

    Args:
        against: Id of another entry → ``ranking`` of ``comparison_sentence``.
    """
    return [comparison_sentence(entry, each, against.get(each["with"])) for each in entry["comparisons"]]


def comparison_sentence(
    entry: Mapping[str, Any], comparison: Mapping[str, Any], ranking: Mapping[str, Any] | None = None
) -> str:
    """How an entry stands against another, with what that is worth.

    Args:
        ranking: The difference that the ranks of both follow from, this one minus the other: ``value``, ``lower``,
            ``upper``; without it, the one that was found seed by seed when the entry was written.
    """
    if ranking is not None:
        return _ranking_sentence(entry["title"], comparison["title"], ranking)
    difference = comparison["difference"]
    better = BETTER if difference < 0 else WORSE
    amount = with_error({"value": abs(difference), "error": comparison["error"]})
    number = comparison["standard_errors"]
    worth = "" if number is None else f", {significant(abs(number), 2)} standard errors"
    seeds = comparison["seeds"]
    return (
        f"{entry['title']}: {amount} {better} than {comparison['title']}{worth} "
        f"(same test events, {seeds} seed{'s' if seeds > 1 else ''})"
    )


def _ranking_sentence(title: str, other: str, difference: Mapping[str, Any]) -> str:
    value, low, high = (difference[name] for name in ("value", "lower", "upper"))
    better, sign = (BETTER, -1) if value < 0 else (WORSE, 1)
    interval = {"lower": min(sign * low, sign * high), "upper": max(sign * low, sign * high)}
    tied = ": a tie" if low <= 0 <= high else ""
    return (
        f"{title}: {with_interval(abs(value), interval)} {better} than {other} (95 % interval, same test events){tied}"
    )


def _decimals(value: float, digits: int) -> int:
    rounded = float(f"{abs(value):.{digits - 1}e}")  # 0.0996 has the decimals of 0.10
    return max(0, digits - 1 - math.floor(math.log10(rounded)))
