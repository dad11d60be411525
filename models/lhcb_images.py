"""Full events in a hadronic calorimeter from their tracks: image-to-image translation of four kinds.

Source: T. Neuer, master thesis, University of Zurich, 2020, sections 2.2, 4.2, 4.3 and 5.3, appendices B, C.2 and C.3.

- ``lhcb-refinement`` (calorimeter image refinement): a trained single-track model makes an image of each track; their
  sum is cut at what a cell can hold, and refined. The chain of both is one generator and one checkpoint. The latent
  vector of an event holds the noise of its tracks, then that of the refinement.
- ``lhcb-tracker-image`` (tracker image propagation): the tracks are drawn with their transverse energies and translated
  in one step, by a generator with residual blocks.

Networks are in ``models.lhcb_image_networks``, equations in ``models.lhcb_image_losses``. The kind is a hyperparameter;
an encoder exists only where a term needs it. What is made for the last critic step is made once, and serves the
generator step too.

The thesis leaves open, and we chose: a mini-batch of 16; β₁ = 0.5, β₂ = 0.999 as in pix2pix and BicycleGAN; slope,
initialiser and first output as for single tracks; that the encoder minimises all terms it takes part in, with the
learning rate of the generator; that the critic has no batch normalisation where a gradient penalty needs each event
apart, and that the lines of the penalty end at images of both sorts by turns; that the noise of the single tracks of
the training sample is drawn once. Images of the face become what the calorimeter can read out
(``models.calorimeter_image``).
"""

# Axes: B events of a mini-batch, R critic steps a generator step, V cells, T tracks, Z latent dimensions.
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from data_adapters.detector import Detector, detector_from_json, detector_to_json
from data_adapters.events import Events, InvalidEvents
from data_adapters.streaming import Batch
from models.adversarial import OBJECTIVES, Labels, feature_matching
from models.base import GenerativeModel, ModelSpec, ShowerGenerator, random_stream
from models.calorimeter_image import SCALES, cell_limit, first_output
from models.config import from_dict, to_dict, whole
from models.critic_batches import critic_batches
from models.gaussians import drawn, gaussian_divergence
from models.gradient_penalty import gradient_penalty
from models.image_layers import channels_last, with_spectral_norm
from models.layers import building, initialize
from models.lhcb_image_losses import TRANSLATIONS, absolute_difference
from models.lhcb_image_networks import ImageConfig, ImageCritic, ImageEncoder, ImageNetwork
from models.lhcb_single_track import SingleTrackGenerator, load_single_track
from models.network_model import Losses, NetworkGenerator, NetworkModel
from models.optimizers import build_optimizer
from models.rows import TrainingRows, TrainingSample, first_events
from models.storage import with_prefix, without_prefix
from models.track_images import DrawnTracks, SummedTracks, TrackImages, no_tracks, tracks_conditioning

REFINEMENT, TRACKER_IMAGE = "lhcb-refinement", "lhcb-tracker-image"
SINGLE_TRACK = "lhcb-single-track"
KERNEL_INITIALIZER = "glorot_uniform"
BASE = "base."


@dataclass(frozen=True)
class RefinementConfig(ImageConfig):
    """Hyperparameters of the refinement; the defaults are those of appendix C.2."""


@dataclass(frozen=True)
class TrackerImageConfig(ImageConfig):
    """Hyperparameters of the translation of drawn tracks; the defaults are those of appendix C.3."""

    residual_blocks: int = whole(4, minimum=0)


class ImageGenerator(NetworkGenerator):
    """Tracks to their image, and that to the image of the event.

    Args:
        images: Makes the first image.
        limit: What images are divided by [unit of the detector].
    """

    generation_batch = 64

    def __init__(
        self,
        config: ImageConfig,
        network: ImageNetwork,
        images: TrackImages,
        detector: Detector,
        limit: float,
        device: str,
    ) -> None:
        conditioning = tracks_conditioning(detector)
        super().__init__(channels_last(network), detector, conditioning, images.noise_dim + config.latent_dim, device)
        self.images, self.limit, self.scale = images, limit, SCALES[config.cell_scale]

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        of_tracks, of_image = noise[:, : self.images.noise_dim], noise[:, self.images.noise_dim :]
        return self.scale.inverse(self.network(self.scale.forward(self.images(encoded, of_tracks)), of_image))

    @property
    def constant_normalisation(self) -> float:
        """The limit of a cell."""
        return self.limit

    @property
    def base(self) -> SingleTrackGenerator | None:
        """The single-track generator that is part of this one."""
        return self.images.base if isinstance(self.images, SummedTracks) else None

    def tensors(self) -> dict[str, Tensor]:
        base = {} if self.base is None else with_prefix(BASE, self.base.tensors())
        return {**self.network.state_dict(), **base}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        if self.base is not None:
            self.base.load_tensors(without_prefix(BASE, tensors))
        super().load_tensors({name: tensor for name, tensor in tensors.items() if not name.startswith(BASE)})

    def freeze(self) -> list[nn.Module]:
        return [*super().freeze(), *([] if self.base is None else self.base.freeze())]

    def num_parameters(self) -> int:
        return super().num_parameters() + (0 if self.base is None else self.base.num_parameters())

    def constants(self) -> dict[str, Any]:
        constants: dict[str, Any] = {"cell_limit": self.limit}
        return constants if self.base is None else constants | {"base": _described(self.base)}


class ImageTranslation(NetworkModel):
    """Generator, critic and, where the kind needs one, encoder in training.

    Args:
        images: Makes the first image of an event.
        limit: What images are divided by [unit of the detector].
    """

    def __init__(
        self,
        name: str,
        config: ImageConfig,
        train: TrainingSample,
        images: TrackImages,
        limit: float,
        seed: int,
        device: str,
    ) -> None:
        self.settings, self.kind = config, TRANSLATIONS[config.kind]
        self.trained, self.critic, self.encoder = _networks(config, train.detector, seed)
        self.trained.start_at(first_output(first_events(train).response, limit, SCALES[config.cell_scale]))
        networks = {"generator": self.trained, "critic": self.critic}
        parameters = list(self.trained.parameters())
        if self.encoder is not None:
            networks["encoder"] = self.encoder
            parameters += self.encoder.parameters()
        for network in networks.values():
            channels_last(network.to(device))
        rates = {"generator": config.generator_learning_rate, "critic": config.critic_learning_rate}
        self.objective = OBJECTIVES[config.objective]
        self.labels = Labels(config.label_smoothing, config.random_labels)
        self.num_cells = train.detector.num_cells
        generator = ImageGenerator(config, self.trained, images, train.detector, limit, device)
        super().__init__(
            name,
            config,
            generator,
            networks,
            {
                which: build_optimizer(config.optimizer, of, rates[which], config.beta_1, config.beta_2)
                for which, of in (("generator", parameters), ("critic", self.critic.parameters()))
            },
            image_rows(train, generator, random_stream(seed, "tracks")),
            batch_size=config.batch_size,
            seed=seed,
            decay=config.decay,
            average_decay=config.average_decay,
        )

    def batches(self) -> Iterable[Tensor]:
        """For each generator step the mini-batches of its critic steps, (R, B, 2V)."""
        config, shuffling = self.settings, self.randoms["shuffling"]
        return critic_batches(self.rows, config.batch_size, config.critic_steps, self.epoch, shuffling)

    def step(self, batch: Tensor) -> Losses:
        """Critic steps on mini-batches (R, B, 2V), then one of generator and encoder at the events of the last."""
        critic = []
        for rows in batch[:-1]:
            with torch.no_grad():
                made = self._make(rows)
            critic.append(self._critic_step(rows, made))
        made = self._make(batch[-1])  # the generator does not change before its own step
        critic.append(self._critic_step(batch[-1], made))
        return {"critic": torch.stack(critic).mean(), **self._generator_step(batch[-1], made)}

    def _split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """First images and those of the full simulation, (B, V) each."""
        return rows[:, : self.num_cells], rows[:, self.num_cells :]

    def _make(self, rows: Tensor) -> Made:
        """The images that the kind makes of rows (B, 2V)."""
        given, real = self._split(rows)
        noise = self.noise(len(rows), self.settings.latent_dim)
        images = self.trained(given, noise)
        if not self.kind.encoded:
            return Made(noise, images)
        assert self.encoder is not None
        mean, log_variance = self.encoder.distribution(real)
        place = drawn(mean, log_variance, self.noise(*mean.shape))
        return Made(noise, images, self.trained(given, place), mean, log_variance)

    def _critic_step(self, rows: Tensor, made: Made) -> Tensor:
        """Train the critic on rows (B, 2V) and what was made of them; its loss."""
        given, real = self._split(rows)
        random, images = self.randoms["labels"], [image.detach() for image in made.all]
        of_real, *of_images = (self.critic.head(seen) for seen in self._features(given, [real, *images]))
        loss = len(images) * self.objective.critic(of_real, True, self.labels, random)
        for output in of_images:
            loss = loss + self.objective.critic(output, False, self.labels, random)
        if self.settings.objective == "wasserstein" and self.settings.gradient_penalty_weight > 0:
            loss = loss + len(images) * self.settings.gradient_penalty_weight * self._penalty(given, real, images)
        self.minimise("critic", loss)
        return loss.detach()

    def _features(self, given: Tensor, images: list[Tensor]) -> list[Tensor]:
        """The critic's features of several mini-batches of images: in one pass, unless it compares events."""
        if self.settings.critic_mixes_events:
            return [self.critic.features(given, some) for some in images]
        together = self.critic.features(given.repeat(len(images), 1), torch.cat(images))
        return list(together.chunk(len(images)))

    def _penalty(self, given: Tensor, real: Tensor, images: list[Tensor]) -> Tensor:
        """On lines from real events to images of each sort, by turns."""
        turns = torch.cat([some[sort :: len(images)] for sort, some in enumerate(images)])
        order = torch.cat([torch.arange(sort, len(real), len(images)) for sort in range(len(images))]).to(real.device)
        return gradient_penalty(
            lambda between: self.critic(given[order], between),
            real[order],
            turns,
            self.settings.gradient_penalty,
            self.randoms["mixing"],
        )

    def _generator_step(self, rows: Tensor, made: Made) -> Losses:
        """Train generator and encoder on rows (B, 2V) and what was made of them; each term without its weight."""
        given, real = self._split(rows)
        terms = {"generator": self._adversarial_term(given, real, made)}
        loss = terms["generator"]
        for name, weight, term in self._further_terms(real, made):
            terms[name] = term()
            loss = loss + weight * terms[name]
        self.minimise("generator", loss)
        return {name: term.detach() for name, term in terms.items()}

    def _adversarial_term(self, given: Tensor, real: Tensor, made: Made) -> Tensor:
        """How the critic takes the images, or how far their features are from those of real ones (4.3.6)."""
        features = self._features(given, list(made.all))
        if self.settings.feature_matching == "off":
            return torch.stack([self.objective.generator(self.critic.head(seen)) for seen in features]).sum()
        with torch.no_grad():
            wanted = self.critic.features(given, real)
        return torch.stack([feature_matching(wanted, seen) for seen in features]).sum()

    def _further_terms(self, real: Tensor, made: Made) -> list[tuple[str, float, Callable[[], Tensor]]]:
        """Name, weight and value of the terms that the kind has beside, without those of weight 0."""
        terms: list[tuple[str, float, Callable[[], Tensor]]] = []
        if self.kind.image_cycle:
            terms.append(("image_cycle", self.settings.lambda_x, lambda: absolute_difference(real, made.all[-1])))
        if self.kind.latent_cycle:
            terms.append(("latent_cycle", self.settings.lambda_z, lambda: self._latent_cycle(made)))
        if self.kind.encoded:
            terms.append(("divergence", self.settings.lambda_vae, lambda: gaussian_divergence(*made.distribution)))
        return [term for term in terms if term[1] > 0]

    def _latent_cycle(self, made: Made) -> Tensor:
        assert self.encoder is not None
        return absolute_difference(made.noise, self.encoder.point(made.images))


@dataclass(frozen=True)
class Made:
    """What the generator makes of a mini-batch.

    Attributes:
        noise: z ∼ p(z), (B, Z).
        images: Made of it, (B, V).
        encoded: Made of the places where the encoder puts the real images, (B, V); None for kinds without.
        mean, log_variance: Of these places, (B, Z) each.
    """

    noise: Tensor
    images: Tensor
    encoded: Tensor | None = None
    mean: Tensor | None = None
    log_variance: Tensor | None = None

    @property
    def all(self) -> tuple[Tensor, ...]:
        """All images, those of the encoder's places last."""
        return (self.images,) if self.encoded is None else (self.images, self.encoded)

    @property
    def distribution(self) -> tuple[Tensor, Tensor]:
        """Of the encoder's places."""
        assert self.mean is not None
        assert self.log_variance is not None
        return self.mean, self.log_variance


def _networks(
    config: ImageConfig, detector: Detector, seed: int
) -> tuple[ImageNetwork, ImageCritic, ImageEncoder | None]:
    kind = TRANSLATIONS[config.kind]
    with building(seed, "generator initialisation"):
        generator = ImageNetwork(config, detector)
        initialize(generator, KERNEL_INITIALIZER)
    with building(seed, "critic initialisation"):
        critic = ImageCritic(config, detector)
        initialize(critic, KERNEL_INITIALIZER)
        if config.spectral_norm == "on":
            with_spectral_norm(critic)
    if not kind.encoded and not (kind.latent_cycle and config.lambda_z > 0):
        return generator, critic, None
    with building(seed, "encoder initialisation"):
        encoder = ImageEncoder(config, detector, variance=kind.encoded)
        initialize(encoder, KERNEL_INITIALIZER)
    return generator, critic, encoder


def image_rows(train: TrainingSample, generator: ImageGenerator, random: torch.Generator) -> TrainingRows:
    """Rows of scaled first images and scaled images of the full simulation, (B, 2V).

    Args:
        random: Of the noise that the first images need.
    """

    def encode(events: Events | Batch) -> Tensor:
        encoded = generator.conditioning.encode(events.conditions)
        given = []
        for part in torch.split(encoded, generator.generation_batch):
            noise = torch.randn(len(part), generator.images.noise_dim, generator=random)
            given.append(generator.images(part.to(generator.device), noise.to(generator.device)).cpu())
        real = torch.from_numpy(events.response / np.float32(generator.limit))
        return generator.scale.forward(torch.cat((torch.cat(given), real), dim=1))

    return TrainingRows(train, encode, generator.device)


def _described(base: SingleTrackGenerator) -> dict[str, Any]:
    """What is needed to build a base again, as JSON."""
    return {
        "config": to_dict(base.config),
        "detector": detector_to_json(base.detector),
        "conditioning": base.conditioning.to_json(),
        **base.constants(),
    }


def _limit(train: TrainingSample) -> float:
    return cell_limit(train.detector, float(first_events(train).response.max()))


def build_refinement(
    config: RefinementConfig, train: TrainingSample, seed: int, device: str = "cpu", *, base: ShowerGenerator
) -> GenerativeModel:
    """The refinement of a trained single-track model.

    Raises: InvalidEvents if that model is of other cells or is not told of tracks.
    """
    if not isinstance(base, SingleTrackGenerator):
        raise InvalidEvents(f"the base is no {SINGLE_TRACK}; give a checkpoint of one")
    limit = _limit(train)
    images = SummedTracks(train.detector, limit, base)
    return ImageTranslation(REFINEMENT, config, train, images, limit, seed, device)


def build_tracker_image(
    config: TrackerImageConfig, train: TrainingSample, seed: int, device: str = "cpu"
) -> GenerativeModel:
    """The translation of drawn tracks."""
    limit = _limit(train)
    images = DrawnTracks(train.detector, limit, device)
    return ImageTranslation(TRACKER_IMAGE, config, train, images, limit, seed, device)


def load_refinement(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> ShowerGenerator:
    """The chain of both generators of a checkpoint."""
    detector = detector_from_json(header["detector"])
    base = load_single_track(header["base"], without_prefix(BASE, tensors), device)
    images = SummedTracks(detector, header["cell_limit"], base)
    return _loaded(from_dict(RefinementConfig, header["config"]), header, tensors, images, device)


def load_tracker_image(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> ShowerGenerator:
    """The generator of a checkpoint."""
    images = DrawnTracks(detector_from_json(header["detector"]), header["cell_limit"], device)
    return _loaded(from_dict(TrackerImageConfig, header["config"]), header, tensors, images, device)


def _loaded(
    config: ImageConfig, header: Mapping[str, Any], tensors: Mapping[str, Tensor], images: TrackImages, device: str
) -> ImageGenerator:
    detector = detector_from_json(header["detector"])
    with building(0, "loading"):
        network = ImageNetwork(config, detector)
    generator = ImageGenerator(config, network, images, detector, header["cell_limit"], device)
    generator.load_tensors(tensors)
    return generator


LHCB_REFINEMENT = ModelSpec(
    name=REFINEMENT,
    title="LHCb calorimeter image refinement",
    config_class=RefinementConfig,
    build=build_refinement,
    load=load_refinement,
    source="T. Neuer, master thesis, University of Zurich, 2020, sections 4.2 and 5.3, appendix C.2",
    refuses=no_tracks,
    streams=False,
    built_on=SINGLE_TRACK,
)
LHCB_TRACKER_IMAGE = ModelSpec(
    name=TRACKER_IMAGE,
    title="LHCb tracker image propagation",
    config_class=TrackerImageConfig,
    build=build_tracker_image,
    load=load_tracker_image,
    source="T. Neuer, master thesis, University of Zurich, 2020, sections 4.2 and 5.3, appendix C.3",
    refuses=no_tracks,
)
