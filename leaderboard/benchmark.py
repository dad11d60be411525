"""The protocol by which an entry comes onto the board.

A plan says beforehand what is trained; its jobs train it with several seeds; one benchmark session
opens the test split, lets every seed generate the test events, judges them, measures the cost of
generating, adds metrics of whole samples and a check of memorisation, and writes the records.
"""

# Axes: N test events, V cells.
from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_adapters.datasets import DatasetFiles
from data_adapters.events import InvalidEvents
from data_adapters.sealed_test import open_test_split
from leaderboard import records
from leaderboard.combine import combine_seeds, standard_errors
from leaderboard.cost import measure_generation
from leaderboard.provenance import hardware, machine, provenance
from leaderboard.records import JsonObject
from leaderboard.resamples import record_of
from leaderboard.sample_report import SampleReports
from leaderboard.significance import significance
from leaderboard.submission import MODEL_NAME, Submission
from leaderboard.training import SeedJob, SeedTraining, train_seed
from metrics import (
    METRICS,
    correlations_for_plots,
    event_gallery,
    histograms_for_plots,
    mean_images,
    response_against_energy,
)
from metrics.estimate import Estimate
from metrics.judge import SCORE, Judge
from metrics.judgement import Judgement
from metrics.scorecards import scorecard_for
from models import MODELS
from models.checkpoint import load_generator
from models.config import from_dict, to_dict
from models.storage import hash_of
from models.training import Rule

Kind = Literal["model", "baseline", "untrained"]
Response = NDArray[np.float32]

NOISE_SEED = 7_000_000  # test noise of seed s is NOISE_SEED + s: never one that the validation saw
MEAN_SHOWER = "mean-shower"
FULL_SIMULATION = "full-simulation"


@dataclass(frozen=True)
class StudyFacts:
    """The search that led to an entry.

    Attributes:
        trials_compared: Trials among which the configuration was chosen; 0 if it was not searched for.
        space_sha256: Identity of the search space; None without a search.
        directory: Name of the search's folder, not its path.
        search_hours: Wall time of its trials, added up; None where it was not recorded.
    """

    name: str
    sampler: str = ""
    trials_compared: int = 0
    space_sha256: str | None = None
    seed: int | None = None
    directory: str = ""
    search_hours: float | None = None

    @property
    def identity(self) -> JsonObject:
        """What distinguishes it; how long it took does not."""
        return {name: value for name, value in asdict(self).items() if name != "search_hours"}


@dataclass(frozen=True)
class EntryPlan:
    """All that is decided about an entry before the test split is opened.

    Attributes:
        preset: Free label of the budget; entries of different presets are not ranked together.
        seeds: Seeds of the trainings; all of them are judged.
        epochs: 0 for models without training and for untrained generators.
        epochs_label: The budget in words, such as "300 of the paper's 50 000 epochs".
        checkpoint_rule: See ``models.training.Rule``.
        replay: Command that makes the entry again; None for ``arena replay``, if it is a model.
        base: Checkpoint of the model that this one is built on, where it is built on one.
    """

    title: str
    study: StudyFacts
    preset: str
    model_name: str
    config: Mapping[str, Any]
    seeds: tuple[int, ...]
    epochs: int
    evaluate_every: int
    epochs_label: str
    dataset: DatasetFiles
    scorecard: str
    checkpoint_rule: Rule = "best_validation"
    kind: Kind = "model"
    replay: str | None = None
    mlflow: Mapping[str, str] | None = None
    base: Path | None = None

    @property
    def full_config(self) -> JsonObject:
        """Every hyperparameter, the defaults filled in. Raises: UnknownName, ValueError for a wrong one."""
        return dict(to_dict(from_dict(MODELS[self.model_name].config_class, self.config)))

    @property
    def id(self) -> str:
        """Follows from the model, its configuration, the budget and the data, not from the title."""
        dataset = self.dataset.open()
        what = {
            "study": self.study.identity if self.kind == "model" else None,
            "config": self.full_config,
            "kind": self.kind,
            "preset": self.preset,
            "seeds": self.seeds,
            "epochs": self.epochs,
            "evaluate_every": self.evaluate_every,
            "checkpoint_rule": self.checkpoint_rule,
            "dataset": dataset.sha256,
            "scorecard": scorecard_for(dataset, self.scorecard).identity,
        }
        if self.base is not None:
            what["base"] = hash_of(self.base)
        label = self.preset if self.kind == "model" else f"{self.kind}.{self.preset}"
        return records.entry_id(self.model_name, label, what)

    def jobs(self, root: Path, device: str = "cpu", *, compiled: bool = False, processes: int = 1) -> list[SeedJob]:
        """One training for each seed, in ``<root>/<entry id>/seed-<seed>``."""
        return [
            SeedJob(
                model_name=self.model_name,
                config=self.full_config,
                seed=seed,
                epochs=self.epochs,
                evaluate_every=self.evaluate_every,
                checkpoint_rule=self.checkpoint_rule,
                dataset=self.dataset,
                scorecard=self.scorecard,
                folder=root / self.id / f"seed-{seed}",
                device=device,
                base=self.base,
                compiled=compiled,
                processes=processes,
            )
            for seed in self.seeds
        ]


@dataclass(frozen=True)
class JudgedEntry:
    """A record that is ready to be written, and what was generated for it.

    Attributes:
        responses: Seed → showers [MeV], shape (N, V), of each completed seed.
        resamples: See ``leaderboard.resamples``; None for what is not ranked.
    """

    entry: JsonObject
    observables: JsonObject
    responses: dict[int, Response] = field(repr=False)
    resamples: JsonObject | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _JudgedSeed:
    training: SeedTraining
    response: Response | None
    judgement: Judgement | None


class Benchmark:
    """One session with the test split: opened once, written down, and used for every entry judged here.

    Args:
        board: Folder of the leaderboard.
        dataset: What to judge on.
        scorecard: Name of the scorecard.
        reason: Why the test split is opened, for the log.
        on_step: Told of which entry (its title) what is done next.
    """

    def __init__(
        self,
        board: Path,
        dataset: DatasetFiles,
        scorecard: str,
        reason: str,
        on_step: Callable[[str, str], None] = lambda _title, _step: None,
    ) -> None:
        self.on_step = on_step
        self.board = board
        self.files = dataset
        self.dataset = dataset.open()
        self.scorecard = scorecard_for(self.dataset, scorecard)
        self.scorecard_name = scorecard
        self.reference, self.twin = open_test_split(self.dataset, board / records.TEST_OPENINGS, reason)
        self.judge = Judge(self.scorecard, self.reference, self.twin)
        self.floor = self.judge.floor
        self.reports = SampleReports(self.dataset, self.scorecard, self.reference, self.twin)

    def judge_entry(self, plan: EntryPlan, trainings: Sequence[SeedTraining]) -> JudgedEntry:
        """Generate the test events with the checkpoint of each seed, and judge them.

        Metrics of whole samples and memorisation are of the seed that is shown, the one with the median score. They
        take longer than all else, so that only models get them, and of the rows to read scores by full simulation
        alone, which is their floor.

        Raises: ValueError if a training is not one of the plan's.
        """
        self._check(plan, trainings)
        self.on_step(plan.title, "score")
        seeds = [self._judge_seed(training) for training in sorted(trainings, key=lambda training: training.seed)]
        completed = [seed for seed in seeds if seed.judgement is not None]
        entry = {
            **self._head(plan),
            "status": _status(plan, seeds),
            "model": _model_facts(plan, seeds),
            "training": _training_facts(plan, seeds),
            "seeds": [_seed_record(seed) for seed in seeds],
            **self._scores([seed.judgement for seed in completed if seed.judgement is not None]),
        }
        shown = _shown(completed)
        # Nothing for rows that are only there to read scores by, and for an entry that stands already and is kept.
        reported = plan.kind == "model" and not self._stands(plan)
        extra, details = self._reports(plan.title, shown) if reported else ({}, {})
        entry |= extra
        self.on_step(plan.title, "time of generating")
        entry["cost"] = self._cost(completed)
        if plan.mlflow is not None:
            entry["mlflow"] = dict(plan.mlflow)
        responses = {seed.training.seed: seed.response for seed in completed if seed.response is not None}
        resamples = self._resamples(entry, responses) if plan.kind == "model" else None
        return JudgedEntry(entry, self._observables(shown, seeds) | details, responses, resamples)

    def judge_submission(self, submission: Submission) -> JudgedEntry:
        """Showers of each of its files as if a seed had generated them; ``submission.check`` has passed.

        What generating and training cost is not known here, and not taken on trust.
        """
        title = submission.title
        self.on_step(title, "score")
        seeds = []
        for number, response in enumerate(submission.responses(), start=1):
            training = SeedTraining({}, number, "completed", Path(), detail=submission.files[number - 1].name)
            seeds.append(_JudgedSeed(training, response, self.judge.judge(response)))
        study = StudyFacts(MODEL_NAME)
        entry = {
            **self._facts(submission.id, title, "model", submission.preset, study, None),
            "status": "complete",
            "provenance": provenance(None, "submitted") | {"submitted_files": submission.file_records},
            "model": {
                "name": MODEL_NAME,
                "title": title,
                "config": {},
                "paper_config": None,
                "source": submission.source,
                "num_parameters": None,
            },
            "training": {
                "epochs": 0,
                "epochs_label": "trained elsewhere",
                "showers": None,
                "checkpoint_rule": "chosen elsewhere",
                "seeds_planned": [seed.training.seed for seed in seeds],
                "evaluate_every": 1,
                "base_sha256": None,
                "processes": 1,
            },
            "seeds": [_seed_record(seed) for seed in seeds],
            **self._scores([seed.judgement for seed in seeds if seed.judgement is not None]),
            "cost": None,
        }
        shown = _shown(seeds)
        extra, details = self._reports(title, shown)
        responses = {seed.training.seed: seed.response for seed in seeds if seed.response is not None}
        observables = self._observables(shown, []) | details
        return JudgedEntry(entry | extra, observables, responses, self._resamples(entry, responses))

    def full_simulation(self, preset: str, study: StudyFacts) -> JudgedEntry | None:
        """The floor as a row: the twin judged as if it were generated; None where there is no twin."""
        if self.twin is None or self.floor is None:
            return None
        what = {"dataset": self.dataset.sha256, "scorecard": self.scorecard.identity}
        name = records.entry_id(FULL_SIMULATION, preset, what)
        title = "Full simulation, simulated again"
        self.on_step(title, "metrics of whole samples")
        whole_sample = self.reports.whole_sample(None)
        entry = {
            **self._facts(name, title, "baseline", preset, study, None),
            "status": "complete",
            "model": {
                "name": FULL_SIMULATION,
                "title": "Same particles, other random numbers",
                "config": {},
                "paper_config": None,
                "source": self.dataset.provenance,
                "num_parameters": {"generate": 0, "train": 0},
            },
            "training": {
                "epochs": 0,
                "epochs_label": "not trained",
                "showers": 0,
                "checkpoint_rule": "last",
                "seeds_planned": [],
                "evaluate_every": 1,
                "base_sha256": None,
                "processes": 1,
            },
            "seeds": [],
            **self._scores([self.floor], above_floor=False),
            "whole_sample": {"seed": None, **whole_sample.record},
            "cost": None,
        }
        observables = self._plots(self.twin.response, self.floor) | {"seed": None, "training": []}
        observables["whole_sample"] = whole_sample.details
        return JudgedEntry(entry, observables, {0: self.twin.response})

    def mean_shower(self, preset: str, study: StudyFacts, work: Path) -> JudgedEntry:
        """The mean shower of each energy, or the mean event: what a generator without any fluctuation gets."""
        energy = self.reference.detector.energy_condition
        plan = EntryPlan(
            title="Mean event" if energy is None else "Mean shower of each energy",
            study=study,
            preset=preset,
            model_name=MEAN_SHOWER,
            config={},
            seeds=(0,),
            epochs=1,
            evaluate_every=1,
            epochs_label="one look at the training events",
            dataset=self.files,
            scorecard=self.scorecard_name,
            checkpoint_rule="last",
            kind="baseline",
        )
        return self._train_and_judge(plan, work)

    def untrained(self, plan: EntryPlan, work: Path) -> JudgedEntry:
        """The generator of a plan before its first epoch."""
        untrained = replace(
            plan,
            title=f"{MODELS[plan.model_name].title}, untrained",
            epochs=0,
            evaluate_every=1,  # one row, however long the trainings that it stands beside
            epochs_label="not trained",
            kind="untrained",
            checkpoint_rule="last",
            replay=None,
            mlflow=None,
        )
        return self._train_and_judge(untrained, work)

    def compare(self, judged: JudgedEntry, others: Sequence[JudgedEntry]) -> JudgedEntry:
        """The same entry with its comparisons: on the same test events, and seed by seed.

        An entry without seeds in common with the other (a baseline has one or none) is compared
        seed by seed with the other's only sample.
        """
        comparisons = [self._comparison(judged, other) for other in others if judged.responses and other.responses]
        return replace(judged, entry=judged.entry | {"comparisons": comparisons})

    def difference(self, a: Mapping[int, Response], b: Mapping[int, Response]) -> tuple[Estimate, int]:
        """Score of ``a`` minus score of ``b`` over seeds and events, and the number of seeds it rests on.

        Args:
            a: Seed → showers [MeV], shape (N, V).
            b: The same; a single sample stands for every seed.
        Raises: ValueError if no seed is in common.
        """
        pairs = _pairs(a, b)
        return combine_seeds([self.judge.difference(left, right) for left, right in pairs]), len(pairs)

    def write(self, judged: JudgedEntry) -> Path:
        """Write the record; a reference row that stands already is kept, whichever search wrote it.

        Raises: EntryExists, InvalidEntry as ``records.write_entry``.
        """
        folder = records.entry_folder(self.board, judged.entry["id"])
        if judged.entry["kind"] != "model" and folder.exists():
            return folder
        return records.write_entry(self.board, judged.entry, judged.observables, judged.resamples)

    def _comparison(self, judged: JudgedEntry, other: JudgedEntry) -> JsonObject:
        difference, seeds = self.difference(judged.responses, other.responses)
        return {
            "with": other.entry["id"],
            "title": other.entry["title"],
            "difference": difference.value,
            "error": difference.error,
            "standard_errors": standard_errors(difference),
            "seeds": seeds,
        }

    def _train_and_judge(self, plan: EntryPlan, work: Path) -> JudgedEntry:
        return self.judge_entry(plan, [train_seed(job) for job in plan.jobs(work)])

    def _check(self, plan: EntryPlan, trainings: Sequence[SeedTraining]) -> None:
        if plan.dataset != self.files or plan.scorecard != self.scorecard_name:
            raise ValueError(
                f"{plan.title}: planned for {plan.dataset.name} and {plan.scorecard}; this benchmark judges "
                f"{self.files.name} by {self.scorecard.name}. Open one for it"
            )
        planned = {job.seed: job.identity() for job in plan.jobs(Path())}
        for training in trainings:
            expected = json.loads(json.dumps(planned.get(training.seed, {})))
            found = {key: training.job.get(key) for key in expected}
            if not expected or found != expected:
                raise ValueError(f"{plan.title}: the training of seed {training.seed} is not of this plan")

    def judge_seed(self, training: SeedTraining) -> Judgement | None:
        """Judgement of one training on the test events; None if it has not completed, or generates what cannot be."""
        return self._judge_seed(training).judgement

    def _judge_seed(self, training: SeedTraining) -> _JudgedSeed:
        if training.status != "completed":
            return _JudgedSeed(training, None, None)
        generator = load_generator(training.checkpoint_folder)
        try:
            response = generator.generate(self.reference.conditions, seed=NOISE_SEED + training.seed)
            return _JudgedSeed(training, response, self.judge.judge(response))
        except InvalidEvents as error:
            return _JudgedSeed(replace(training, status="diverged", detail=str(error)), None, None)

    def _head(self, plan: EntryPlan) -> JsonObject:
        replay = plan.replay or (f"arena replay {plan.id}" if plan.kind == "model" else None)
        return self._facts(plan.id, plan.title, plan.kind, plan.preset, plan.study, replay)

    def _facts(
        self, name: str, title: str, kind: Kind, preset: str, study: StudyFacts, replay: str | None
    ) -> JsonObject:
        return {
            "schema": records.SCHEMA_VERSION,
            "id": name,
            "title": title,
            "kind": kind,
            "study": asdict(study),
            "preset": preset,
            "detector": self.dataset.detector.name,
            "dataset": {
                "name": self.dataset.name,
                "title": self.dataset.title,
                "detector_title": self.dataset.detector.title,
                "sha256": self.dataset.sha256,
                "provenance": self.dataset.provenance,
                "split": "test",
                "num_events": len(self.reference),
            },
            "scorecard": {
                "name": self.scorecard.name,
                "version": self.scorecard.version,
                "identity": self.scorecard.identity,
                "weights": dict(self.scorecard.weights),
                "scales": dict(self.scorecard.scales),
            },
            "units": self._units(),
            "comparisons": [],
            "test_openings": records.count_test_openings(self.board)[self.dataset.sha256],
            "provenance": provenance(replay),
        }

    def _units(self) -> JsonObject:
        components = {name: METRICS[name] for name in self.scorecard.weights}
        return {SCORE: {"unit": "1", "direction": "lower"}} | {
            name: {"unit": metric.unit, "direction": metric.direction} for name, metric in components.items()
        }

    def _scores(self, judgements: Sequence[Judgement], *, above_floor: bool = True) -> JsonObject:
        """Score and components over the seeds, each with how far it lies above the floor.

        Args:
            above_floor: False for the floor itself, which has no excess over itself.
        """
        floor = self.floor
        score = combine_seeds([judgement.score for judgement in judgements]) if judgements else None
        found = significance(judgements, floor, len(self.reference)) if above_floor else {}
        excess = found.get(SCORE, {}).get("excess")
        return {
            "score": _estimate(score),
            "components": {
                name: {
                    **asdict(combine_seeds([judgement.components[name] for judgement in judgements])),
                    "floor": None if floor is None else floor.components[name].value,
                    **found.get(name, {}),
                }
                for name in (self.scorecard.weights if judgements else ())
            },
            "floor": None if floor is None else _estimate(floor.score),
            "excess": None,
            **found.get(SCORE, {}),
            "z": None if excess is None else standard_errors(Estimate(**excess)),
        }

    def _reports(self, title: str, shown: _JudgedSeed | None) -> tuple[JsonObject, JsonObject]:
        """What goes beside the scores into the record, and into the observables."""
        if shown is None or shown.response is None:
            return {}, {}
        seed = {"seed": shown.training.seed}
        self.on_step(title, "metrics of whole samples")
        whole_sample = self.reports.whole_sample(shown.response)
        self.on_step(title, "memorisation")
        memorisation = self.reports.memorisation(shown.response)
        record = {"whole_sample": seed | whole_sample.record, "memorisation": seed | memorisation}
        helix = self.reports.helix(shown.response)
        return record | ({} if helix is None else {"helix": seed | helix}), {"whole_sample": whole_sample.details}

    def _stands(self, plan: EntryPlan) -> bool:
        with suppress(records.InvalidEntry):
            return bool(records.read_entry(self.board, plan.id)["status"] != "incomplete")
        return False

    def _resamples(self, entry: JsonObject, responses: Mapping[int, Response]) -> JsonObject | None:
        self.on_step(entry["title"], "score on resampled events")
        return record_of(entry, {seed: self.judge.resampled_scores(each) for seed, each in responses.items()})

    def _cost(self, completed: Sequence[_JudgedSeed]) -> JsonObject | None:
        if not completed:
            return None
        seconds = [seed.training.train_cpu_s for seed in completed if seed.training.train_cpu_s is not None]
        return {
            **measure_generation(completed[0].training.checkpoint_folder, self.reference.conditions),
            "train_cpu_s": float(np.mean(seconds)) if seconds else None,
            "hardware": hardware(),
            "machine": machine(),
            "simulation_ms": self.dataset.simulation_ms,
        }

    def _observables(self, shown: _JudgedSeed | None, seeds: Sequence[_JudgedSeed]) -> JsonObject:
        training = [
            {
                "seed": seed.training.seed,
                "best_epoch": seed.training.best_epoch,
                "history": [record for record in seed.training.history if record["score"] is not None],
            }
            for seed in seeds
        ]
        if shown is None:
            return {"schema": records.SCHEMA_VERSION, "seed": None, "training": training}
        if shown.response is None or shown.judgement is None:
            raise AssertionError("a completed seed has been judged")
        return self._plots(shown.response, shown.judgement) | {"seed": shown.training.seed, "training": training}

    def _plots(self, response: Response, judgement: Judgement) -> JsonObject:
        twin = None if self.twin is None else self.twin.response
        return {
            "schema": records.SCHEMA_VERSION,
            "histograms": histograms_for_plots(self.reference, response, twin, self.scorecard),
            "images": mean_images(self.reference, response, self.scorecard),
            "response": response_against_energy(self.reference, response, twin, self.scorecard),
            "correlations": correlations_for_plots(self.reference, response, twin, self.scorecard),
            "gallery": event_gallery(self.reference, response, self.scorecard),
            "judgement": judgement.to_json(),
        }


def _pairs(a: Mapping[int, Response], b: Mapping[int, Response]) -> list[tuple[Response, Response]]:
    if len(b) == 1:
        (only,) = b.values()
        return [(response, only) for response in a.values()]
    common = sorted(a.keys() & b.keys())
    if not common:
        raise ValueError(f"no seed in common: {sorted(a)} and {sorted(b)}; train both with the same seeds")
    return [(a[seed], b[seed]) for seed in common]


def _shown(completed: Sequence[_JudgedSeed]) -> _JudgedSeed | None:
    """The seed with the median score, of two the better one."""
    return sorted(completed, key=_score_of)[(len(completed) - 1) // 2] if completed else None


def _score_of(seed: _JudgedSeed) -> float:
    return float("inf") if seed.judgement is None else seed.judgement.score.value


def _status(plan: EntryPlan, seeds: Sequence[_JudgedSeed]) -> str:
    if any(seed.training.status == "diverged" for seed in seeds):
        return "diverged"
    completed = {seed.training.seed for seed in seeds if seed.judgement is not None}
    return "complete" if completed == set(plan.seeds) else "incomplete"


def _model_facts(plan: EntryPlan, seeds: Sequence[_JudgedSeed]) -> JsonObject:
    spec = MODELS[plan.model_name]
    counts = next((seed.training.num_parameters for seed in seeds if seed.judgement is not None), None)
    return {
        "name": spec.name,
        "title": spec.title,
        "config": plan.full_config,
        "paper_config": dict(to_dict(spec.config_class())) if spec.trainable else None,
        "source": spec.source,
        "num_parameters": counts or {"generate": 0, "train": 0},
    }


def _training_facts(plan: EntryPlan, seeds: Sequence[_JudgedSeed]) -> JsonObject:
    return {
        "epochs": plan.epochs,
        "epochs_label": plan.epochs_label,
        "showers": max((seed.training.showers for seed in seeds), default=0),
        "checkpoint_rule": plan.checkpoint_rule,
        "seeds_planned": list(plan.seeds),
        "evaluate_every": plan.evaluate_every,
        "base_sha256": None if plan.base is None else hash_of(plan.base),
        "processes": max((seed.training.job.get("processes", 1) for seed in seeds), default=1),
    }


def _seed_record(seed: _JudgedSeed) -> JsonObject:
    training, judgement = seed.training, seed.judgement
    return {
        "seed": training.seed,
        "status": training.status,
        "score": None if judgement is None else judgement.score.value,
        "error": None if judgement is None else judgement.score.error,
        "components": {} if judgement is None else {k: asdict(v) for k, v in judgement.components.items()},
        "excess": None if judgement is None else _estimate(judgement.excess),
        "z": None if judgement is None else judgement.z,
        "p_values": {} if judgement is None else dict(judgement.p_values),
        "best_epoch": training.best_epoch,
        "train_cpu_s": training.train_cpu_s,
        "detail": training.detail,
    }


def _estimate(estimate: Estimate | None) -> JsonObject | None:
    return None if estimate is None else asdict(estimate)
