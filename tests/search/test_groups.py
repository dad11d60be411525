"""Trials that are trained in groups: proposals, resources, and a whole search in a real Ray session."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

import search.atlas_gan
import search.atlas_vae
from models.atlas_gan import AtlasGanConfig
from models.atlas_gan_group import OWN, shared_part
from models.config import from_dict
from search.engine.ledger import Ledger, TrialEnd
from search.engine.plan import Plan, begin, recorded_options
from search.engine.resources import Request
from search.engine.runner import ENVIRONMENT
from search.engine.sampler import Alike, Budget, LedgerSearch
from search.engine.study import Study, StudyError
from search.engine.trial import read_history
from search.spaces import SPACES
from tests.search.test_data_parallel import plan_of, searched

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]
STUDY = search.atlas_gan.STUDY
# With several objectives no trial is stopped early.
SMALL: dict[str, Any] = {"epochs": 3, "objective": "bmre,response", "fix": {"units": "64", "hidden_layers": "1"}}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_members_of_a_group_are_of_one_architecture(tmp_path: Path, sampler: Any) -> None:
    space, size = SPACES["atlas-gan"], 4
    ledger = Ledger(tmp_path / "ledger.jsonl")
    proposals = LedgerSearch(space, ledger, Budget(24), sampler, seed=3, alike=Alike(size, OWN))
    for number in range(24):
        proposals.suggest(f"t{number}")
        score = float(number % 5)
        proposals.tell(end := TrialEnd(number, "completed", 9, 1.0, score=score, objective=score))
        ledger.record_end(end)
    configs = [trial.start.config for trial in ledger.trials]
    assert configs[0] == space.default
    shared = [shared_part(from_dict(AtlasGanConfig, config)) for config in configs]
    for first in range(0, 24, size):
        assert shared[first : first + size] == [shared[first]] * size
        assert len({config["learning_rate"] for config in configs[first : first + size]}) == size
    assert len({part.units for part in shared}) > 1
    assert all(space.validate(config) == config for config in configs)


def test_a_group_has_the_gpus_and_its_members_share_its_cpus() -> None:
    request = Request(8, 1.0, together=16)
    assert request.bundles == [{"CPU": 0.5}]
    assert request.places([{"CPU": 16.0, "GPU": 2.0}]) == 32
    assert request.places([{"CPU": 8.0, "GPU": 2.0}]) == 16
    assert request.places([{"CPU": 8.0}]) == 0
    assert sum(Request(1, together=3).bundles[0].values()) * 3 <= 1
    assert str(request) == "8 CPUs and 1 GPUs on one node, for a group of 16"


class TestPlan:
    def test_the_size_of_a_group_belongs_to_the_search(self, tmp_path: Path) -> None:
        alone, plan = plan_of(tmp_path, STUDY), plan_of(tmp_path, STUDY, group_size=4)
        assert plan.identity == {**alone.identity, "group_size": 4}
        begin(plan)
        assert recorded_options(plan.folder, plan.options).group_size == 4
        with pytest.raises(StudyError, match="searched with group_size = 4; 3 would be another"):
            recorded_options(plan.folder, replace(plan.options, group_size=3))

    @pytest.mark.parametrize(
        ("study", "options", "said"),
        [
            (search.atlas_vae.STUDY, {}, "atlas-vae is trained alone; in groups are atlas-gan"),
            (STUDY, {"sampler": "grid"}, "the points of a grid have architectures of their own"),
            (STUDY, {"objective": "score,generation_time"}, "the others disturb the measurement of generation_time"),
            (STUDY, {"group_size": 0}, "--group-size is 0; at least 1 is needed"),
        ],
    )
    def test_what_cannot_be_is_said(self, tmp_path: Path, study: Study, options: dict[str, Any], said: str) -> None:
        with pytest.raises(StudyError, match=said):
            plan_of(tmp_path, study, **{"group_size": 4, **options})


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@contextmanager
def killing(name: str, trials: Path) -> Iterator[list[int]]:
    """Kill the first process with that in its title as soon as a trial has a checkpoint."""
    killed: list[int] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.05) and not killed:
            found = [p for p in psutil.Process().children(recursive=True) if name in " ".join(_title(p))]
            if found and any(trials.glob("*/last/checkpoint.safetensors")):
                os.kill(found[0].pid, signal.SIGKILL)
                killed.append(found[0].pid)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def _title(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def group_plan(folder: Path, **options: Any) -> Plan:
    return plan_of(folder, STUDY, **{**SMALL, "trials": 5, "group_size": 3, "cpus_per_trial": 2, **options})


@pytest.mark.usefixtures("environment")
def test_members_come_out_as_if_trained_alone(tmp_path: Path) -> None:
    plan = group_plan(tmp_path / "together")
    ends = searched(plan, "local")
    assert [(end.status, end.epochs) for end in sorted(ends, key=lambda end: end.number)] == [("completed", 3)] * 5
    alone = group_plan(tmp_path / "alone", trials=1, group_size=1, cpus_per_trial=1)
    searched(alone, "local")
    together, expected = (read_history(each.setup.folder(0)) for each in (plan, alone))
    for ours, theirs in zip(together, expected, strict=True):
        assert ours.losses == pytest.approx(theirs.losses, rel=1e-3)
        assert ours.score == pytest.approx(theirs.score, rel=0.02)


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("process", ["GroupActor", "TrialTrainable"])
def test_a_lost_process_costs_its_trials_no_more_than_a_checkpoint(tmp_path: Path, process: str) -> None:
    plan = group_plan(tmp_path / "disturbed", trials=3, epochs=16)
    with killing(process, plan.setup.trials_folder) as killed:
        ends = searched(plan, "local")
    assert killed
    undisturbed = group_plan(tmp_path / "undisturbed", trials=3, epochs=16)
    searched(undisturbed, "local")
    assert sorted(end.number for end in ends) == [0, 1, 2]
    for end in ends:
        assert (end.status, end.epochs) == ("completed", 16)
        found, expected = (read_history(each.setup.folder(end.number)) for each in (plan, undisturbed))
        assert [e.epoch for e in found] == [e.epoch for e in expected]
        for ours, theirs in zip(found, expected, strict=True):
            # Rounding differs between alone and together, and grows; from one epoch to the next losses change by 0.5.
            assert ours.losses == pytest.approx(theirs.losses, rel=0.02, abs=0.03)
