"""From a study and the flags of a command to a plan: everything settled before anything runs."""

from __future__ import annotations

import fcntl
import json
import math
import re
import shlex
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from data_adapters.adapters import open_events
from data_adapters.datasets import DATASETS, IN_MEMORY_BYTES, Dataset, DatasetFiles
from data_adapters.problems import UnreadableFile
from data_adapters.validation import validate
from leaderboard.records import JsonObject, write_atomically
from metrics.scorecard import Scorecard
from metrics.scorecards import scorecard_for
from models import MODELS
from models.building import check_base, check_detector, data_parallel_models
from models.groups import GROUPINGS
from models.storage import hash_of
from search.engine.checkpoint_budget import RESERVE_BYTES
from search.engine.code_identity import changes, code_identity
from search.engine.earlier import Config, best_configurations
from search.engine.ledger import Ledger, ledger_as_it_is
from search.engine.objectives import GENERATION_TIME, SCORE, SCORE_ALONE, Objectives, objectives_named
from search.engine.resources import Request, largest_request, request_for
from search.engine.storage_check import network_file_system, refuse_password, refuse_sqlite_on_network
from search.engine.study import Preset, PresetName, SamplerName, Study, StudyError
from search.engine.tracking import TARGET, is_database
from search.engine.trial import TrialSetup
from search.spaces import Space

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Options:
    """What may be asked for; None means that the study decides.

    ``fix`` holds hyperparameters at a value, ``objective`` names what is minimised, ``learn_from`` is the folder of an
    earlier search whose best configurations are tried first. Budgets are in trials, in hours for
    everything, or in device-hours (hours times the devices that work at the same time). CPUs and GPUs are those of each
    process of a trial, or of a group of trials.
    """

    preset: PresetName | None = None
    trials: int | None = None
    hours: float | None = None
    device_hours: float | None = None
    epochs: int | None = None
    seeds: int | None = None
    seed: int | None = None
    sampler: SamplerName | None = None
    objective: str | None = None
    fix: Mapping[str, Any] = field(default_factory=dict)
    data: str | None = None
    twin: str | None = None
    cache: str | None = None
    base: str | None = None
    learn_from: str | None = None
    cpus_per_trial: int = 1
    gpus_per_trial: float = 0.0
    processes_per_trial: int = 1
    group_size: int = 1
    concurrent: int | None = None
    wait_minutes: float = 0.0
    checkpoint_gb: float | None = None
    no_compile: bool = False

    def check(self) -> None:
        """Raises: StudyError for a number that makes no sense."""
        if self.wait_minutes < 0:
            raise StudyError(f"--wait-minutes is {self.wait_minutes}; it must not be negative")
        for name in ("trials", "epochs", "seeds", "cpus_per_trial", "processes_per_trial", "group_size", "concurrent"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise StudyError(f"--{name.replace('_', '-')} is {value}; at least 1 is needed")
        for name in ("hours", "device_hours", "checkpoint_gb"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise StudyError(f"--{name.replace('_', '-')} is {value}; it must be above 0")
        self._check_gpus()
        if self.hours is not None and self.device_hours is not None:
            raise StudyError("--hours and --device-hours exclude each other: give one")

    def _check_gpus(self) -> None:
        if self.gpus_per_trial < 0 or (self.gpus_per_trial > 1 and self.gpus_per_trial != int(self.gpus_per_trial)):
            raise StudyError(
                f"--gpus-per-trial is {self.gpus_per_trial}; it takes a share of one GPU (0.25) or a whole number"
            )
        if self.processes_per_trial > 1 and 0 < self.gpus_per_trial < 1:
            raise StudyError(
                f"--gpus-per-trial is {self.gpus_per_trial}; with --processes-per-trial each process needs a whole GPU"
            )


@dataclass(frozen=True)
class Plan:
    """A search with nothing left open."""

    study: Study
    options: Options
    preset_name: PresetName
    preset: Preset
    space: Space
    dataset: Dataset
    data: DatasetFiles
    objectives: Objectives
    folder: Path
    board: Path
    tracking_uri: str
    base: Path | None = None
    first_trials: Sequence[Config] = ()
    session: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def epochs(self) -> int:
        return self.options.epochs or self.preset.epochs

    @property
    def evaluate_every(self) -> int:
        """At most as many evaluations as in the preset, whatever the epochs."""
        return math.ceil(self.preset.evaluate_every * self.epochs / self.preset.epochs)

    @property
    def first_rung(self) -> int:
        """Epochs at which a trial can first be stopped."""
        return first_rung(self.study, self.objectives, self.epochs, self.evaluate_every)

    @property
    def trials(self) -> int | None:
        """None where only time limits the search."""
        if self.options.trials is None and (self.options.hours or self.options.device_hours):
            return None
        return self.options.trials or self.preset.trials

    @property
    def final_seeds(self) -> int:
        return self.options.seeds or self.study.final_seeds

    @property
    def seed(self) -> int:
        return self.study.seed if self.options.seed is None else self.options.seed

    @property
    def sampler(self) -> SamplerName:
        return self.options.sampler or self.study.sampler

    @property
    def name(self) -> str:
        """Study and number of this search, "atlas-gan/001"."""
        return f"{self.study.name}/{self.folder.name}"

    @property
    def artifacts(self) -> Path | None:
        """Where MLflow keeps files, if it has no server that decides it."""
        return self.board.parent / "mlartifacts" if is_database(self.tracking_uri) else None

    @property
    def script(self) -> str:
        """How the study's script is called."""
        return self.study.script

    @property
    def command(self) -> str:
        """The command that asks for this plan, without paths and resources."""
        return f"{self.script} {self.flags}".strip()

    @property
    def title(self) -> str:
        """What is searched, on what."""
        if self.options.data is None:
            return self.study.title
        return f"{MODELS[self.study.model].title} on {self.dataset.detector.title}"

    @property
    def data_flags(self) -> str:
        """The flags that name files of one's own, each after a blank."""
        files = {"data": self.options.data, "twin": self.options.twin, "cache": self.options.cache}
        return "".join(f" --{name} {shlex.quote(path)}" for name, path in files.items() if path is not None)

    @property
    def flags(self) -> str:
        """What the command says of the search and its budget."""
        return command_flags(self.options, self.objectives)

    @property
    def objective_flag(self) -> str:
        """The flag that asks for other objectives than the score, after a blank."""
        return _objective_flag(self.objectives)

    @property
    def setup(self) -> TrialSetup:
        return TrialSetup(
            model=self.study.model,
            data=self.data,
            scorecard=self.scorecard_name,
            epochs=self.epochs,
            evaluate_every=self.evaluate_every,
            trials_folder=(self.folder / "trials").resolve(),
            threads=self.options.cpus_per_trial,
            device=self.device,
            objectives=self.objectives,
            base=self.base,
            compiled=self.compiled,
            session=self.session,
            processes=self.options.processes_per_trial,
            group_size=self.options.group_size,
        )

    @property
    def request(self) -> Request:
        """What a trial is given, unless its configuration takes more GPUs."""
        options = self.options
        return Request(options.cpus_per_trial, options.gpus_per_trial, options.processes_per_trial, options.group_size)

    @property
    def largest_request(self) -> Request:
        """The most that a trial of this search can ask for."""
        return largest_request(self.request, self.study.more_gpus, self.space)

    def request_for(self, config: Mapping[str, Any]) -> Request:
        """What a trial of a configuration asks for."""
        return request_for(self.request, self.study.more_gpus, config)

    @property
    def checkpoint_bytes(self) -> int | None:
        """What all checkpoints may take, where that is limited."""
        gigabytes = self.options.checkpoint_gb
        return None if gigabytes is None else round(gigabytes * 10**9)

    @property
    def device(self) -> str:
        """Where the networks are trained."""
        return "cuda" if self.options.gpus_per_trial else "cpu"

    @property
    def compiled(self) -> bool:
        """On a CPU, compiling takes longer than it saves in a trial; groups and several processes do without."""
        alone = self.options.processes_per_trial == self.options.group_size == 1
        return self.device == "cuda" and not self.options.no_compile and alone

    @property
    def first_trial(self) -> str:
        """What the first trial's configuration is: the paper's, unless the preset has other defaults."""
        return f"paper at {self.preset_name} size" if self.preset.defaults else "paper"

    @property
    def scorecard_name(self) -> str:
        """Of the preset, or else of the study."""
        return self.preset.scorecard or self.study.scorecard

    @property
    def scorecard(self) -> Scorecard:
        """The study's, or the generic one of the detector of one's own file."""
        return scorecard_for(self.dataset, self.scorecard_name)

    @property
    def identity(self) -> dict[str, Any]:
        """What must not change when a search is resumed or extended.

        The score goes without saying: searches from before there were other objectives have this identity, too.
        """
        further: dict[str, Any] = {} if self.objectives == SCORE_ALONE else {"objective": self.objectives.text}
        if self.study.built_on is not None:
            further["base"] = "trained first" if self.options.base is None else hash_of(Path(self.options.base))
        if self.options.processes_per_trial > 1:  # other rounding
            further["processes_per_trial"] = self.options.processes_per_trial
        if self.options.group_size > 1:  # other rounding, and other proposals
            further["group_size"] = self.options.group_size
        return {
            "study": self.study.name,
            "model": self.study.model,
            "preset": self.preset_name,
            "dataset": self.dataset.sha256,
            "space": self.space.sha256,
            "scorecard": self.scorecard.identity,
            "epochs": self.epochs,
            "evaluate_every": self.evaluate_every,
            "sampler": self.sampler,
            "seed": self.seed,
            "checkpoint_rule": self.study.checkpoint_rule,
            **further,
        }

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger.jsonl")


def first_rung(study: Study, objectives: Objectives, epochs: int, evaluate_every: int) -> int:
    """Epochs at which a trial can first be stopped; all of them where none is.

    With several objectives none is: what is worst in one may be best in another.
    """
    return epochs if objectives.several else max(evaluate_every, round(epochs * study.first_rung))


def command_flags(options: Options, objectives: Objectives) -> str:
    """What a command says of a search and its budget."""
    names = ("preset", "trials", "hours", "device_hours", "epochs", "seeds", "seed", "sampler")
    flags = [
        f"--{name.replace('_', '-')} {getattr(options, name)}" for name in names if getattr(options, name) is not None
    ]
    flags += [f"--fix {name}={value}" for name, value in options.fix.items()]
    if options.learn_from is not None:
        flags.append(f"--learn-from {'/'.join(Path(options.learn_from).parts[-2:])}")
    return (" ".join(flags) + _objective_flag(objectives)).strip()


def _objective_flag(objectives: Objectives) -> str:
    return "" if objectives == SCORE_ALONE else f" --objective {objectives.text}"


def make_plan(study: Study, options: Options, output: Path, folder: Path, tracking_uri: str | None) -> Plan:
    """Settle everything.

    Raises: StudyError, UnknownName, OutsideSpace for what cannot be; UnreadableFile for bad data.
    """
    options.check()
    preset_name: PresetName = options.preset or ("paper" if options.gpus_per_trial else "laptop")
    preset = study.preset(preset_name)
    data = _data(study, preset, options)
    dataset = data.open()
    check_detector(MODELS[study.model], dataset.detector)
    base = _base(study, options)
    space = study.space_at(preset).fix(_typed(study.space, options.fix))
    _check_processes(space, options.processes_per_trial)
    for file in (data.file, data.twin):
        if file is not None:
            check_file(file)
    check_readable(dataset)  # a damaged file must be noticed now, and not by every worker
    objectives = objectives_named(options.objective, scorecard_for(dataset, preset.scorecard or study.scorecard))
    _check_group(study, options, objectives)
    first_trials = _first_trials(study, options, space, folder)
    tracking_uri = tracking_uri or recorded_tracking_uri(folder) or local_tracking_uri(output)
    refuse_password(tracking_uri)
    refuse_sqlite_on_network(tracking_uri)
    return Plan(
        study=study,
        options=options,
        preset_name=preset_name,
        preset=preset,
        space=space,
        dataset=dataset,
        data=data,
        objectives=objectives,
        folder=folder,
        board=output / "leaderboard",
        tracking_uri=tracking_uri,
        base=base,
        first_trials=first_trials,
    )


def _first_trials(study: Study, options: Options, space: Space, folder: Path) -> list[Config]:
    """What comes after the paper's optimum, of a search that begins or of one that goes on.

    Raises: StudyError if nothing can be learned from that earlier search.
    """
    if options.learn_from is None:
        return []
    if (folder / "study.json").exists():
        recorded: list[Config] = _record(folder)["first_trials"]
        return recorded
    earlier = Path(options.learn_from)
    model = _record(earlier)["identity"]["model"]
    if model != study.model:
        raise StudyError(f"--learn-from {earlier} was a search of {model}; this one searches {study.model}")
    return best_configurations(ledger_as_it_is(earlier / "ledger.jsonl"), space)


def _base(study: Study, options: Options) -> Path | None:
    """The checkpoint that was given, checked.

    Raises: StudyError if the study needs none; UnreadableCheckpoint.
    """
    if options.base is None:
        return None
    if study.built_on is None:
        raise StudyError(f"--base: {study.model} is built on no other model; leave it out")
    base = Path(options.base).resolve()
    check_base(MODELS[study.model], base)
    return base


def _check_processes(space: Space, processes: int) -> None:
    """Raises: StudyError if so many processes cannot train the model, or share its smallest mini-batch."""
    if processes == 1:
        return
    able = data_parallel_models()
    if space.model not in able:
        raise StudyError(
            f"--processes-per-trial {processes}: {space.model} is trained by one process. Leave the flag out, or "
            f"search a model that several can train ({', '.join(able)})"
        )
    smallest = space["batch_size"].smallest
    if smallest < processes:
        raise StudyError(
            f"--processes-per-trial {processes}: the search tries mini-batches of {smallest:g} events, which so many "
            "cannot share. Ask for fewer processes, or hold a larger one with --fix batch_size=VALUE"
        )


def _check_group(study: Study, options: Options, objectives: Objectives) -> None:
    """Raises: StudyError if the trials of such a search cannot be trained in groups."""
    if options.group_size == 1:
        return
    given = f"--group-size {options.group_size}"
    if study.model not in GROUPINGS:
        raise StudyError(f"{given}: {study.model} is trained alone; in groups are {', '.join(GROUPINGS)}")
    if options.processes_per_trial > 1:
        raise StudyError(f"{given}: a trial is trained with others or by several processes, not both")
    if (options.sampler or study.sampler) == "grid":
        raise StudyError(f"{given}: the points of a grid have architectures of their own; take another --sampler")
    if options.learn_from is not None:
        raise StudyError(f"{given}: the trials of --learn-from have architectures of their own; leave one of them out")
    if GENERATION_TIME in objectives.names:
        raise StudyError(f"{given}: the others disturb the measurement of {GENERATION_TIME}; leave one of them out")


def _data(study: Study, preset: Preset, options: Options) -> DatasetFiles:
    cache = _path(options.cache)
    if options.data is not None and options.data in DATASETS and not Path(options.data).exists():
        data = DatasetFiles(options.data, cache=cache)
    else:
        data = DatasetFiles(preset.dataset or study.dataset, _path(options.data), _path(options.twin), cache)
    if options.twin is not None and data.file is None:
        raise StudyError("--twin belongs to a file of one's own: give that with --data")
    return data


def check_file(path: Path) -> None:
    """Validate a file of one's own, as ``arena data validate`` does; one that is larger than memory is not read.

    Raises: UnreadableFile with everything that is wrong with it.
    """
    if open_events(path).nbytes > IN_MEMORY_BYTES:
        return
    problems = validate(path, Console(quiet=True)).problems
    if problems:
        raise UnreadableFile(path, *problems)


def check_readable(dataset: Dataset) -> None:
    """Read what a search reads, once.

    Raises: UnreadableFile for a file that cannot be searched on; InvalidEvents if it cannot be judged.
    """
    if dataset.train_fits_in_memory:
        dataset.split("train")
    dataset.split("validation")
    dataset.twin_split("validation")


def local_tracking_uri(output: Path) -> str:
    """An SQLite file in the output folder; empty, for a delivery later, where its locks would not hold."""
    return "" if network_file_system(output) else f"sqlite:///{(output / 'mlflow.db').resolve()}"


def recorded_tracking_uri(folder: Path) -> str | None:
    """Where a search that goes on has been tracked; None for a new one."""
    path = folder / "tracking" / TARGET
    if not path.exists():
        return None
    uri: str = json.loads(path.read_text(encoding="utf-8"))["uri"]
    return uri


def named_folder(output: Path, study: Study, name: str) -> Path:
    """The folder of a search with a name of its own.

    Raises: StudyError for what cannot be a folder's name, or would be taken for a number.
    """
    if not NAME.fullmatch(name) or name.isdigit():
        raise StudyError(
            f"--name {name!r}: a name has up to 64 letters, digits, dots, dashes and underscores, begins with a letter "
            "or digit, and is no number"
        )
    return output / study.name / name


def new_folder(output: Path, study: Study) -> Path:
    """The folder of the next search of a study: runs/atlas-gan/001, 002, …"""
    parent = output / study.name
    numbers = [int(path.name) for path in parent.glob("[0-9]*") if path.name.isdigit()]
    return parent / f"{max(numbers, default=0) + 1:03d}"


def latest_folder(output: Path, study: Study) -> Path:
    """The folder of the search of a study that began last.

    Raises: StudyError if there is none.
    """
    records = (output / study.name).glob("*/study.json")
    folders = [record.parent for record in sorted(records, key=lambda record: (record.stat().st_mtime_ns, record))]
    if not folders:
        raise StudyError(
            f"{output / study.name}: there is no search of {study.name} to resume. Start one without --resume"
        )
    return folders[-1]


def begin(plan: Plan, *, numbered: bool = True) -> Plan:
    """Write down what this search is.

    Args:
        numbered: Take the next number if another search took this one meanwhile.
    Returns: The plan, with its folder.
    Raises: OSError if the folder cannot be written; StudyError if the disk is nearly full.
    """
    while True:
        try:
            # Under a name, a start that died at once may have left an empty one.
            plan.folder.mkdir(parents=True, exist_ok=not numbered)
            break
        except FileExistsError:
            if not numbered:
                raise
            plan = replace(plan, folder=new_folder(plan.folder.parents[1], plan.study))
    _check_space(plan.folder)
    record = {
        "identity": plan.identity,
        "options": asdict(plan.options),
        "space": plan.space.to_json(),
        "code": code_identity(),
        "first_trials": list(plan.first_trials),
    }
    _write_record(plan.folder, record)
    return plan


def recorded_options(folder: Path, given: Options) -> Options:
    """The options of an earlier search, with those of its budget that are given now.

    Raises: StudyError if the folder holds no search, or an option is given that cannot change.
    """
    options = Options(**_record(folder)["options"])
    default = Options()
    for name in (
        "preset",
        "epochs",
        "seed",
        "sampler",
        "fix",
        "data",
        "twin",
        "base",
        "learn_from",
        "processes_per_trial",
        "group_size",
    ):
        new, old = getattr(given, name), getattr(options, name)
        if new != getattr(default, name) and new != old:
            raise StudyError(
                f"{folder} was searched with {name} = {old!r}; {new!r} would be another search. "
                "Leave the option out, or start anew without --resume"
            )
    budget = {
        name: getattr(given, name)
        for name in ("trials", "hours", "device_hours", "seeds", "concurrent", "checkpoint_gb", "cache", "objective")
        if getattr(given, name) is not None  # an objective is compared by check_identity, whatever the order of names
    }
    if budget.keys() & {"trials", "hours", "device_hours"}:
        options = replace(options, trials=None, hours=None, device_hours=None)
    # Where a search goes on, the machine may be another one.
    resources = {name: getattr(given, name) for name in ("wait_minutes", "cpus_per_trial", "gpus_per_trial")}
    budget |= {name: value for name, value in resources.items() if value != getattr(default, name)}
    return replace(options, **budget)


def recorded_identity(folder: Path) -> dict[str, Any]:
    """What must not change of an earlier search. Raises: StudyError if the folder holds no search."""
    identity: dict[str, Any] = _record(folder)["identity"]
    return identity


def recorded_space(folder: Path, study: Study) -> Space:
    """The space of an earlier search.

    Raises: StudyError if the folder holds no search, or the space has changed since.
    """
    record = _record(folder)
    space = study.space_at(study.preset(record["identity"]["preset"])).fix(
        _typed(study.space, record["options"]["fix"])
    )
    if space.sha256 != record["identity"]["space"]:
        raise StudyError(f"{folder}: the space of {study.name} has changed since. Use the version that searched it")
    return space


def check_identity(plan: Plan, *, accept_changes: bool = False) -> None:
    """Refuse to go on with a search of something else, or with other code.

    Args:
        accept_changes: Go on with changed code, and write down that it was changed.
    Raises: StudyError, showing what differs.
    """
    _check_space(plan.folder)
    unsaid = {"objective": SCORE}
    record = _record(plan.folder)
    recorded, now = unsaid | record["identity"], unsaid | plan.identity
    differing = [
        f"{name}: {_brief(recorded.get(name))} there, {_brief(value)} now"
        for name, value in now.items()
        if recorded.get(name) != value
    ]
    if differing:
        differing += _changed_hyperparameters(record["space"], plan.space.to_json())
        raise StudyError(
            f"{plan.folder} holds another search ({'; '.join(differing)}). Nothing was changed. "
            "Start a new search without --resume"
        )
    _check_code(plan.folder, accept_changes)


def _changed_hyperparameters(before: list[JsonObject], now: list[JsonObject]) -> list[str]:
    """What differs in two spaces, each as JSON."""
    plain: list[JsonObject] = json.loads(json.dumps(now))
    old, new = ({parameter["name"]: parameter for parameter in space} for space in (before, plain))
    return [
        *(f"hyperparameter {name} is gone" for name in old if name not in new),
        *(f"hyperparameter {name} is new" for name in new if name not in old),
        *(
            f"{name}: default {old[name]['default']} and {_published(old[name])} there, "
            f"{new[name]['default']} and {_published(new[name])} now"
            for name in new
            if old.get(name, new[name]) != new[name]
        ),
    ]


def _published(parameter: JsonObject) -> str:
    return "; ".join(", ".join(str(value) for value in branch["published"]) for branch in parameter["branches"])


def _check_code(folder: Path, accept_changes: bool) -> None:
    record = _record(folder)
    now = code_identity()
    differing = changes(record.get("code", now), now)
    if not differing:
        return
    if not accept_changes:
        raise StudyError(
            f"{folder} was searched with other code: {_listed(differing)}. Trials before and after may not compare. "
            "Nothing was changed. Start a new search without --resume, or go on with --accept-changes"
        )
    accepted = [*record.get("accepted_changes", []), {"time": time.time(), "changes": differing}]
    _write_record(folder, {**record, "code": now, "accepted_changes": accepted})


def _listed(differing: list[str]) -> str:
    shown = differing[:6]
    more = f" and {len(differing) - len(shown)} more" if len(differing) > len(shown) else ""
    return ", ".join(shown) + more


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    write_atomically(folder / "study.json", json.dumps(record, indent=1))


def lock(folder: Path) -> IO[str]:
    """Hold a search's folder for one process, until the file is closed.

    Raises: StudyError if another process holds it.
    """
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise StudyError(f"{folder} is being searched by another process. Wait for it, or stop it") from None
    return file


def _record(folder: Path) -> dict[str, Any]:
    path = folder / "study.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError) as error:
        raise StudyError(
            f"{path}: not the record of a search ({error}). Give the folder of a search, like runs/atlas-gan/001"
        ) from error
    return record


def _typed(space: Space, fix: Mapping[str, Any]) -> dict[str, Any]:
    """Values of --fix in the type of the hyperparameter.

    Raises: UnknownName; StudyError for text where a number belongs.
    """
    typed: dict[str, Any] = {}
    for name, value in fix.items():
        kind = type(space[name].default)
        try:
            number = value if kind is str else float(value)
        except ValueError:
            raise StudyError(f"{name} = {value!r} is no number; it takes {space[name].describe()}") from None
        typed[name] = int(number) if kind is int and number == int(number) else number
    return typed


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).resolve()


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < RESERVE_BYTES:
        raise StudyError(
            f"{folder}: the disk has {free / 2**20:.0f} MB left; {RESERVE_BYTES / 2**20:.0f} MB are needed. "
            "Free some space, or give --output on another disk"
        )


def _brief(value: Any) -> str:
    text = str(value)
    return text[:12] + "…" if len(text) > 40 else text
