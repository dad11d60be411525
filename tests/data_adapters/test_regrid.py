"""Smaller detectors from the same files, and samples with further events to train on."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data_adapters.datasets import CLIC_ELECTRONS_2_500_GEV, CLIC_ELECTRONS_100_200_GEV, DATASETS, SAMPLES
from data_adapters.layouts.clic_3dgan import CLIC_ELECTRONS, measured_angle
from data_adapters.regrid import Regrid, regridded
from data_adapters.splits import split_of

WHOLE, COARSE, TWO_STEPS = (
    CLIC_ELECTRONS_100_200_GEV,
    DATASETS["clic-electrons-coarse"],
    DATASETS["clic-electrons-two-steps"],
)
ROWS = np.array([3, 700, 12])
REGRID = Regrid("part", "Part", (1, 0, 5), (5, 51, 20), (2, 3, 5))


def test_cells_are_sums_of_the_cells_they_cover() -> None:
    source = regridded(WHOLE.source, REGRID)
    images = WHOLE.source.select(ROWS).response.reshape(-1, 51, 51, 25)
    coarse = source.select(ROWS).response.reshape(-1, 2, 17, 3)
    for x, y, z in np.ndindex(2, 17, 3):
        covered = images[:, 1 + 2 * x : 3 + 2 * x, 3 * y : 3 * y + 3, 5 + 5 * z : 10 + 5 * z]
        np.testing.assert_allclose(coarse[:, x, y, z], covered.sum(axis=(1, 2, 3)), rtol=1e-6)


def test_cells_lie_where_they_lay() -> None:
    x, y, z = regridded(WHOLE.source, REGRID).detector.layers[0].axes
    old = CLIC_ELECTRONS.layers[0].axes
    assert x.edges == tuple(old[0].edges[place] for place in (1, 3, 5))
    assert (y.edges[0], y.edges[-1], y.num_cells) == (old[1].edges[0], old[1].edges[-1], 17)
    assert z.edges == tuple(old[2].edges[place] for place in (5, 10, 15, 20))


@pytest.mark.parametrize(
    "change",
    [{"last": (6, 51, 20)}, {"last": (5, 54, 20)}, {"first": (1, 0), "last": (5, 51), "merged": (2, 3)}],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="whole merged cells inside of it"):
        replace(REGRID, **change).detector(CLIC_ELECTRONS)


def test_detectors_of_several_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="one layer is needed"):
        replace(REGRID, first=(0, 0), last=(1, 1), merged=(1, 1)).detector(DATASETS["atlas-photons-geant4"].detector)


def test_a_source_of_merged_cells_can_be_sent_to_another_process() -> None:
    source = pickle.loads(pickle.dumps(COARSE.source))  # noqa: S301 (our own bytes)
    np.testing.assert_array_equal(source.read(0, 2).response, COARSE.source.read(0, 2).response)


def test_the_coarse_sample_keeps_showers_conditions_and_splits() -> None:
    whole, coarse = WHOLE.source.select(ROWS), COARSE.source.select(ROWS)
    np.testing.assert_array_equal(whole.identity, coarse.identity)
    for name, values in whole.conditions.items():
        np.testing.assert_array_equal(values, coarse.conditions[name])
    np.testing.assert_array_equal(WHOLE.rows("validation"), COARSE.rows("validation"))
    contained = coarse.response.sum(axis=1) / whole.response.sum(axis=1)
    assert (contained > 0.94).all()
    assert (contained < 1).all()


def test_the_angle_is_still_there() -> None:
    events = COARSE.split("train")
    shape = events.detector.layers[0].shape
    measured = measured_angle(events.response.reshape(-1, *shape))
    assert np.corrcoef(measured, events.conditions["theta"])[0, 1] > 0.97


def test_another_grid_is_another_sample() -> None:
    assert COARSE.sha256 != WHOLE.sha256
    assert COARSE.detector.name != WHOLE.detector.name


def test_files_of_ones_own_are_taken_as_they_are() -> None:
    own = COARSE.with_files(WHOLE.file, None)
    assert own.detector == CLIC_ELECTRONS
    assert len(TWO_STEPS.with_files(WHOLE.file, None).source) == len(WHOLE.source)


def test_further_events_are_trained_on_and_never_judged() -> None:
    main = CLIC_ELECTRONS_2_500_GEV
    assert len(TWO_STEPS.source) == len(main.source) + len(WHOLE.source)
    for split in ("validation", "test"):
        np.testing.assert_array_equal(TWO_STEPS.rows(split), main.rows(split))
        assert TWO_STEPS.twins_of(TWO_STEPS.rows(split)) is not None
    train = TWO_STEPS.source.identity[TWO_STEPS.rows("train")]
    assert len(train) == len(main.rows("train")) + len(WHOLE.rows("train"))
    assert (split_of(train) == "train").all()
    energies = TWO_STEPS.source.conditions["incident_energy"][TWO_STEPS.rows("train")]
    assert ((energies >= 100) & (energies <= 200)).mean() > 0.6
    assert TWO_STEPS.sha256 != main.sha256


def test_they_take_no_room() -> None:
    assert {TWO_STEPS.file, *TWO_STEPS.further_training, COARSE.file} <= set(SAMPLES.iterdir())
