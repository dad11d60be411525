"""Adapter for the CaloChallenge: voxels in cylinders around the shower axis, in HDF5.

Layout: ``incident_energies`` (N, 1) and ``showers`` (N, V), both in MeV. In a shower the radial bins run fastest, then
the angular bins, then the layers, whose binning an XML file gives: of each layer the radial edges in mm (a single
edge: no voxels) and the number of angular bins, which divide −π to π evenly.
Source: arXiv:2210.06204 and arXiv:2410.21611; doi:10.5281/zenodo.8099322 (dataset 1), .6366271 (2) and
.6366324 (3).
"""

# Axes: N events, V voxels.
from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from data_adapters import hdf5
from data_adapters.adapter import Adapter
from data_adapters.columns import impossible_values, unit_hint
from data_adapters.detector import ENERGY_UNITS, Axis, Condition, Detector, Layer
from data_adapters.events import INCIDENT_ENERGY
from data_adapters.hdf5 import Needed
from data_adapters.options import InvalidOption
from data_adapters.problems import Problem, UnreadableFile, refuse_values
from data_adapters.registry import UnknownName
from data_adapters.source import EventSource
from data_adapters.splits import identities_with_occurrence

GEOMETRIES = Path(__file__).parent.parent / "geometries"
PDG_NUMBERS = {"photon": 22, "pion": 211, "electron": 11}

MAX_XML_BYTES = 2**20
MAX_LAYERS, MAX_ANGULAR_BINS = 1000, 1000
# Energies of a geometry of which nothing else is known; in GeV, hardly a sample would lie in between.
LOWEST_ENERGY_MEV, HIGHEST_ENERGY_MEV = 100.0, 1e7

CHUNK_BYTES = 2**20
AXIS_NAMES = {"phi": "alpha", "rho": "r", "radius": "r", "depth": "z", "layer": "z"}
NEEDED = (Needed("incident_energies"), Needed("showers", (None,)))


@dataclass(frozen=True)
class CaloChallengeOptions:
    """What a file does not say itself.

    Attributes:
        geometry: A binning XML, or the name of a published one (calochallenge-1-photons, calochallenge-1-pions,
            calochallenge-2, calochallenge-3). By default the XML beside the file (same name, ``.xml``), else the
            published one with as many voxels.
        particle: Name or PDG number of the bin to take, where the XML describes several.
        threshold: Voxels below it are set to zero [MeV]. The least readout of datasets 2 and 3 is 0.5 keV / 0.033 =
            0.01515 MeV.
    """

    geometry: str = ""
    particle: str = ""
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold < math.inf:
            raise InvalidOption(f"option threshold is {self.threshold}; it takes an energy of at least 0 MeV")


@dataclass(frozen=True)
class Binning:
    """Voxels of one particle.

    Attributes:
        particle: Its name in the XML.
        pid: Its PDG number; 0 where the XML has none.
        layers: Those that have voxels, named after their number in the XML ("layer_12"), each with the axes alpha
            [rad] and r [mm].
    """

    particle: str
    pid: int
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class PublishedGeometry:
    """A geometry of the challenge; ``low`` and ``high`` bound the incident energies a file may hold [MeV].

    The bounds lie a little outside the published ranges (256 MeV to 4.2 TeV, 1 GeV to 1 TeV), for rounding.
    """

    name: str
    title: str
    file: Path
    low: float
    high: float


PUBLISHED = {
    geometry.name: geometry
    for geometry in (
        PublishedGeometry(
            "calochallenge-1-photons",
            "CaloChallenge dataset 1, photons, 368 voxels",
            GEOMETRIES / "calochallenge_1_photons.xml",
            low=250.0,
            high=4.2e6,
        ),
        PublishedGeometry(
            "calochallenge-1-pions",
            "CaloChallenge dataset 1, charged pions, 533 voxels",
            GEOMETRIES / "calochallenge_1_pions.xml",
            low=250.0,
            high=4.2e6,
        ),
        PublishedGeometry(
            "calochallenge-2",
            "CaloChallenge dataset 2, electrons, 6480 voxels",
            GEOMETRIES / "calochallenge_2.xml",
            low=999.0,
            high=1.001e6,
        ),
        PublishedGeometry(
            "calochallenge-3",
            "CaloChallenge dataset 3, electrons, 40500 voxels",
            GEOMETRIES / "calochallenge_3.xml",
            low=999.0,
            high=1.001e6,
        ),
    )
}


def parse_binning(path: Path, particle: str = "", eta: tuple[int, int] | None = None) -> Binning:
    """The voxels that a binning XML describes.

    Args:
        particle: Name or PDG number; "" where the file describes only one.
        eta: Slice in |η|, in hundredths (20, 25), that the bin must cover where it says from where to where it goes.
    Raises: UnreadableFile if it is missing, larger than 1 MiB, no such XML, declares a DOCTYPE, describes no such
        particle or several, or its edges cannot be.
    """
    element = _chosen_bin(_parse_xml(path), path, particle, eta)
    problems: list[Problem] = []
    layers: dict[int, Layer] = {}
    last = -1
    for position, item in enumerate(element):
        try:
            number, layer = _parse_layer(item)
            if number <= last:
                raise ValueError(f"its id {number} does not come after {last}; ids must increase")
        except ValueError as error:
            problems.append(Problem(str(error), "Mend the XML", key=f"Layer {position + 1}"))
            continue
        last = number
        if layer is not None:
            layers[number] = layer
    if not layers and not problems:
        problems.append(Problem("no layer has voxels", "Give radial edges: r_edges='0,5,10'"))
    if problems:
        raise UnreadableFile(path, *problems)
    return Binning(element.get("name", ""), _pid(element), tuple(layers.values()))


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a DOCTYPE before anything that it defines can be expanded."""

    def doctype(self, name: str, _pubid: str | None, _system: str | None) -> None:
        raise ValueError(f"it declares a DOCTYPE ({name}); binnings need none, and entities could hide anything")


def _parse_xml(path: Path) -> ElementTree.Element:
    if not path.is_file():
        raise UnreadableFile(path, Problem("there is no such file", "Check the path of the geometry"))
    size = path.stat().st_size
    if size > MAX_XML_BYTES:
        raise UnreadableFile(
            path, Problem(f"it has {size} bytes; a binning has 1 MiB at most", "Is it the right file?")
        )
    try:
        # No entity is expanded without a DOCTYPE, and the size is bounded: what makes XML unsafe cannot come.
        root = ElementTree.fromstring(path.read_bytes(), ElementTree.XMLParser(target=_NoDoctype()))  # noqa: S314
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnreadableFile(path, Problem(f"not readable as XML ({error})", "Give a binning XML")) from error
    if root.tag != "Bins":
        raise UnreadableFile(path, Problem(f"its root is <{root.tag}>; <Bins> is needed", "Give a binning XML"))
    return root


def _chosen_bin(
    root: ElementTree.Element, path: Path, particle: str, eta: tuple[int, int] | None
) -> ElementTree.Element:
    everything = root.findall("Bin")
    of_particle = [item for item in everything if particle in ("", item.get("name"), item.get("pid"))]
    if not of_particle:
        names = [name for item in everything if (name := item.get("name"))]
        what = str(UnknownName("particle", particle, names)) if names else "it has no <Bin>"
        raise UnreadableFile(path, Problem(what, "Choose one of them: option particle"))
    found = [item for item in of_particle if eta is None or _covers(item, eta, path)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(_described(item) for item in (found or of_particle))
    what = f"it describes several: {listed}" if found else f"no bin covers |η| {eta}: {listed}"
    raise UnreadableFile(path, Problem(what, "Choose one (option particle), or leave one bin a particle in the XML"))


def _covers(item: ElementTree.Element, eta: tuple[int, int], path: Path) -> bool:
    try:
        return float(item.get("etaMin", "-inf")) <= eta[0] and eta[1] <= float(item.get("etaMax", "inf"))
    except ValueError as error:
        raise UnreadableFile(path, Problem(f"etaMin or etaMax is no number ({error})", "Mend the XML")) from error


def _described(item: ElementTree.Element) -> str:
    where = f", |η| {item.get('etaMin')} to {item.get('etaMax')}" if item.get("etaMin") is not None else ""
    return f"{item.get('name')} ({item.get('pid')}{where})"


def _pid(item: ElementTree.Element) -> int:
    text = item.get("pid", "")
    return int(text) if re.fullmatch(r"-?[0-9]{1,10}", text) else 0


def _parse_layer(item: ElementTree.Element) -> tuple[int, Layer | None]:
    """Number of a layer, and its voxels; None where it has none. Raises: ValueError."""
    number, angular = _whole(item, "id", 0, MAX_LAYERS), _whole(item, "n_bin_alpha", 1, MAX_ANGULAR_BINS)
    text = item.get("r_edges", "")
    try:
        edges = tuple(float(edge) for edge in text.split(","))
    except ValueError:
        raise ValueError(f"r_edges is {text!r}; numbers with commas in between are needed") from None
    if len(edges) == 1:
        return number, None
    if not all(math.isfinite(edge) and edge >= 0 for edge in edges):
        raise ValueError(f"r_edges is {text!r}; radii are finite and at least 0")
    return number, ring_layer(number, angular, edges)


def _whole(item: ElementTree.Element, name: str, low: int, high: int) -> int:
    text = item.get(name, "")
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise ValueError(f"{name} is {text!r}; a whole number from {low} to {high} is needed")
    return int(text)


def ring_layer(number: int, angular_bins: int, r_edges: tuple[float, ...]) -> Layer:
    """A layer of the challenge: angular bins that divide −π to π evenly, radial edges in mm.

    Raises: ValueError for edges that do not increase.
    """
    alpha = Axis("alpha", tuple(np.linspace(-math.pi, math.pi, angular_bins + 1).tolist()), "rad")
    return Layer(f"layer_{number}", (alpha, Axis("r", r_edges, "mm")))


def write_binning(path: Path, binning: Binning) -> None:
    """A binning XML that ``parse_binning`` and the challenge's own scripts read.

    Raises: FileExistsError if there is one.
    """
    root = ElementTree.Element("Bins")
    item = ElementTree.SubElement(root, "Bin", pid=str(binning.pid), name=binning.particle)
    layers = {layer_number(layer.name): layer for layer in binning.layers}
    # The challenge's scripts count layers by their position, so those without voxels are written too.
    for number in range(max(layers) + 1):
        angular, text = 1, "0"
        if number in layers:
            alpha, radius = layers[number].axes
            angular = alpha.num_cells
            text = ",".join(repr(float(edge)).removesuffix(".0") for edge in radius.edges)
        ElementTree.SubElement(item, "Layer", id=str(number), r_edges=text, n_bin_alpha=str(angular))
    ElementTree.indent(root)
    with path.open("xb") as file:
        file.write(ElementTree.tostring(root, encoding="utf-8") + b"\n")


def layer_number(name: str) -> int:
    """12 of "layer_12"; −1 for another name."""
    found = re.fullmatch(r"layer_([0-9]{1,6})", name)
    return int(found[1]) if found else -1


@cache
def published_detector(name: str) -> Detector:
    """A detector of the challenge.

    Raises: UnknownName if it has none of that name.
    """
    if name not in PUBLISHED:
        raise UnknownName("geometry", name, PUBLISHED)
    geometry = PUBLISHED[name]
    layers = parse_binning(geometry.file).layers
    return _detector(name, geometry.title, layers, geometry.low, geometry.high)


def detector_of(binning: Binning) -> Detector:
    """The detector of a binning: the published one if it is one, else one named after particle and voxels."""
    for name in PUBLISHED:
        if published_detector(name).layers == binning.layers:
            return published_detector(name)
    voxels = sum(layer.num_cells for layer in binning.layers)
    particle = binning.particle or "particle"
    return _detector(
        f"calochallenge-{particle}-{voxels}",
        f"Cylinders as in the CaloChallenge, {particle}, {voxels} voxels",
        binning.layers,
        LOWEST_ENERGY_MEV,
        HIGHEST_ENERGY_MEV,
    )


def _detector(name: str, title: str, layers: tuple[Layer, ...], low: float, high: float) -> Detector:
    energy = Condition(INCIDENT_ENERGY, "MeV", bins=True, energy=True, low=low, high=high)
    return Detector(name, title, layers, (energy,))


def open_calochallenge(path: Path, options: CaloChallengeOptions) -> EventSource:
    """The showers of a file.

    Raises: UnreadableFile if the file is missing or no HDF5 file, a key is missing, shapes, lengths or the number of
        voxels do not fit, or an incident energy cannot be one (as one in GeV); also for a geometry that cannot be read.
    """
    hdf5.check_datasets(path, NEEDED)
    with hdf5.open_hdf5(path) as file:
        voxels = int(hdf5.dataset(file, "showers", path).shape[1])
    detector = _detector_of_file(path, options, voxels)
    energy = hdf5.read_column(path, "incident_energies")
    check_energies(path, energy, detector, "incident_energies")
    return EventSource(
        path=path,
        layout=CALOCHALLENGE.name,
        detector=replace(detector, threshold=options.threshold),
        conditions={INCIDENT_ENERGY: energy},
        identity=identities_with_occurrence(energy),
        read_response=hdf5.Hdf5Response(path, "showers", threshold=options.threshold),
        response_key="showers",
        chunk_rows=hdf5.chunk_rows(path, "showers"),
    )


def _detector_of_file(path: Path, options: CaloChallengeOptions, voxels: int) -> Detector:
    beside = path.with_suffix(".xml")
    if options.geometry in PUBLISHED:
        binning = parse_binning(PUBLISHED[options.geometry].file, options.particle)
    elif options.geometry or beside.is_file():
        binning = parse_binning(Path(options.geometry or beside), options.particle)
    else:
        binning = parse_binning(_published_with(path, voxels).file, options.particle)
    detector = detector_of(binning)
    if detector.num_cells != voxels:
        raise UnreadableFile(
            path,
            Problem(
                f"its showers have {voxels} voxels{_whose(voxels)}; {detector.name} has {detector.num_cells}",
                f"Choose the geometry that belongs to it: option geometry (an XML, or one of {', '.join(PUBLISHED)})",
                key="showers",
            ),
        )
    return detector


def _published_with(path: Path, voxels: int) -> PublishedGeometry:
    for name, geometry in PUBLISHED.items():
        if published_detector(name).num_cells == voxels:
            return geometry
    known = ", ".join(f"{published_detector(name).num_cells} ({name})" for name in PUBLISHED)
    raise UnreadableFile(
        path,
        Problem(
            f"its showers have {voxels} voxels; the published geometries have {known}",
            "Give the binning of this one: option geometry (an XML)",
            key="showers",
        ),
    )


def _whose(voxels: int) -> str:
    names = [name for name in PUBLISHED if published_detector(name).num_cells == voxels]
    return f", as {names[0]} has" if names else ""


def check_energies(path: Path, energy: NDArray[np.float64], detector: Detector, key: str) -> None:
    """Refuse incident energies (N,) that this detector cannot have seen, in MeV.

    Raises: UnreadableFile, which says so where they look like GeV.
    """
    condition = detector.conditions[0]
    mend = unit_hint(energy, condition) or "Remove these events from the file, or choose the geometry"
    refuse_values(path, impossible_values(energy, condition, key, mend))


@dataclass(frozen=True)
class _Cylinders:
    """A detector in the terms of the challenge.

    ``order`` holds for each of V voxels the cell that it comes from.
    """

    layers: tuple[Layer, ...]
    order: NDArray[np.intp]


def accepts(detector: Detector) -> str | None:
    """Why a detector cannot be written in this layout; None if it can.

    It can if its layers have the axes r [mm] and alpha or phi [rad], or if these and z are the axes of its volume, in
    whatever order.
    """
    if detector.signed or detector.unit not in ENERGY_UNITS:
        return f"its cells hold {detector.quantity} [{detector.unit}], the layout holds energies ≥ 0"
    others = [condition.name for condition in detector.conditions if not condition.energy]
    if others or detector.energy_condition is None or detector.energy_condition.shape != ():
        named = ", ".join(others) or "no incident energy"
        return f"the layout holds one condition, the incident energy; {detector.name} has {named}"
    try:
        _cylinders(detector)
    except ValueError as error:
        return str(error)
    return None


def write_calochallenge(source: EventSource, path: Path) -> None:
    """Write showers, and the binning XML beside them (same name, ``.xml``), block by block.

    Cells are brought into the order of the layout by the names of their axes.

    Raises: ValueError if the detector or an incident energy does not fit the layout; UnreadableFile.
    """
    reason = accepts(source.detector)
    energy_condition = source.detector.energy_condition
    if reason is not None or energy_condition is None:
        raise ValueError(f"{source.path} cannot be written as {CALOCHALLENGE.name}: {reason}")
    cylinders = _cylinders(source.detector)
    particle = _particle_of(source.detector)
    binning = Binning(particle, PDG_NUMBERS.get(particle, 0), cylinders.layers)
    scale = ENERGY_UNITS[source.detector.unit]
    energy = source.conditions[energy_condition.name] * scale
    check_energies(source.path, energy, detector_of(binning), energy_condition.name)
    write_binning(path.with_suffix(".xml"), binning)
    with h5py.File(path, "x") as file:
        file["incident_energies"] = energy[:, np.newaxis]
        rows = max(1, min(len(source), CHUNK_BYTES // (4 * len(cylinders.order))))
        showers = file.create_dataset(
            "showers",
            (len(source), len(cylinders.order)),
            "float32",
            chunks=(rows, len(cylinders.order)),
            compression="gzip",
            shuffle=True,
        )
        for start, events in source.blocks():
            response = events.response[:, cylinders.order]
            showers[start : start + len(events)] = response if scale == 1.0 else response * np.float64(scale)


def _particle_of(detector: Detector) -> str:
    if detector.name in PUBLISHED:
        return parse_binning(PUBLISHED[detector.name].file).particle
    found = re.fullmatch(r"calochallenge-(.+)-[0-9]+", detector.name)
    return found[1] if found else "particle"


def _cylinders(detector: Detector) -> _Cylinders:
    """Raises: ValueError, with what does not fit."""
    rings = [ring for layer in detector.layers for ring in _rings(layer, detector.layer_slices[layer.name].start)]
    numbers = [layer_number(layer.name) for layer in detector.layers]
    keep = len(rings) == len(numbers) and numbers[0] >= 0 and all(np.diff(numbers) > 0)
    layers = tuple(
        ring_layer(number, ring.angular_bins, ring.r_edges)
        for number, ring in zip(numbers if keep else range(len(rings)), rings, strict=True)
    )
    return _Cylinders(layers, np.concatenate([ring.cells for ring in rings]))


@dataclass(frozen=True)
class _Ring:
    angular_bins: int
    r_edges: tuple[float, ...]
    cells: NDArray[np.intp]


def _rings(layer: Layer, start: int) -> Iterator[_Ring]:
    axes = {AXIS_NAMES.get(axis.name, axis.name): index for index, axis in enumerate(layer.axes)}
    if len(axes) != len(layer.axes) or set(axes) not in ({"r", "alpha"}, {"r", "alpha", "z"}):
        named = ", ".join(axis.name for axis in layer.axes)
        raise ValueError(f"{layer.name} has the axes ({named}); r and alpha (or phi) are needed, with or without z")
    radius, alpha = layer.axes[axes["r"]], layer.axes[axes["alpha"]]
    if radius.unit != "mm" or radius.edges[0] < 0:
        raise ValueError(f"the radial edges of {layer.name} are in {radius.unit}; mm, from 0 on, are needed")
    turn = _turn(layer.name, alpha)
    cells = start + np.arange(layer.num_cells, dtype=np.intp).reshape(layer.shape)
    cells = cells.transpose([axes[name] for name in ("z", "alpha", "r") if name in axes])
    for ring in cells.reshape(-1, alpha.num_cells, radius.num_cells):
        yield _Ring(alpha.num_cells, radius.edges, np.roll(ring, turn, axis=0).ravel())


def _turn(layer_name: str, alpha: Axis) -> int:
    """By how many bins the angles must be turned to begin at −π. Raises: ValueError where they cannot."""
    width = 2 * math.pi / alpha.num_cells
    even = np.allclose(np.diff(alpha.edges), width, rtol=1e-6)
    turn = (alpha.edges[0] + math.pi) / width
    if alpha.unit != "rad" or not even or abs(turn - round(turn)) > 1e-6:
        raise ValueError(
            f"the angles of {layer_name} run from {alpha.edges[0]:g} to {alpha.edges[-1]:g} {alpha.unit}; even bins of "
            "a full circle in rad, with an edge at −π, are needed"
        )
    return round(turn)


@dataclass(frozen=True)
class HighLevelFeatures:
    """What the challenge judges showers by; all arrays have the shape (N,), in a mapping by the layer's name.

    Attributes:
        total_energy, layer_energy: Sums over voxels [MeV].
        sparsity: Fraction of the voxels of a layer at or below the threshold of the detector.
        centre_r, width_r: Energy-weighted mean and standard deviation of r [mm].
        centre_eta, width_eta: The same of r cos α [mm]; only of layers with several angular bins.
        centre_phi, width_phi: The same of r sin α [mm]; only of layers with several angular bins.
    """

    total_energy: NDArray[np.float64]
    layer_energy: Mapping[str, NDArray[np.float64]]
    sparsity: Mapping[str, NDArray[np.float64]]
    centre_r: Mapping[str, NDArray[np.float64]]
    width_r: Mapping[str, NDArray[np.float64]]
    centre_eta: Mapping[str, NDArray[np.float64]]
    width_eta: Mapping[str, NDArray[np.float64]]
    centre_phi: Mapping[str, NDArray[np.float64]]
    width_phi: Mapping[str, NDArray[np.float64]]


def high_level_features(response: NDArray[np.float32], detector: Detector) -> HighLevelFeatures:
    """Features of showers (N, V), as the challenge defines them (arXiv:2410.21611; its HighLevelFeatures).

    A voxel stands at the middle of its bins. A layer without energy has centre and width 0.

    Raises: ValueError if a layer has other axes than alpha and r.
    """
    found: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in HighLevelFeatures.__annotations__}
    for layer in detector.layers:
        if {axis.name for axis in layer.axes} != {"alpha", "r"}:
            raise ValueError(f"{layer.name} of {detector.name} has not the axes alpha and r: not of the CaloChallenge")
        energy = response[:, detector.layer_slices[layer.name]].astype(np.float64)
        found["layer_energy"][layer.name] = energy.sum(axis=1)
        found["sparsity"][layer.name] = 1.0 - (energy > detector.threshold).mean(axis=1)
        for quantity, position in _positions(layer).items():
            centre, width = _centre_and_width(energy, position)
            found[f"centre_{quantity}"][layer.name] = centre
            found[f"width_{quantity}"][layer.name] = width
    del found["total_energy"]
    return HighLevelFeatures(total_energy=response.sum(axis=1, dtype=np.float64), **found)


def _positions(layer: Layer) -> dict[str, NDArray[np.float64]]:
    mesh = np.meshgrid(*(axis.centres for axis in layer.axes), indexing="ij")
    alpha, radius = mesh[layer.axis("alpha")].ravel(), mesh[layer.axis("r")].ravel()
    if layer.shape[layer.axis("alpha")] == 1:
        return {"r": radius}
    return {"r": radius, "eta": radius * np.cos(alpha), "phi": radius * np.sin(alpha)}


def _centre_and_width(
    energy: NDArray[np.float64], position: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    total = energy.sum(axis=1) + 1e-16  # the challenge's own guard against empty layers
    centre = energy @ position / total
    variance = energy @ position**2 / total - centre**2
    return centre, np.sqrt(np.clip(variance, 0.0, None))


def _recognises(path: Path) -> bool:
    return {"incident_energies", "showers"} <= hdf5.keys_of(path)


CALOCHALLENGE = Adapter(
    name="calochallenge",
    title="CaloChallenge: cylinders in HDF5, binning in XML",
    layout=(
        "incident_energies (N, 1) and showers (N, V) [MeV], radial bins fastest, then angular bins, then layers. "
        "V = 368 (dataset 1, photons), 533 (dataset 1, pions), 6480 (dataset 2), 40500 (dataset 3), or a binning XML: "
        '<Bins><Bin pid="22" name="photon"><Layer id="0" r_edges="0,5,10" n_bin_alpha="4"/>... (mm; r_edges "0": no '
        "voxels)"
    ),
    suffixes=hdf5.SUFFIXES,
    recognises=_recognises,
    open=open_calochallenge,
    source="arXiv:2210.06204, arXiv:2410.21611; doi:10.5281/zenodo.8099322, 6366271, 6366324",
    options_class=CaloChallengeOptions,
    write=write_calochallenge,
    accepts=accepts,
)
