"""The record of a made-up search."""

from __future__ import annotations

from typing import Any

from leaderboard.studies import StudyRecord


def choice(name: str, choices: list[Any], default: Any, **changed: Any) -> dict[str, Any]:
    branch = {
        "choices": choices, "low": None, "high": None, "log": False, "step": None, "published": choices, "when": None,
    }  # fmt: skip
    return {
        "name": name, "title": name.capitalize(), "default": default, "source": "table 2", "note": "",
        "varied": len(choices) > 1, "branches": [branch | changed],
    }  # fmt: skip


def number(name: str, low: float, high: float, default: float, **changed: Any) -> dict[str, Any]:
    parameter = choice(name, [low, high], default)
    parameter["branches"][0] |= {"choices": None, "low": low, "high": high, "log": True} | changed
    return parameter


def trial(index: int, status: str = "completed", value: float = 1.0, **parameters: Any) -> dict[str, Any]:
    scored = status in ("completed", "pruned", "preempted")
    return {
        "number": index, "status": status, "value": value if scored else None, "score": value if scored else None,
        "score_error": 0.05, "objective": value, "epochs": 100, "best_epoch": 75, "seconds": 36.0, "cpu_seconds": 72.0,
        "gpu_seconds": 0.0, "parameters": parameters, "detail": "",
    }  # fmt: skip


def study_record() -> StudyRecord:
    """A search of three hyperparameters, one of them conditional, and one that was held."""
    trials = [
        trial(0, value=2.0, units=128, weight=0.0, rate=5e-5),
        trial(1, "pruned", 5.0, units=64, weight=10.0, penalty="one_sided", rate=1e-3),
        trial(2, "diverged", units=64, weight=10.0, penalty="two_sided", rate=3e-3),
        trial(3, value=0.8, units=128, weight=10.0, penalty="two_sided", rate=4e-4),
        trial(4, "running", units=64, weight=0.0, rate=1e-4) | {"score_error": None},
    ]
    weights = [
        {"name": "rate", "share": 0.8, "low": 0.6, "high": 0.9},
        {"name": "units", "share": 0.2, "low": 0.1, "high": 0.3},
    ]
    learned = {
        "title": "Rate",
        "default": 5e-5,
        "best": 4e-4,
        "top_range": [4e-4, 1e-3],
        "top_trials": 2,
        "importance": 0.8,
    }
    candidates = {"leader": {"number": 3, "value": 0.8, "error": 0.05, "cost": 2.0}}
    return {
        "name": "atlas-gan", "title": "A search", "directory": "007", "status": "finished", "preset": "laptop",
        "sampler": "tpe", "epochs": 100, "command": "python search/atlas_gan.py", "minutes": 3.5,
        "trials": {"completed": 2, "pruned": 1, "diverged": 1}, "best_validation": 0.8,
        "best_validation_error": 0.05, "best_trial": 3, "version": 2, "last_sign": "2026-01-02 03:04:05 UTC",
        "default_role": "paper's configuration", "objectives": ["score"],
        "pruner": {"name": "ASHA", "reduction_factor": 3, "rungs": [11, 33]}, "floor": {"value": 0.4, "error": 0.02},
        "space": [
            choice("units", [64, 128], 128), choice("weight", [0.0, 10.0], 10.0),
            choice("penalty", ["one_sided", "two_sided"], "two_sided", when="weight > 0"),
            number("rate", 1e-5, 5e-3, 5e-5), choice("batch_size", [64], 64),
        ],
        "trial_list": trials,
        "curves": [{"number": index, "epochs": [25, 50, 100], "values": [9.0, 4.0, 1.0]} for index in (0, 1, 3)],
        "budget": [
            {"status": "completed", "trials": 2, "wall_hours": 0.02, "cpu_hours": 0.04, "gpu_hours": 0.0},
            {"status": "pruned", "trials": 1, "wall_hours": 0.01, "cpu_hours": 0.02, "gpu_hours": 0.0},
        ],
        "importance": {
            "method": "PED-ANOVA", "trials": 24, "best_trials": 5, "resamples": 50, "reason": None,
            "parameters": weights,
        },
        "learned": [{"parameter": "rate", **learned}],
        "tied": {
            **candidates, "cheapest": {"number": 0, "value": 0.85, "error": 0.05, "cost": 0.5}, "trials": [0, 3],
            "cost": "generation time", "unit": "ms a shower", "fresh_samples": True,
        },
    }  # fmt: skip
