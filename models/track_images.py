"""The tracks of an event as an image: drawn where they hit the face, or as a trained model makes each of them.

Tracks come as encoded conditions: T times x, y and energy in the units of the detector, of which the first
``num_tracks`` count, then their number.

Source: T. Neuer, master thesis, University of Zurich, 2020, section 2.2, figures 2.2.1 and 2.2.2.
"""

# Axes: B events, T tracks, M tracks of all events together, H × W cells, V = H·W, Z latent dimensions.
from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from data_adapters.detector import Detector
from data_adapters.events import InvalidEvents
from models.calorimeter_image import Readout, image_shape, no_image
from models.lhcb_single_track import SingleTrackGenerator
from models.preprocessing import Affine, Conditioning

TRACKS, NUM_TRACKS = "tracks", "num_tracks"
NUMBERS = 3  # x, y and energy


def no_tracks(detector: Detector) -> str | None:
    """Why a detector is not an image of events with tracks; None if it is."""
    reason = no_image(detector)
    if reason is not None:
        return reason
    conditions = {condition.name: condition for condition in detector.conditions}
    tracks = conditions.get(TRACKS)
    if tracks is None or NUM_TRACKS not in conditions:
        return (
            f"it has no {TRACKS} and {NUM_TRACKS} of each event among its conditions ({', '.join(conditions)}); this "
            "model makes the image of an event from its tracks. For single particles take lhcb-single-track"
        )
    if len(tracks.shape) != 2 or tracks.shape[1] != NUMBERS:
        return f"its {TRACKS} have the shape {tracks.shape}; this model takes (tracks, 3): x, y and energy"
    return None


def tracks_conditioning(detector: Detector) -> Conditioning:
    """Tracks and their number, as they are."""
    size = most_tracks(detector) * NUMBERS
    return Conditioning((Affine(TRACKS, size=size), Affine(NUM_TRACKS)))


def most_tracks(detector: Detector) -> int:
    """T."""
    return next(condition for condition in detector.conditions if condition.name == TRACKS).shape[0]


class TrackImages(ABC):
    """Makes images of encoded tracks. ``noise_dim``: how many normal numbers an event needs."""

    noise_dim: int = 0

    def __init__(self, detector: Detector) -> None:
        self.most_tracks = most_tracks(detector)

    @abstractmethod
    def __call__(self, encoded: Tensor, noise: Tensor) -> Tensor:
        """Flat images (B, V), as shares of the limit of a cell, of encoded tracks (B, 3T + 1).

        Args:
            noise: Normal numbers (B, noise_dim).
        """

    def split(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Tracks (B, T, 3), and which of them count, (B, T)."""
        tracks = encoded[:, :-1].reshape(-1, self.most_tracks, NUMBERS)
        counts = torch.arange(self.most_tracks, device=encoded.device) < encoded[:, -1:]
        return tracks, counts


class DrawnTracks(TrackImages):
    """Each track's energy in the cell that it hits; what misses the face is not drawn.

    Args:
        limit: Of a cell [unit of the detector].
    """

    def __init__(self, detector: Detector, limit: float, device: str) -> None:
        super().__init__(detector)
        self.limit = limit
        self.rows, self.columns = (
            torch.tensor(axis.edges, dtype=torch.float64, device=device) for axis in detector.layers[0].axes
        )

    def __call__(self, encoded: Tensor, noise: Tensor) -> Tensor:
        assert noise.shape[1] == 0, "what is drawn follows from the tracks alone"
        tracks, counts = self.split(encoded)
        if torch.onnx.is_in_onnx_export():
            return self._as_product(tracks, counts)
        column, hits_column = _cell(self.columns, tracks[..., 0])
        row, hits_row = _cell(self.rows, tracks[..., 1])
        columns = len(self.columns) - 1
        images = encoded.new_zeros(len(encoded), (len(self.rows) - 1) * columns)
        energy = torch.where(counts & hits_column & hits_row, tracks[..., 2], 0.0)
        return images.scatter_add_(1, row * columns + column, energy).div_(self.limit)

    def _as_product(self, tracks: Tensor, counts: Tensor) -> Tensor:
        """The same as a product of matrices: ONNX of old runtimes adds no two tracks into one cell."""
        energy = torch.where(counts, tracks[..., 2], 0.0)[..., None]
        rows = _hits(self.rows, tracks[..., 1]) * energy
        return (rows.transpose(1, 2) @ _hits(self.columns, tracks[..., 0])).flatten(1) / self.limit


def _cell(edges: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Number of the cell of each place, and whether it is in one; the far edge belongs to the last cell."""
    places = places.double()
    inside = (places >= edges[0]) & (places <= edges[-1])
    cell = torch.bucketize(places.contiguous(), edges, right=True) - 1
    return cell.clamp(0, len(edges) - 2), inside


def _hits(edges: Tensor, places: Tensor) -> Tensor:
    """1 in the cell of each place (B, T), 0 elsewhere, float32 of shape (B, T, cells); the far edge as in ``_cell``."""
    places = places.double()[..., None]
    last = torch.arange(len(edges) - 1, device=edges.device) == len(edges) - 2
    return ((places >= edges[:-1]) & ((places < edges[1:]) | (last & (places == edges[-1])))).float()


class SummedTracks(TrackImages):
    """The sum of the images that a trained single-track model makes of each track, cut at what a cell can hold.

    Raises: InvalidEvents if the base is of another face, or is not told x, y and an energy.
    """

    def __init__(self, detector: Detector, limit: float, base: SingleTrackGenerator) -> None:
        super().__init__(detector)
        check_base_of(detector, base)
        self.base, self.share = base, base.limit / limit
        self.readout = Readout(detector).to(base.device)
        self.noise_dim = self.most_tracks * base.latent_dim
        base.network.eval().requires_grad_(False)

    def __call__(self, encoded: Tensor, noise: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return self._of_every_place(encoded, noise)
        tracks, counts = self.split(encoded)
        event = torch.arange(len(encoded), device=encoded.device)[:, None].expand_as(counts)[counts]
        told = self._encoded(tracks[counts])
        drawn = noise.view(len(noise), self.most_tracks, self.base.latent_dim)[counts]
        images = encoded.new_zeros(len(encoded), self.base.detector.num_cells)
        size = self.base.generation_batch
        with torch.no_grad():
            for start in range(0, len(event), size):
                part = slice(start, start + size)
                images.index_add_(0, event[part], self.base.normalised(told[part], drawn[part]))
        return self.readout.saturate(images.mul_(self.share))

    def _of_every_place(self, encoded: Tensor, noise: Tensor) -> Tensor:
        """The same with an image of each place for a track, also where there is none: the shapes are then fixed."""
        tracks, counts = self.split(encoded)
        flat = tracks.reshape(-1, NUMBERS)
        told = self.base.conditioning.encode_tensors(
            {part.name: flat[:, _number(part.name)] for part in self.base.conditioning.parts}
        )
        images = self.base.normalised(told, noise.reshape(-1, self.base.latent_dim))
        images = images.reshape(-1, self.most_tracks, self.base.detector.num_cells)
        return self.readout.saturate(torch.where(counts[..., None], images, 0.0).sum(dim=1) * self.share)

    def _encoded(self, tracks: Tensor) -> Tensor:
        """Tracks (M, 3) as the base is told of them."""
        values = tracks.double().cpu().numpy()
        by_name = {part.name: values[:, _number(part.name)] for part in self.base.conditioning.parts}
        return self.base.conditioning.encode(by_name).to(tracks.device)


def check_base_of(detector: Detector, base: SingleTrackGenerator) -> None:
    """Raises: InvalidEvents if a single-track model cannot make images of the tracks of a detector."""
    names = [condition.name for condition in base.detector.conditions]
    if image_shape(base.detector) != image_shape(detector) or base.detector.layers != detector.layers:
        raise InvalidEvents(
            f"the single-track model was trained on {base.detector.name}, whose cells are not those of "
            f"{detector.name}: train one on single tracks in the same cells"
        )
    if {"x", "y"} - set(names) or len(names) != NUMBERS or base.detector.energy_condition is None:
        raise InvalidEvents(
            f"the single-track model is told {', '.join(names)}; tracks have x, y and an energy: train one on these"
        )


def _number(name: str) -> int:
    """Which of a track's numbers a condition of the base is."""
    return {"x": 0, "y": 1}.get(name, 2)
