"""Datasets: files that belong together, with their provenance.

A dataset has a main file (or a folder of them), from which train, validation and test are drawn, and where possible a
twin: the very same particles simulated again, from which every metric takes its floor.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters.adapters import open_events
from data_adapters.detector import Detector
from data_adapters.events import Events
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.registry import Registry
from data_adapters.regrid import Regrid, regridded
from data_adapters.source import FLOAT32_BYTES, EventSource, join
from data_adapters.splits import Split, places_of, rows_of_split
from data_adapters.streaming import EventStream

SAMPLES = Path(__file__).parent / "samples"

# Validation and test are judged in memory, again and again: so many events of them as fit in here.
EVALUATION_BYTES = 512 * 2**20
IN_MEMORY_BYTES = 2**30  # a larger training sample is streamed: every trial at work has its own
HASH_BLOCK = 2**20


@dataclass(frozen=True)
class Dataset:
    """Full-simulation events of one detector.

    Attributes:
        file: The main sample, a file or a folder.
        twin: The same particles simulated with other random numbers, all or those of some splits; or None.
        fresh: The same particles simulated a third time, at least those of the validation split: metrics are tested
            on it; or None.
        independent: Other particles, for calibrating metrics; or None.
        provenance: What made the files and what was simplified, in a sentence for every page.
        layout: Name of the adapter; None for what the file itself tells.
        further_training: Files whose train split is trained on, too; validation and test are those of the main sample.
        regrid: What part of the detector is kept, and how many of its cells become one; None for all as they are.
        simulation_ms: CPU time of its full simulation, milliseconds an event on one core; None where nobody measured.
    """

    name: str
    title: str
    file: Path
    twin: Path | None
    independent: Path | None
    provenance: str
    layout: str | None = None
    fresh: Path | None = None
    further_training: tuple[Path, ...] = ()
    regrid: Regrid | None = None
    simulation_ms: float | None = None

    @property
    def detector(self) -> Detector:
        return self.source.detector

    @cached_property
    def sha256(self) -> str:
        """Hash of all files of the sample and its twin, descriptions too: the identity of what was learned and judged.

        Raises: UnreadableFile.
        """
        digest = hashlib.sha256()
        twin = () if self.twin_source is None else self.twin_source.files
        for file in (*self.source.files, *twin):
            _add_file(digest, file)
        if self.regrid is not None:
            digest.update(repr(self.regrid).encode())
        return digest.hexdigest()

    @cached_property
    def source(self) -> EventSource:
        """The main sample, and behind it what else is trained on; unread.

        Raises: UnreadableFile.
        """
        sources = [self._open(file) for file in (self.file, *self.further_training)]
        return sources[0] if len(sources) == 1 else join(sources, self.file)

    def _open(self, file: Path) -> EventSource:
        source = open_events(file, self.layout)
        return source if self.regrid is None else regridded(source, self.regrid)

    @cached_property
    def _num_judged(self) -> int:
        """Events of the main sample, which come first."""
        return len(self._open(self.file)) if self.further_training else len(self.source)

    @cached_property
    def twin_source(self) -> EventSource | None:
        """The twin sample, unread.

        Raises: UnreadableFile if it holds other particles, or of another detector.
        """
        return None if self.twin is None else self._simulated_again(self.twin)

    @cached_property
    def fresh_source(self) -> EventSource | None:
        """The third simulation, unread. Raises: UnreadableFile as ``twin_source``."""
        return None if self.fresh is None else self._simulated_again(self.fresh)

    def _simulated_again(self, file: Path) -> EventSource:
        again = self._open(file)
        if again.detector != self.detector or not np.isin(again.identity, self.source.identity).all():
            raise UnreadableFile(
                file,
                Problem(
                    f"not a twin of {self.file}: it must hold the same particles",
                    "Simulate them again: arena data make NAME --twin-of FILE",
                ),
            )
        return again

    def independent_events(self) -> Events:
        """The sample of other particles. Raises: ValueError if there is none."""
        if self.independent is None:
            raise ValueError(f"{self.name} has no independent sample")
        return self._open(self.independent).read()

    def split(self, name: Split) -> Events:
        """Events for training or validation.

        Raises: PermissionError for the test split, which only the benchmark opens
            (``data_adapters.sealed_test``).
        """
        _refuse_test(name)
        return self.source.select(self.rows(name))

    def training_sample(self, seed: int, cache: Path | None = None) -> Events | EventStream:
        """The train split: in memory if it fits there, else a stream.

        Args:
            seed: Of the order in which a stream gives the events.
            cache: Folder for a sparse copy of a streamed file, made once on each machine; None to read the file itself.
        """
        return self.split("train") if self.train_fits_in_memory else self.training_stream(seed, cache)

    def training_stream(
        self, seed: int, cache: Path | None = None, *, most: int | None = None, workers: int = 1
    ) -> EventStream:
        """The train split, or its first ``most`` events, as a stream that so many threads read; see above."""
        return EventStream(self.source, self.rows("train")[:most], seed=seed, cache=cache, workers=workers)

    @property
    def train_fits_in_memory(self) -> bool:
        return len(self.rows("train")) * self.detector.num_cells * FLOAT32_BYTES <= IN_MEMORY_BYTES

    def twin_split(self, name: Split) -> Events | None:
        """The twins of the events of a split, in the same order; None where there are none for all of them."""
        _refuse_test(name)
        return self.twins_of(self.rows(name))

    def rows(self, name: Split) -> NDArray[np.intp]:
        """Numbers of the events of a split; of validation and test, as many as are judged.

        Raises: UnreadableFile if the sample is so small that the split is empty.
        """
        rows = rows_of_split(self.source.identity, name)
        if name != "train":
            rows = rows[rows < self._num_judged]
        if len(rows) == 0:
            raise UnreadableFile(
                self.file,
                Problem(f"none of its {len(self.source)} events falls into the {name} split", "Give more events"),
            )
        if name == "train":
            return rows
        return rows[: max(1, EVALUATION_BYTES // (self.detector.num_cells * FLOAT32_BYTES))]

    def twins_of(self, rows: NDArray[np.intp]) -> Events | None:
        """The twins of the events with these numbers, in their order; None unless all have one.

        Events that share an identity (tracks of a collision) have their twins in the same order.
        """
        return self._matching(self.twin_source, rows)

    def fresh_split(self, name: Split) -> Events | None:
        """The events of a split simulated a third time, in the same order; None where there are none for all."""
        _refuse_test(name)
        return self._matching(self.fresh_source, self.rows(name))

    def _matching(self, again: EventSource | None, rows: NDArray[np.intp]) -> Events | None:
        if again is None:
            return None
        place = places_of(self.source.identity, again.identity)[rows]
        return None if (place < 0).any() else again.select(place)

    def with_files(self, file: Path, twin: Path | None) -> Dataset:
        """Files of one's own, of whatever detector they are."""
        return replace(
            self,
            name=file.stem,
            title=f"{file.name} (own file)",
            file=file,
            twin=twin,
            fresh=None,
            independent=None,
            simulation_ms=None,
            provenance=f"Read from {file.name}; nothing is known about how it was made.",
            layout=None,
            further_training=(),
            regrid=None,
        )


def _refuse_test(name: Split) -> None:
    if name == "test":
        raise PermissionError("the test split is opened by the benchmark alone: a search sees train and validation")


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    try:
        with path.open("rb") as file:
            while block := file.read(HASH_BLOCK):
                digest.update(block)
    except OSError as error:
        raise UnreadableFile(path, Problem(f"cannot be read ({error.strerror})", "Check the path")) from error


ATLAS_PHOTONS_GEANT4 = Dataset(
    name="atlas-photons-geant4",
    title="ATLAS-like photons, Geant4, 9 energies from 1 to 262 GeV",
    file=SAMPLES / "atlas_photons_geant4.h5",
    twin=SAMPLES / "atlas_photons_geant4_twin.h5",
    independent=SAMPLES / "atlas_photons_geant4_independent.h5",
    provenance=(
        "Geant4 11.4.p1 with physics models that need no data files, in a simplified geometry (flat plates "
        "instead of the accordion, no noise, no pile-up). Not ATLAS full simulation."
    ),
    layout="atlas-hdf5",
    fresh=SAMPLES / "atlas_photons_geant4_fresh.h5",
)


def _clic_electrons(energies: str, title: str) -> Dataset:
    return Dataset(
        name=f"clic-electrons-{energies.replace('_', '-').lower()}",
        title=f"CLIC-like electrons, Geant4, {title}, 60° to 120°",
        file=SAMPLES / f"clic_electrons_geant4_{energies}.h5",
        twin=SAMPLES / f"clic_electrons_geant4_{energies}_twin.h5",
        independent=None,
        provenance=(
            "Geant4 11.4.p1 with physics models that need no data files, in a simplified geometry (25 flat layers of "
            "tungsten and silicon). Not CLIC/LCD full simulation."
        ),
        layout="clic-3dgan",
        fresh=SAMPLES / f"clic_electrons_geant4_{energies}_fresh.h5",
    )


CLIC_ELECTRONS_100_200_GEV = _clic_electrons("100_200GeV", "100 to 200 GeV")
CLIC_ELECTRONS_2_500_GEV = _clic_electrons("2_500GeV", "2 to 500 GeV")

# Both training samples of 3DGAN: it is first trained on the smaller range, and judged on the whole one.
CLIC_ELECTRONS_TWO_STEPS = replace(
    CLIC_ELECTRONS_2_500_GEV,
    name="clic-electrons-two-steps",
    title=f"{CLIC_ELECTRONS_2_500_GEV.title}; more events of 100 to 200 GeV to train on",
    further_training=(CLIC_ELECTRONS_100_200_GEV.file,),
)

# Without the flanks, where hardly any energy lies, and the last layer: small enough to train on without a GPU.
CLIC_ELECTRONS_COARSE = replace(
    CLIC_ELECTRONS_100_200_GEV,
    name="clic-electrons-coarse",
    title=f"{CLIC_ELECTRONS_100_200_GEV.title}; cells of 15.3 mm",
    regrid=Regrid(
        name="clic-electrons-coarse",
        title="CLIC/LCD electromagnetic calorimeter, electrons, central part in 5 × 9 × 8 cells of 15.3 mm",
        first=(18, 12, 0),
        last=(33, 39, 24),
        merged=(3, 3, 3),
    ),
)

WITHOUT_DATA_FILES = "Geant4 11.4.p1 with physics models that need no data files, in a simplified geometry"

LHCB_PIONS_GEANT4 = Dataset(
    name="lhcb-pions-geant4",
    title="LHCb-like hadronic calorimeter, Geant4, single pions, 3 to 100 GeV",
    file=SAMPLES / "lhcb_pions_geant4.root",
    twin=SAMPLES / "lhcb_pions_geant4_twin.root",
    independent=None,
    provenance=(
        f"{WITHOUT_DATA_FILES} (flat plates of iron and scintillator, nothing in front). Not LHCb full simulation."
    ),
    layout="lhcb-tracks",
    fresh=SAMPLES / "lhcb_pions_geant4_fresh.root",
)

LHCB_EVENTS_GEANT4 = Dataset(
    name="lhcb-events-geant4",
    title="LHCb-like hadronic calorimeter, Geant4, full events of 10 to 40 tracks",
    file=SAMPLES / "lhcb_events_geant4.root",
    twin=SAMPLES / "lhcb_events_geant4_twin.root",
    independent=None,
    provenance=(
        f"Overlay of single showers of {WITHOUT_DATA_FILES} (nothing in front, no magnet; momenta, species and "
        "multiplicities chosen by hand). Not LHCb full simulation."
    ),
    layout="lhcb-events",
    fresh=SAMPLES / "lhcb_events_geant4_fresh.root",
)

ALICE_TRACKS_GEANT4 = Dataset(
    name="alice-tracks-geant4",
    title="ALICE-like time projection chamber, Geant4, tracks of pp collisions at 7 TeV",
    file=SAMPLES / "alice_tracks_geant4.h5",
    twin=SAMPLES / "alice_tracks_geant4_twin.h5",
    independent=None,
    provenance=(
        f"Pythia 8.317 (soft collisions); {WITHOUT_DATA_FILES} (one cylinder as inner tracker; points are smeared "
        "crossings of pad rows, not clusters). Not ALICE full simulation."
    ),
    layout="alice-hdf5",
    fresh=SAMPLES / "alice_tracks_geant4_fresh.h5",
    simulation_ms=2.2,  # benchmarks/alice_simulation.py
)


def _airshower(sample: str, title: str, muons: str, layout: str = "airshower-array", suffix: str = "") -> Dataset:
    return Dataset(
        name=f"airshower-{sample}{suffix}",
        title=f"air showers on a surface array, 1 to 100 EeV, {title}",
        file=SAMPLES / f"airshower_{sample}.h5",
        twin=None,
        independent=None,
        provenance=(
            f"The parameterised simulation of arXiv:1708.00647, {muons} as in arXiv:1802.03325; vertical protons with "
            "one depth of maximum."
        ),
        layout=layout,
    )


_DATA, _SIMULATION = "30 % muons", "70 % muons and half the noise and fluctuations"
AIRSHOWER_DATA = _airshower("data", "data, traces", _DATA)
AIRSHOWER_DATA_PATTERNS = _airshower("data", "data, integrated signals", _DATA, "airshower-pattern", "-patterns")
AIRSHOWER_SIMULATION = _airshower("simulation", "simulation, traces", _SIMULATION)
AIRSHOWER_REFINEMENT = Dataset(
    name="airshower-refinement",
    title="air showers on a surface array, 1 to 100 EeV, data, with the traces of their simulation",
    file=SAMPLES / "airshower_refinement.toml",  # names the two files
    twin=None,
    independent=None,
    provenance=(
        "The parameterised simulation of arXiv:1708.00647, twice, as in arXiv:1802.03325: 30 % muons as data; 70 % "
        "muons and half the noise and fluctuations as their simulation. Vertical protons with one depth of maximum."
    ),
)

DATASETS = Registry(
    "dataset",
    ATLAS_PHOTONS_GEANT4,
    CLIC_ELECTRONS_100_200_GEV,
    CLIC_ELECTRONS_2_500_GEV,
    CLIC_ELECTRONS_TWO_STEPS,
    CLIC_ELECTRONS_COARSE,
    LHCB_PIONS_GEANT4,
    LHCB_EVENTS_GEANT4,
    ALICE_TRACKS_GEANT4,
    AIRSHOWER_DATA,
    AIRSHOWER_DATA_PATTERNS,
    AIRSHOWER_SIMULATION,
    AIRSHOWER_REFINEMENT,
)


@dataclass(frozen=True)
class DatasetFiles:
    """A dataset as a job can carry it: a registered name, files of one's own, a folder for the cache of a stream."""

    name: str
    file: Path | None = None
    twin: Path | None = None
    cache: Path | None = None

    def open(self) -> Dataset:
        """The dataset. Raises: UnknownName if nobody registered the name."""
        dataset = DATASETS[self.name]
        return dataset if self.file is None else dataset.with_files(self.file, self.twin)
