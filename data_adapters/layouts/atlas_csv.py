"""Adapter for ATLAS voxel files in CSV, as published for FastCaloGAN.

Layout: one row a shower, V numbers with commas in between: the energies of its voxels [MeV], radial bins fastest, then
angular bins, then layers, as in the CaloChallenge. No header, no index, no further columns. A file holds one particle,
energy and slice in |η|, which only its name tells: ``pid22_E65536_eta_20_25_voxalisation.csv`` holds photons (PDG 22)
of 65536 MeV with 0.20 < |η| < 0.25. A folder holds several energies. The binning is the XML beside them,
``binning.xml``; without it, that of CaloChallenge dataset 1 (the same showers) for photons and charged pions.

Files that FastCaloGAN itself reads have two columns more (phi modulo the cell size, and η) and another order of the
voxels: they are refused.

Cost: opening a file reads it once to find its lines (8 bytes of memory a shower); a read parses only what it returns.
Source: CERN Open Data record 15012 (doi:10.7483/OPENDATA.ATLAS.UXKX.TXBN); ATL-SOFT-PUB-2020-006.
"""

# Axes: N events, n events that were asked for, V voxels.
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters.adapter import Adapter
from data_adapters.detector import Detector
from data_adapters.events import INCIDENT_ENERGY
from data_adapters.layouts import calochallenge
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.source import EventSource
from data_adapters.splits import identities_with_occurrence

FILE_NAME = re.compile(r"pid(-?\d{1,10})_E(\d{1,10})_eta_(\d{1,3})_(\d{1,3})_voxalisation\.csv")
BINNING_BESIDE = "binning.xml"
PUBLISHED = {22: "calochallenge-1-photons", 211: "calochallenge-1-pions", -211: "calochallenge-1-pions"}
LOWEST_ENERGY_MEV, HIGHEST_ENERGY_MEV = 100.0, 1e7

SCAN_BYTES = 2**22
NEWLINE, COMMA = ord("\n"), ord(",")


@dataclass(frozen=True)
class AtlasCsvOptions:
    """What a file does not say itself.

    Attributes:
        geometry: The binning XML; by default ``binning.xml`` beside the file, else the published binning.
        clip_negative: Set negative voxels to zero, as the CaloChallenge did; without, they are refused.
    """

    geometry: str = ""
    clip_negative: bool = False


@dataclass(frozen=True)
class _Sample:
    """What the name of a file tells: PDG number, energy [MeV], slice in |η| in hundredths."""

    pid: int
    energy: float
    eta: tuple[int, int]


def open_atlas_csv(path: Path, options: AtlasCsvOptions) -> EventSource:
    """The showers of a file.

    Raises: UnreadableFile if its name does not tell what it holds, the binning does not fit, it has a header, or a row
        has more or fewer numbers; when it is read, for text in place of a number.
    """
    sample = _sample(path)
    detector = _detector(path, sample, options)
    offsets = _line_offsets(path, detector.num_cells)
    energy = np.full(len(offsets) - 1, sample.energy)
    read = CsvResponse(path, offsets, options.clip_negative)
    source = EventSource(
        path=path,
        layout=ATLAS_CSV.name,
        detector=detector,
        conditions={INCIDENT_ENERGY: energy},
        identity=identities_with_occurrence(energy),
        read_response=read,
        response_key="row",
    )
    if np.array_equal(read(0, 1)[0], np.arange(detector.num_cells)):
        what = "it holds 0, 1, 2, … up to its last column: it is a header"
        raise UnreadableFile(path, Problem(what, _mend(0), key="row", event=0))
    return source


def _sample(path: Path) -> _Sample:
    found = FILE_NAME.fullmatch(path.name)
    if found is None:
        raise UnreadableFile(
            path,
            Problem(
                "its name does not tell particle, energy and slice in |η|",
                "Name it as it was published: pid22_E65536_eta_20_25_voxalisation.csv (photons, 65536 MeV, "
                "0.20 < |η| < 0.25)",
            ),
        )
    pid, energy, low, high = (int(group) for group in found.groups())
    return _Sample(pid, float(energy), (low, high))


def _detector(path: Path, sample: _Sample, options: AtlasCsvOptions) -> Detector:
    binning = calochallenge.parse_binning(_binning_file(path, sample, options), str(abs(sample.pid)), sample.eta)
    low, high = sample.eta
    detector = calochallenge.detector_of(binning)
    energy = replace(detector.conditions[0], low=LOWEST_ENERGY_MEV, high=HIGHEST_ENERGY_MEV)
    calochallenge.check_energies(
        path, np.array([sample.energy]), replace(detector, conditions=(energy,)), "energy in the file's name"
    )
    return replace(
        detector,
        name=f"atlas-{binning.particle}-eta-{low}-{high}",
        title=f"ATLAS voxels, {binning.particle}, {low / 100:.2f} < |η| < {high / 100:.2f}",
        conditions=(energy,),
    )


def _binning_file(path: Path, sample: _Sample, options: AtlasCsvOptions) -> Path:
    if options.geometry:
        return Path(options.geometry)
    beside = path.parent / BINNING_BESIDE
    if beside.is_file():
        return beside
    if sample.pid not in PUBLISHED:
        raise UnreadableFile(
            path,
            Problem(
                f"no binning is known for the particle with PDG number {sample.pid}",
                f"Put {BINNING_BESIDE} beside it, or give an XML: option geometry",
            ),
        )
    return calochallenge.PUBLISHED[PUBLISHED[sample.pid]].file


def _line_offsets(path: Path, num_cells: int) -> NDArray[np.int64]:
    """Byte at which each line begins, and the end: shape (N + 1,).

    Raises: UnreadableFile for the first line that has not ``num_cells`` numbers.
    """
    begins: list[NDArray[np.int64]] = [np.zeros(1, dtype=np.int64)]
    rows = pending = 0  # pending: commas of the line that is not finished yet
    for start, block in _blocks(path):
        newlines = np.flatnonzero(block == NEWLINE)
        commas = np.cumsum(block == COMMA)
        counts = np.diff(commas[newlines], prepend=0)
        counts[:1] += pending
        _check_counts(path, counts + 1, rows, num_cells)
        pending = int(commas[-1] - commas[newlines[-1]]) if len(newlines) else pending + int(commas[-1])
        begins.append(start + newlines + 1)
        rows += len(newlines)
    offsets = np.concatenate(begins)
    size = path.stat().st_size
    if size > offsets[-1]:  # the last line may end without a newline
        _check_counts(path, np.array([pending + 1]), rows, num_cells)
        offsets = np.append(offsets, size)
    return offsets


def _blocks(path: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    start = 0
    with path.open("rb") as file:
        while block := file.read(SCAN_BYTES):
            yield start, np.frombuffer(block, dtype=np.uint8)
            start += len(block)


def _check_counts(path: Path, counts: NDArray[np.int64], first_row: int, num_cells: int) -> None:
    wrong = np.flatnonzero(counts != num_cells)
    if len(wrong) == 0:
        return
    have = int(counts[wrong[0]])
    mend = "Remove this row, or choose the binning (option geometry)"
    if have == num_cells + 2:
        mend = "If its first columns are phi and η, it is FastCaloGAN's own file; take the published one"
    what = f"it has {have} numbers; {num_cells} are needed"
    raise UnreadableFile(path, Problem(what, mend, key="row", event=first_row + int(wrong[0])))


@dataclass(frozen=True, eq=False)
class CsvResponse:
    """Parses the lines of some events to float32, shape (n, V)."""

    path: Path
    offsets: NDArray[np.int64]
    clip_negative: bool

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        with self.path.open("rb") as file:
            file.seek(int(self.offsets[start]))
            text = file.read(int(self.offsets[stop] - self.offsets[start]))
        lines = [line.rstrip("\r") for line in text.decode("latin-1").removesuffix("\n").split("\n")]
        try:
            values = np.loadtxt(lines, delimiter=",", comments=None, ndmin=2)
        except ValueError as error:
            raise self._not_numbers(lines, start) from error
        response = values.astype(np.float32)
        return np.maximum(response, np.float32(0.0)) if self.clip_negative else response

    def _not_numbers(self, lines: list[str], start: int) -> UnreadableFile:
        row = next(row for row, line in enumerate(lines) if not _is_numbers(line))
        text = next(text for text in lines[row].split(",") if not _is_numbers(text))
        what = f"it holds {text[:40]!r}; numbers are needed"
        return UnreadableFile(self.path, Problem(what, _mend(start + row), key="row", event=start + row))


def _is_numbers(text: str) -> bool:
    try:
        return bool(text.strip()) and np.loadtxt([text], delimiter=",", comments=None).size > 0
    except ValueError:
        return False


def _mend(row: int) -> str:
    return "The layout has no header: remove the first line" if row == 0 else "Remove this row from the file"


def _recognises(path: Path) -> bool:
    return FILE_NAME.fullmatch(path.name) is not None


ATLAS_CSV = Adapter(
    name="atlas-csv",
    title="ATLAS voxels of FastCaloGAN (CSV)",
    layout=(
        "one row a shower: V voxel energies [MeV] with commas in between, no header; radial bins fastest, then angular "
        "bins, then layers. Name: pid22_E65536_eta_20_25_voxalisation.csv (PDG number, energy in MeV, |η| in "
        "hundredths). Binning: binning.xml beside it, else that of CaloChallenge dataset 1"
    ),
    suffixes=(".csv",),
    recognises=_recognises,
    open=open_atlas_csv,
    source="CERN Open Data record 15012; ATL-SOFT-PUB-2020-006",
    options_class=AtlasCsvOptions,
)
