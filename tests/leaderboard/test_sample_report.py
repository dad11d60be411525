"""Metrics of whole samples and memorisation, as records hold them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from data_adapters.registry import Registry
from leaderboard import sample_report
from leaderboard.sample_report import SampleReports
from metrics.scorecards import scorecard_for
from metrics.whole_sample import WHOLE_SAMPLE_METRICS, Outcome, SamplePair
from metrics.whole_sample.mscn import MSCN
from metrics.whole_sample.optimisation_3dgan import OPTIMISATION_3DGAN

DATASET = DATASETS["atlas-photons-geant4"]
SCORECARD = scorecard_for(DATASET, "atlas-photons-v1")


def mean_response(pair: SamplePair, seed: int) -> Outcome:  # noqa: ARG001
    return Outcome(float(pair.generated.response.sum() / pair.reference.response.sum()), float("nan"), {"seed": None})


def diverged(pair: SamplePair, seed: int) -> Outcome:  # noqa: ARG001
    return Outcome(1.0, 0.1, {"nan": float("nan"), "list": [1.0, (float("inf"),)], "remark": "seen"})


@pytest.fixture
def chosen(monkeypatch) -> None:
    """A metric whose values are known, one that reports NaN, and one that does not apply."""
    plain = replace(MSCN, name="fpd", function=mean_response)
    odd = replace(MSCN, name="kpd", function=diverged)
    registry = Registry("whole-sample metric", plain, odd, OPTIMISATION_3DGAN)
    monkeypatch.setattr("metrics.whole_sample_report.WHOLE_SAMPLE_METRICS", registry)


@pytest.fixture(scope="module")
def reference() -> Events:
    return DATASET.split("validation")


@pytest.fixture(scope="module")
def twin() -> Events:
    found = DATASET.twin_split("validation")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def training() -> Events:
    return DATASET.split("train")


@pytest.mark.usefixtures("chosen")
class TestWholeSample:
    def test_the_floor_is_what_the_twin_gets(self, reference, twin):
        reports = SampleReports(DATASET, SCORECARD, reference, twin)
        found = reports.whole_sample(2 * twin.response)
        expected = float(twin.response.sum() / reference.response.sum())
        row = found.record["metrics"][0]
        assert row["outcome"] == {"value": pytest.approx(2 * expected, rel=1e-5), "error": None}
        assert row["floor"] == {"value": pytest.approx(expected, rel=1e-5), "error": None}
        floor = reports.whole_sample(None).record["metrics"][0]
        assert floor["outcome"] == floor["floor"] == row["floor"]

    def test_without_a_twin_there_is_no_floor(self, reference):
        found = SampleReports(DATASET, SCORECARD, reference, None).whole_sample(reference.response)
        assert found.record["metrics"][0]["floor"] is None
        assert found.record["metrics"][0]["outcome"]["value"] == 1.0

    def test_what_does_not_apply_says_why(self, reference, twin):
        found = SampleReports(DATASET, SCORECARD, reference, twin).whole_sample(twin.response)
        row = found.record["metrics"][2]
        assert row["outcome"] is None
        assert row["floor"] is None
        assert "atlas-photons" in row["remark"]

    def test_remarks_of_a_metric_are_kept_and_details_are_finite(self, reference, twin):
        found = SampleReports(DATASET, SCORECARD, reference, twin).whole_sample(twin.response)
        assert found.record["metrics"][1]["remark"] == "seen"
        details = found.details[1]["outcome"]["details"]
        assert details == {"nan": None, "list": [1.0, [None]], "remark": "seen"}
        json.dumps([found.record, found.details], allow_nan=False)

    def test_a_sample_that_cannot_be_measured_says_why(self, reference, twin):
        broken = np.full_like(twin.response, np.nan)
        found = SampleReports(DATASET, SCORECARD, reference, twin).whole_sample(broken)
        assert found.record["metrics"] == []
        assert "nan" in found.record["reason"].lower()


class TestMemorisation:
    def test_copies_of_training_events_are_found(self, reference, twin, training):
        rows = np.arange(len(reference)) % len(training)
        scale = (reference.incident_energy / training.incident_energy[rows]).astype(np.float32)
        copies = training.response[rows] * scale[:, None]
        found = SampleReports(DATASET, SCORECARD, reference, twin).memorisation(copies)
        assert found["found"]["all_events"]["copies"] > 0.95
        assert found["found"]["control"]["all_events"]["copies"] < 0.3
        assert found["found"]["training_events"] == len(training)
        assert found["unit"] == "incident energy"

    def test_only_some_events_of_a_large_sample_are_compared(self, reference, twin, training, monkeypatch):
        cells = DATASET.detector.num_cells
        monkeypatch.setattr(sample_report, "MOST_COMPARED", 60)
        monkeypatch.setattr(sample_report, "IN_MEMORY_BYTES", 500 * cells * 4)
        found = SampleReports(DATASET, SCORECARD, reference, twin).memorisation(twin.response)["found"]
        assert found["all_events"]["events"] == found["control"]["all_events"]["events"] == 60
        assert found["all_events"] == found["control"]["all_events"]  # the same events of the twin
        assert found["training_events"] == 500 < len(training)
        assert found["held_out_events"] == len(reference)

    def test_without_a_twin_there_is_no_control(self, reference):
        found = SampleReports(DATASET, SCORECARD, reference, None).memorisation(reference.response)
        assert found["found"]["control"] is None

    def test_events_that_were_trained_on_are_no_held_out_ones(self, training):
        found = SampleReports(DATASET, SCORECARD, training, None).memorisation(training.response)
        assert found["found"] is None
        assert "training and held-out events" in found["reason"]


@pytest.mark.slow
def test_every_metric_can_be_recorded(reference, twin):
    found = SampleReports(DATASET, SCORECARD, reference, twin).whole_sample(0.9 * twin.response)
    assert [row["name"] for row in found.record["metrics"]] == list(WHOLE_SAMPLE_METRICS)
    assert all(row["outcome"] or row["remark"] for row in found.record["metrics"])
    json.dumps([found.record, found.details], allow_nan=False)


def test_tracks_get_their_distances_to_helices_and_others_do_not(reference, twin):
    assert SampleReports(DATASET, SCORECARD, reference, twin).helix(reference.response) is None
    tracks = DATASETS["alice-tracks-geant4"]
    validation = tracks.split("validation").select(np.arange(50))
    reports = SampleReports(tracks, scorecard_for(tracks, "alice-tracks-v1"), validation, None)
    found = reports.helix(np.zeros_like(validation.response))
    assert found is not None
    assert set(found["samples"]) == {"generated", "reference"}
    assert found["samples"]["generated"]["tracks_without_helix"] == 50
    assert found["samples"]["reference"]["rms_mm"] == pytest.approx(1.3, rel=0.15)
