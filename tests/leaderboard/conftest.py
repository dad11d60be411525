"""Made-up records, independent of models and metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from leaderboard.ranking import Table, tables
from leaderboard.resamples import Resamples

COMPONENTS = ("bmre", "response", "wasserstein", "correlation")
ENERGIES = (1024.0, 65536.0)
Make = Callable[..., dict[str, Any]]


def _entry(**changes: Any) -> dict[str, Any]:
    score = changes.pop("score", 0.8)
    seeds = [
        {
            "seed": seed,
            "status": "completed",
            "score": score,
            "error": 0.02,
            "components": {name: {"value": 0.3, "error": 0.01} for name in COMPONENTS},
            "excess": {"value": 0.3, "error": 0.02},
            "z": 15.0,
            "best_epoch": 290,
            "train_cpu_s": 21.5,
            "detail": "",
        }
        for seed in range(3)
    ]
    entry = {
        "schema": 1,
        "id": "atlas-gan.laptop.00000001",
        "title": "ATLAS GAN, best of the search",
        "kind": "model",
        "status": "complete",
        "study": {
            "name": "atlas_gan",
            "sampler": "TPE",
            "trials_compared": 24,
            "space_sha256": "a" * 64,
            "seed": 0,
            "directory": "atlas-gan-1",
        },
        "preset": "laptop",
        "detector": "atlas-photons",
        "dataset": {
            "name": "made-up",
            "title": "Made-up photons",
            "sha256": "b" * 64,
            "provenance": "Made up for tests. Not ATLAS full simulation.",
            "split": "test",
            "num_events": 1000,
        },
        "scorecard": {
            "name": "atlas-photons-v1",
            "version": 1,
            "identity": "c" * 64,
            "weights": dict.fromkeys(COMPONENTS, 1.0),
            "scales": dict.fromkeys(COMPONENTS, 0.5),
        },
        "model": {
            "name": "atlas-gan",
            "title": "WGAN-GP",
            "config": {"learning_rate": 5e-4, "units": 128},
            "paper_config": {"learning_rate": 5e-5, "units": 128},
            "source": "ATL-SOFT-PUB-2018-001, table 2",
            "num_parameters": {"generate": 75_000, "train": 150_000},
        },
        "training": {
            "epochs": 300,
            "epochs_label": "300 of the paper's 50 000 epochs",
            "showers": 3000,
            "checkpoint_rule": "best_validation",
            "seeds_planned": [0, 1, 2],
        },
        "seeds": seeds,
        "score": {"value": score, "error": 0.03},
        "components": {name: {"value": 0.3, "error": 0.01, "floor": 0.2} for name in COMPONENTS},
        "floor": {"value": 0.5, "error": 0.01},
        "excess": {"value": score - 0.5, "error": 0.03},
        "z": (score - 0.5) / 0.03,
        "comparisons": [],
        "cost": {
            "generation_ms_per_shower": {
                "batch_1": {"median": 0.21, "spread": 0.02},
                "batch_100": {"median": 0.012, "spread": 0.001},
                "batch_10000": {"median": 0.008, "spread": 0.0005},
            },
            "peak_memory_mb": 310.0,
            "train_cpu_s": 21.5,
            "hardware": "a processor, CPU, one thread",
        },
        "test_openings": 1,
        "provenance": {
            "time": "2024-01-01T00:00:00+00:00",
            "code_commit": "d" * 40,
            "code_dirty": False,
            "versions": {"python": "3.11.0"},
            "replay": "python search/atlas_gan.py --replay 1",
        },
    }
    return entry | changes


def _measured_entry(**changes: Any) -> dict[str, Any]:
    entry = _entry(**changes)
    significant = {
        "excess": {"value": 0.1, "error": 0.02},
        "p_value": 0.005,
        "worth": {"events": 2000, "at_least": 1132},
    }
    nearest = {
        "events": 1000,
        "fraction": 0.75,
        "expected": 0.5,
        "error": 0.05,
        "z": 5.0,
        "p_value": 0.001,
        "copies": 0.5,
        "copies_error": 0.1,
    }
    sample = {
        "all_events": nearest,
        "closest_tenth": nearest | {"events": 100},
        "training_events": 3000,
        "held_out_events": 1000,
        "training_distances": {"0.01": 0.01, "0.25": 0.02, "0.75": 0.04},
        "held_out_distances": {"0.01": 0.02, "0.25": 0.03, "0.75": 0.05},
        "control": None,
    }
    row = {
        "name": "precision",
        "title": "Precision",
        "unit": "1",
        "direction": "higher",
        "perfect": 1.0,
        "outcome": {"value": 0.512, "error": 0.036},
        "floor": {"value": 0.979, "error": None},
        "remark": "",
    }
    missing = row | {
        "name": "other",
        "title": "Other",
        "outcome": None,
        "floor": None,
        "remark": "it needs 10 000 events",
    }
    return entry | {
        "components": {name: component | significant for name, component in entry["components"].items()},
        "seeds": [seed | {"p_values": {"score": 0.0123}} for seed in entry["seeds"]],
        "p_value": 0.0123,
        "worth": {"events": 1388.9, "at_least": 1041.0},
        "whole_sample": {"seed": 1, "reason": "", "metrics": [row, missing]},
        "memorisation": {"seed": 1, "reason": "", "unit": "incident energy", "found": sample | {"control": sample}},
    }


def _histogram(observable: str, kind: str, energy: float) -> dict[str, Any]:
    return {
        "observable": observable,
        "title": f"Title of {observable}",
        "unit": "1",
        "kind": kind,
        "energy_mev": energy,
        "edges": [0.0, 1.0, 2.0, 3.0],
        "edges_unit": "rad" if kind == "profile" else "1",
        "y_label": "Fraction of events",
        "reference": [0.2, 0.5, 0.0],
        "reference_error": [0.02, 0.03, 0.0],
        "generated": [0.3, 0.2, 0.1],
        "generated_error": [0.02, 0.03, 0.01],
        "floor": [0.21, 0.49, 0.0],
        "chi2": 12.5,
        "ndf": 2,
        "p_value": 0.002,
    }


def _observables(**changes: Any) -> dict[str, Any]:
    curve = {
        "energy_mev": list(ENERGIES),
        **{name: [0.9, 0.95] for name in ("reference", "generated", "floor")},
        **{f"{name}_error": [0.01, 0.01] for name in ("reference", "generated", "floor")},
    }
    layer = {
        "layer": "front",
        "eta_edges": [-0.1, 0.0, 0.1],
        "phi_edges": [-0.2, -0.1, 0.1, 0.2],
        "reference": [[0.0, 0.2, 0.0], [0.1, 0.3, 0.1]],
        "generated": [[0.0, 0.1, 0.0], [0.1, 0.4, 0.1]],
    }
    history = [{"epoch": epoch, "losses": {"critic": 1.0}, "score": 3.0 / epoch} for epoch in (10, 20, 30)]
    observables = {
        "schema": 1,
        "seed": 1,
        "histograms": [
            _histogram(name, kind, energy)
            for energy in ENERGIES
            for name, kind in (("response", "distribution"), ("lateral_eta_front", "profile"))
        ],
        "images": [{"energy_mev": energy, "layers": [layer]} for energy in ENERGIES],
        "response": [
            {"quantity": "mean", "y_label": "Mean of E / E_inc", **curve},
            {"quantity": "resolution", "y_label": "σ(E) / ⟨E⟩", **curve},
        ],
        "judgement": {
            "by_energy": [
                {"energy": energy, **{name: {"value": 0.3, "error": None} for name in ("score", *COMPONENTS)}}
                for energy in ENERGIES
            ]
        },
        "training": [{"seed": seed, "best_epoch": 30, "history": history} for seed in range(3)],
    }
    return observables | changes


@pytest.fixture(scope="session")
def make_entry() -> Make:
    """A complete, valid entry; keyword arguments replace its fields, ``score`` its value."""
    return _entry


def _resamples(entry: dict[str, Any], seed_spread: float = 1e-3, event_spread: float = 1e-3) -> Resamples:
    """Scores of the completed seeds around the entry's; the same fluctuation of the events for every entry."""
    seeds = sum(seed["status"] == "completed" for seed in entry["seeds"])
    score = (entry["score"] or {"value": 1.0})["value"]
    scores = score + seed_spread * (np.arange(seeds) - (seeds - 1) / 2)
    events = np.random.default_rng(0).normal(size=(2, 1, 20))
    own = np.random.default_rng(len(entry["id"])).normal(size=(2, seeds, 20))
    replicas, halves = scores[:, None] + event_spread * (events + 0.1 * own)
    return Resamples(scores, replicas, halves)


@pytest.fixture(scope="session")
def make_resamples() -> Callable[..., Resamples]:
    """Resamples that fit a made-up entry, so that it can be ranked."""
    return _resamples


@pytest.fixture(scope="session")
def ranked_tables() -> Callable[..., list[Table]]:
    """The tables of made-up entries, each with resamples that tell scores apart."""

    def of(entries: list[dict[str, Any]]) -> list[Table]:
        return tables(entries, {entry["id"]: _resamples(entry) for entry in entries})

    return of


@pytest.fixture(scope="session")
def make_observables() -> Make:
    """What the plots of an entry show; keyword arguments replace its fields."""
    return _observables


@pytest.fixture(scope="session")
def make_measured_entry() -> Make:
    """The same with all that is optional: excess, p-value and worth, metrics of whole samples, memorisation."""
    return _measured_entry
