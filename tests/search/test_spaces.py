"""Spaces: suggestions, grid, validation and documentation from one object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Real

from data_adapters.registry import UnknownName
from models import MODELS
from models.config import from_dict
from search.spaces import SPACES, Branch, OutsideSpace, Parameter, Space, When

GAN, VAE = SPACES["atlas-gan"], SPACES["atlas-vae"]
SMALL = Space(
    "small",
    (
        Parameter("depth", "Depth", 1, (Branch(Choice((1, 2)), (1, 2)),), "here"),
        Parameter("width", "Width", 3, (Branch(Choice((3, 4, 5)), (3, 4, 5), When(("depth",), minimum=2)),), "here"),
        Parameter(
            "rate",
            "Rate",
            0.1,
            (
                Branch(Real(0.01, 1.0, log=True), (0.1, 1.0), When(("depth",), values=(1,))),
                Branch(Real(0.01, 0.5, log=True), (0.1,), When(("depth",), values=(2,))),
            ),
            "here",
        ),
    ),
)


@pytest.fixture(params=SPACES.values(), ids=lambda space: space.name)
def space(request: pytest.FixtureRequest) -> Space:
    found: Space = request.param
    return found


class TestEverySpace:
    def test_its_parameters_are_the_fields_of_the_configuration(self, space: Space) -> None:
        names = {field.name for field in fields(MODELS[space.model].config_class)}
        searched = {parameter.name for parameter in space.parameters}
        assert searched <= names
        assert names - searched == ({"latent_dim"} if space.model == "atlas-gan" else set())

    def test_its_default_is_the_models_default(self, space: Space) -> None:
        config_class = MODELS[space.model].config_class
        assert from_dict(config_class, space.default) == config_class()

    def test_every_published_value_makes_a_configuration(self, space: Space) -> None:
        for config in published_configs(space):
            from_dict(MODELS[space.model].config_class, space.validate(config))

    def test_published_values_lie_in_what_is_searched(self, space: Space) -> None:
        for parameter in space.parameters:
            for branch in parameter.branches:
                assert branch.published
                assert all(branch.holds(value) for value in branch.published)

    def test_suggestions_are_valid_and_plain(self, space: Space) -> None:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
        for _ in range(50):
            config = space.suggest(study.ask())
            assert space.validate(config) == config
            assert {type(value) for value in config.values()} <= {int, float, str}

    def test_what_optuna_saw_can_be_told_from_the_configuration(self, space: Space) -> None:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=2))
        for _ in range(20):
            trial = study.ask()
            config = space.suggest(trial)
            active = space.optuna_parameters(config)
            assert {name: value for name, (value, _) in active.items()} == trial.params
            assert {name: distribution for name, (_, distribution) in active.items()} == trial.distributions

    def test_its_grid_points_are_valid(self, space: Space) -> None:
        size = space.grid_size
        points = [space.grid_point(index * (size - 1) // 30) for index in range(31)]
        assert all(space.validate(point) == point for point in points)
        assert len({str(point) for point in points}) == 31

    def test_its_table_has_a_row_for_every_parameter(self, space: Space) -> None:
        rows = list(space.table())
        assert [row[0] for row in rows] == [f"`{parameter.name}`" for parameter in space.parameters]
        assert all(all(cell for cell in row) for row in rows)

    def test_an_unknown_name_offers_the_nearest(self, space: Space) -> None:
        with pytest.raises(UnknownName, match=r"Nearest: '\w*learning_rate'"):
            space.validate({"learning_rat": 1e-3})


def published_configs(space: Space) -> Iterator[dict[str, Any]]:
    """One configuration for each published value, with the condition of its branch fulfilled."""
    for parameter in space.parameters:
        for branch in parameter.branches:
            needed = {} if branch.when is None else {branch.when.fields[0]: fulfilling(branch.when)}
            for value in branch.published:
                yield {**needed, parameter.name: value}


def fulfilling(when: When) -> Any:
    if when.values:
        return when.values[0]
    return when.minimum if when.minimum is not None else 10.0


def test_the_learning_rates_of_the_paper_hang_on_the_training_ratio() -> None:
    rates = {
        ratio: {GAN.grid_point(index)["learning_rate"] for index in indices}
        for ratio, indices in _grid_indices_by(GAN, "training_ratio").items()
    }
    assert rates[5] == rates[10] == rates[20] == {5e-5, 5e-6, 1e-6}
    assert rates[3] == {5e-5, 5e-6, 1e-5, 1e-7}
    assert rates[1] == {1e-6}


def _grid_indices_by(space: Space, name: str) -> dict[Any, list[int]]:
    groups: dict[Any, list[int]] = {}
    for index in range(0, space.grid_size, 97):  # 97 shares no factor with the sizes of the axes
        groups.setdefault(space.grid_point(index)[name], []).append(index)
    return groups


def test_units_of_a_layer_count_only_where_the_layer_is() -> None:
    shallow = VAE.optuna_parameters({**VAE.default, "encoder_layers": 1, "decoder_layers": 2})
    assert {"units_1", "units_2"} <= shallow.keys()
    assert not {"units_3", "units_4"} & shallow.keys()


def test_the_grid_lists_every_point_once() -> None:
    points = [SMALL.grid_point(index) for index in range(SMALL.grid_size)]
    assert points == [
        {"depth": 1, "width": 3, "rate": 0.1},
        {"depth": 1, "width": 3, "rate": 1.0},
        {"depth": 2, "width": 3, "rate": 0.1},
        {"depth": 2, "width": 4, "rate": 0.1},
        {"depth": 2, "width": 5, "rate": 0.1},
    ]
    with pytest.raises(IndexError, match="5 points"):
        SMALL.grid_point(5)


def test_a_value_outside_says_what_is_inside() -> None:
    with pytest.raises(OutsideSpace, match="units = 3 lies outside the space; it takes 64, 128, 512, 1024"):
        GAN.validate({"units": 3})
    with pytest.raises(OutsideSpace, match=r"rate = 0\.7 lies outside"):
        SMALL.validate({"depth": 2, "rate": 0.7})
    assert SMALL.validate({"depth": 1, "rate": 0.7})["rate"] == 0.7


def test_limits_leave_the_rest_and_change_the_identity() -> None:
    limited = GAN.limit({"units": (64, 128), "learning_rate": (2e-5, 2e-3)})
    assert limited["units"].branches[0].published == (64, 128)
    assert limited["learning_rate"].describe().startswith("2e-05 … 0.002, logarithmic")
    assert limited["activation"] == GAN["activation"]
    assert limited.sha256 != GAN.sha256
    with pytest.raises(OutsideSpace, match="nothing of units"):
        GAN.limit({"units": (7,)})
    with pytest.raises(OutsideSpace, match="units = 128"):  # the default falls out
        GAN.limit({"units": (64,)})


def test_a_fixed_value_becomes_the_default_and_is_no_longer_varied() -> None:
    fixed = GAN.fix({"units": 512})
    assert fixed.default["units"] == 512
    assert "units" not in fixed.varied
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    assert {fixed.suggest(study.ask())["units"] for _ in range(5)} == {512}


def test_a_condition_looks_back_only() -> None:
    with pytest.raises(ValueError, match="must come before"):
        Space("wrong", SMALL.parameters[::-1])
