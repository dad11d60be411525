"""The model that another one is built on: given, or trained before the search."""

from __future__ import annotations

from dataclasses import replace

import ray
from rich.console import Console

from data_adapters.datasets import DatasetFiles
from leaderboard.training import SeedJob, train_seed
from search.engine.final import WORKERS_LOST
from search.engine.plan import Plan
from search.engine.progress import Display
from search.engine.study import Study, StudyError

LOOK_EVERY = 2.0


def with_base(plan: Plan, console: Console) -> Plan:
    """The plan with the checkpoint to build on; the plan as it is where the model is built on no other.

    A base that was trained by an earlier start of this search is used again; an interrupted one goes on.

    Raises: StudyError if it cannot be trained; KeyboardInterrupt from the user.
    """
    if plan.study.built_on is None or plan.base is not None:
        return plan
    job = base_job(plan, plan.study.built_on)
    with Display(console, f"training {job.model_name}, which this model is built on") as display:
        request = plan.request
        train = ray.remote(train_seed).options(num_cpus=request.cpus, num_gpus=request.gpus, max_retries=WORKERS_LOST)
        pending = train.remote(job)
        while not ray.wait([pending], timeout=LOOK_EVERY)[0]:
            done = job.epochs_done
            display.update(done / job.epochs, f"{done}/{job.epochs} epochs")
        result = ray.get(pending)
    if result.status != "completed":
        raise StudyError(
            f"{job.model_name}, on which {plan.study.model} is built, {result.status}: {result.detail}. "
            "Train one with its own study and give it with --base"
        )
    return replace(plan, base=result.checkpoint_folder)


def base_job(plan: Plan, study: Study) -> SeedJob:
    """One training of another study's first configuration, at the size of this search."""
    preset = study.preset(plan.preset_name)
    return SeedJob(
        model_name=study.model,
        config=study.space_at(preset).default,
        seed=plan.seed,
        epochs=preset.epochs,
        evaluate_every=preset.evaluate_every,
        checkpoint_rule=study.checkpoint_rule,
        dataset=DatasetFiles(preset.dataset or study.dataset),
        scorecard=preset.scorecard or study.scorecard,
        folder=plan.folder.resolve() / "base",
        device=plan.device,
        compiled=plan.compiled,
    )
