"""What every registered dataset, layout and simulator must hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from data_adapters import adapters, layouts
from data_adapters.adapters import ADAPTERS, open_events, recognise
from data_adapters.datasets import DATASETS, SAMPLES, Dataset
from data_adapters.detector import detector_from_json, detector_to_json
from data_adapters.inspection import survey
from data_adapters.options import parse_options
from data_adapters.pictures import draw_pictures
from data_adapters.registry import UnknownName
from data_adapters.sealed_test import open_test_split
from data_adapters.simulators.component import Simulator
from data_adapters.simulators.registry import SIMULATORS
from data_adapters.splits import SPLITS, split_of

SHIPPED_MEGABYTES = 60

every_dataset = pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
every_layout = pytest.mark.parametrize("name", ADAPTERS)


@every_dataset
class TestEveryDataset:
    def test_is_recognised_by_its_keys(self, dataset: Dataset) -> None:
        if dataset.layout is None:
            return  # a description says what it is
        found = recognise(dataset.file).name
        assert found == dataset.layout or {found, dataset.layout} == {"airshower-array", "airshower-pattern"}

    def test_splits_cover_it_and_share_no_identity(self, dataset: Dataset) -> None:
        split = split_of(dataset.source.identity)
        identities = {name: set(dataset.source.identity[split == name].tolist()) for name in SPLITS}
        assert all(identities.values())
        assert not identities["train"] & identities["test"]
        assert not identities["train"] & identities["validation"]

    def test_events_are_read_alike_in_any_order(self, dataset: Dataset) -> None:
        rows = np.array([len(dataset.source) - 1, 0, 5, 3])
        events = dataset.source.select(rows)
        for number, row in enumerate(rows):
            one = dataset.source.read(int(row), int(row) + 1)
            np.testing.assert_array_equal(events.response[number], one.response[0])
            assert events.identity[number] == one.identity[0]

    def test_twins_are_the_same_particles_and_other_showers(self, dataset: Dataset, tmp_path: Path) -> None:
        if dataset.twin is None:
            return
        pairs = [(dataset.split("validation"), dataset.twin_split("validation"))]
        pairs.append(open_test_split(dataset, tmp_path / "openings.jsonl", "contract"))
        for events, twins in pairs:
            assert twins is not None
            np.testing.assert_array_equal(events.identity, twins.identity)
            for name, values in events.conditions.items():
                np.testing.assert_array_equal(values, twins.conditions[name], err_msg=name)
            filled = (events.response != 0).any(axis=1) | (twins.response != 0).any(axis=1)
            assert (events.response != twins.response).any(axis=1)[filled].mean() > 0.99

    def test_fresh_events_are_neither_the_sample_nor_its_twin(self, dataset: Dataset) -> None:
        fresh = dataset.fresh_split("validation")
        if dataset.twin is None:
            assert fresh is None  # full simulation that fluctuates only once is not tested against itself
            return
        assert fresh is not None
        for events in (dataset.split("validation"), dataset.twin_split("validation")):
            assert events is not None
            np.testing.assert_array_equal(events.identity, fresh.identity)
            filled = (events.response != 0).any(axis=1) | (fresh.response != 0).any(axis=1)
            assert (events.response != fresh.response).any(axis=1)[filled].mean() > 0.99

    def test_is_drawn(self, dataset: Dataset, tmp_path: Path) -> None:
        source = dataset.source
        drawn = draw_pictures(source, survey(source, Console(quiet=True)), tmp_path)
        assert len(drawn) == 2
        assert all(path.stat().st_size > 10_000 for path in drawn)

    def test_its_detector_survives_json(self, dataset: Dataset) -> None:
        assert detector_from_json(detector_to_json(dataset.detector)) == dataset.detector

    def test_says_what_it_is(self, dataset: Dataset) -> None:
        assert dataset.title
        assert "arXiv" in dataset.provenance or "Not " in dataset.provenance
        assert dataset.file.name in (SAMPLES / "PROVENANCE.md").read_text(encoding="utf-8")

    def test_another_detector_is_no_twin(self, dataset: Dataset) -> None:
        other = next(d for d in DATASETS.values() if d.detector != dataset.detector)
        own = dataset.with_files(dataset.file, other.file)
        with pytest.raises(ValueError, match="not a twin"):
            _ = own.twin_source


@every_layout
class TestEveryLayout:
    def test_says_what_it_takes(self, name: str) -> None:
        adapter = ADAPTERS[name]
        assert adapter.title
        assert adapter.layout
        assert adapter.source
        assert all(suffix.startswith(".") for suffix in adapter.suffixes)

    def test_options_have_defaults_and_names(self, name: str) -> None:
        options_class = ADAPTERS[name].options_class
        assert parse_options(options_class, {}) == options_class()
        with pytest.raises(UnknownName, match="no option 'treshold'"):
            parse_options(options_class, {"treshold": 1})

    def test_a_file_of_nothing_is_refused(self, name: str, tmp_path: Path) -> None:
        path = tmp_path / f"nothing{ADAPTERS[name].suffixes[0]}"
        path.write_bytes(b"nothing at all")
        with pytest.raises(ValueError, match="nothing"):
            open_events(path, name)

    def test_a_missing_file_is_named(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="there is no such file"):
            open_events(tmp_path / "nowhere", name)


def test_every_layout_file_is_registered() -> None:
    assert layouts.__file__ is not None
    text = Path(adapters.__file__).read_text(encoding="utf-8")
    files = {path.stem for path in Path(layouts.__file__).parent.glob("*.py")} - {"__init__"}
    geometries = {name for name in files if name.endswith("_geometry")}
    assert all(f"data_adapters.layouts.{name} import" in text for name in files - geometries)


@pytest.mark.parametrize("simulator", SIMULATORS.values(), ids=SIMULATORS)
def test_every_simulator_says_what_it_needs_and_simplifies(simulator: Simulator) -> None:
    assert simulator.needs in ("nothing", "refsim")
    assert simulator.suffix in (".h5", ".root")
    assert simulator.title
    assert len(simulator.provenance) > 30


def test_the_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < SHIPPED_MEGABYTES * 2**20
