"""Datasets: files that belong together, with their provenance.

A dataset has a main file, from which train, validation and test are drawn, and where possible a
twin: the very same particles simulated again, from which every metric takes its floor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from data_adapters.atlas_hdf5 import ATLAS_PHOTONS, UnreadableFile, read_atlas_hdf5
from data_adapters.detector import Detector
from data_adapters.events import Events
from data_adapters.registry import Registry
from data_adapters.splits import Split, select_split

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Dataset:
    """Full-simulation events of one detector.

    Attributes:
        file: The main sample.
        twin: The same particles, event by event, simulated with other random numbers; or None.
        independent: Other particles, for calibrating metrics; or None.
        provenance: What made the files and what was simplified, in a sentence for every page.
    """

    name: str
    title: str
    detector: Detector
    reader: Callable[[Path], Events]
    file: Path
    twin: Path | None
    independent: Path | None
    provenance: str

    @cached_property
    def sha256(self) -> str:
        """Hash of the main file and its twin: the identity of what was learned and judged."""
        digest = hashlib.sha256()
        for path in (self.file, self.twin):
            if path is not None:
                digest.update(_read_bytes(path))
        return digest.hexdigest()

    @cached_property
    def events(self) -> Events:
        return self.reader(self.file)

    @cached_property
    def twin_events(self) -> Events | None:
        """The twin sample, in the order of the main file.

        Raises: UnreadableFile if it does not hold the very same particles.
        """
        if self.twin is None:
            return None
        twin = self.reader(self.twin)
        if not np.array_equal(twin.identity, self.events.identity):
            raise UnreadableFile(
                f"{self.twin}: not a twin of {self.file}: it must hold the same particles in the same order"
            )
        return twin

    def split(self, name: Split) -> Events:
        """Events for training or validation.

        Raises: PermissionError for the test split, which only the benchmark opens
            (``data_adapters.sealed_test``).
        """
        _refuse_test(name)
        return select_split(self.events, name)

    def twin_split(self, name: Split) -> Events | None:
        """The twins of the events of a split, in the same order; None where there is no twin."""
        _refuse_test(name)
        return None if self.twin_events is None else select_split(self.twin_events, name)

    def with_files(self, file: Path, twin: Path | None) -> Dataset:
        """The same detector and layout, with files of one's own."""
        return replace(
            self,
            name=file.stem,
            title=f"{file.name} (own file)",
            file=file,
            twin=twin,
            independent=None,
            provenance=f"Read from {file.name}; nothing is known about how it was made.",
        )


def _refuse_test(name: Split) -> None:
    if name == "test":
        raise PermissionError("the test split is opened by the benchmark alone: a search sees train and validation")


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read ({error.strerror}). Check the path given to --data") from error


ATLAS_PHOTONS_GEANT4 = Dataset(
    name="atlas-photons-geant4",
    title="ATLAS-like photons, Geant4, 9 energies from 1 to 262 GeV",
    detector=ATLAS_PHOTONS,
    reader=read_atlas_hdf5,
    file=SAMPLES / "atlas_photons_geant4.h5",
    twin=SAMPLES / "atlas_photons_geant4_twin.h5",
    independent=SAMPLES / "atlas_photons_geant4_independent.h5",
    provenance=(
        "Geant4 11.4.p1 with physics models that need no data files, in a simplified geometry (flat plates "
        "instead of the accordion, no noise, no pile-up). Not ATLAS full simulation."
    ),
)

DATASETS = Registry("dataset", ATLAS_PHOTONS_GEANT4)


@dataclass(frozen=True)
class DatasetFiles:
    """A dataset as a job can carry it: a registered name, and files of one's own in its layout."""

    name: str
    file: Path | None = None
    twin: Path | None = None

    def open(self) -> Dataset:
        """The dataset. Raises: UnknownName if nobody registered the name."""
        dataset = DATASETS[self.name]
        return dataset if self.file is None else dataset.with_files(self.file, self.twin)
