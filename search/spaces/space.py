"""A model's hyperparameters as data.

One object gives Optuna's suggestions, the published grid, the check of a hand-written
configuration, and the table in the documentation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.trial import BaseTrial

from data_adapters.registry import UnknownName

Value = float | int | str
Limits = Sequence[Value]


class OutsideSpace(ValueError):
    """A value that the space does not hold; the message says what it holds."""


@dataclass(frozen=True)
class When:
    """Holds where one of ``fields`` is among ``values``, or at least ``minimum``, or above ``above``.

    Exactly one of the three is given.
    """

    fields: tuple[str, ...]
    values: tuple[Value, ...] = ()
    minimum: float | None = None
    above: float | None = None

    def __call__(self, config: Mapping[str, Any]) -> bool:
        return any(self.satisfied_by(config[field]) for field in self.fields)

    def satisfied_by(self, value: Any) -> bool:
        """Whether this value of one of the fields is enough."""
        if self.minimum is not None:
            return bool(value >= self.minimum)
        if self.above is not None:
            return bool(value > self.above)
        return value in self.values

    def __str__(self) -> str:
        names = " or ".join(self.fields)
        if self.minimum is not None:
            return f"{names} ≥ {self.minimum:g}"
        if self.above is not None:
            return f"{names} > {self.above:g}"
        return f"{names} = {', '.join(str(value) for value in self.values)}"


@dataclass(frozen=True)
class Branch:
    """What may be chosen while ``when`` holds (always, if None).

    ``published`` are the points of the grid: the values that the paper lists. Where it gives an
    interval, they are the ends and the optimum; where it gives one value or none, ours around it.
    """

    distribution: BaseDistribution
    published: tuple[Value, ...]
    when: When | None = None

    def holds(self, value: Value) -> bool:
        if isinstance(self.distribution, CategoricalDistribution):
            return value in self.distribution.choices
        if isinstance(value, str | bool):
            return False
        if isinstance(self.distribution, IntDistribution) and value != int(value):
            return False
        return _low(self.distribution) <= value <= _high(self.distribution)

    def describe(self) -> str:
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            return ", ".join(_short(choice) for choice in distribution.choices)
        scale = ", logarithmic" if getattr(distribution, "log", False) else ""
        return f"{_short(_low(distribution))} … {_short(_high(distribution))}{scale}"

    def allows(self, when: When) -> bool:
        """Whether a value of this branch satisfies a condition on it."""
        if when.values:
            return any(self.holds(value) for value in when.values)
        if isinstance(self.distribution, CategoricalDistribution):
            return any(when.satisfied_by(choice) for choice in self.distribution.choices)
        return when.satisfied_by(_high(self.distribution))

    @property
    def smallest(self) -> float:
        """Of numbers, the smallest."""
        if isinstance(self.distribution, CategoricalDistribution):
            return min(float(choice) for choice in self.distribution.choices if not isinstance(choice, str | None))
        return _low(self.distribution)

    def limited(self, limits: Limits) -> Branch | None:
        """This branch within ``limits`` (choices, or low and high); None if nothing remains."""
        published = tuple(value for value in self.published if _within(value, limits, self.distribution))
        distribution = _limited(self.distribution, limits)
        return None if distribution is None else Branch(distribution, published, self.when)


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter: a field of the model's configuration.

    Where it has several branches, at most one of them holds at a time. Where none holds, it has no
    effect and stays at its default.
    """

    name: str
    title: str
    default: Value
    branches: tuple[Branch, ...]
    source: str
    note: str = ""

    def active(self, config: Mapping[str, Any]) -> Branch | None:
        return next((branch for branch in self.branches if branch.when is None or branch.when(config)), None)

    @property
    def smallest(self) -> float:
        """Of a number, the smallest value that can be chosen."""
        return min(branch.smallest for branch in self.branches)

    def optuna_name(self, branch: Branch) -> str:
        """Branches are separate parameters to Optuna, because their distributions differ."""
        return self.name if len(self.branches) == 1 else f"{self.name} [{branch.when}]"

    def describe(self) -> str:
        return "; ".join(
            branch.describe() + (f" where {branch.when}" if branch.when else "") for branch in self.branches
        )


def choice(source: str, name: str, title: str, default: Value, values: tuple[Value, ...], note: str = "") -> Parameter:
    """A parameter that takes the values which its paper lists, without condition."""
    return Parameter(name, title, default, (Branch(CategoricalDistribution(values), values),), source, note)


@dataclass(frozen=True)
class Space:
    """The hyperparameters of one model, in an order in which conditions look back only.

    Raises: ValueError if a default lies outside, or a condition names no earlier parameter.
    """

    model: str
    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for parameter in self.parameters:
            for branch in parameter.branches:
                unknown = set(branch.when.fields if branch.when else ()) - seen
                if unknown:
                    raise ValueError(f"{parameter.name} depends on {sorted(unknown)}, which must come before it")
            seen.add(parameter.name)
        self.validate(self.default)

    def __getitem__(self, name: str) -> Parameter:
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise UnknownName("hyperparameter", name, [parameter.name for parameter in self.parameters])

    @property
    def name(self) -> str:
        """The space is registered under the name of its model."""
        return self.model

    @property
    def default(self) -> dict[str, Value]:
        """The paper's optimum (unless fixed otherwise): trial 0 of every search."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    @property
    def varied(self) -> list[str]:
        """Names of the parameters that have more than one value left."""
        return [p.name for p in self.parameters if not all(b.distribution.single() for b in p.branches)]

    @cached_property
    def sha256(self) -> str:
        """Identity of the space: parameters, defaults, distributions, conditions."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {
                "name": parameter.name,
                "default": parameter.default,
                "branches": [
                    {
                        "distribution": json.loads(distribution_to_json(branch.distribution)),
                        "published": list(branch.published),
                        "when": None if branch.when is None else str(branch.when),
                    }
                    for branch in parameter.branches
                ],
            }
            for parameter in self.parameters
        ]

    def allows(self, when: When) -> bool:
        """Whether a configuration of this space can satisfy a condition.

        Raises: UnknownName if the condition names no hyperparameter.
        """
        return any(branch.allows(when) for field in when.fields for branch in self[field].branches)

    def suggest(self, trial: BaseTrial) -> dict[str, Value]:
        """A whole configuration, with Optuna choosing what is active (define-by-run)."""
        config = self.default
        for parameter in self.parameters:
            branch = parameter.active(config)
            if branch is not None:
                config[parameter.name] = _suggest(trial, parameter.optuna_name(branch), branch.distribution)
        return config

    def optuna_parameters(self, config: Mapping[str, Any]) -> dict[str, tuple[Value, BaseDistribution]]:
        """Value and distribution of what is active in a configuration, by the name Optuna knows it by."""
        return {
            self[name].optuna_name(branch): (config[name], branch.distribution)
            for name, branch in self.active_branches(config).items()
        }

    def active_branches(self, config: Mapping[str, Any]) -> dict[str, Branch]:
        """The branch that holds of each parameter that has an effect in a configuration."""
        found = {parameter.name: parameter.active(config) for parameter in self.parameters}
        return {name: branch for name, branch in found.items() if branch is not None}

    def validate(self, config: Mapping[str, Any]) -> dict[str, Value]:
        """The configuration with defaults filled in.

        Raises: UnknownName for a name that is no hyperparameter; OutsideSpace for a value that is not
            in the space.
        """
        for name in config:
            self[name]
        full = {**self.default, **config}
        for parameter in self.parameters:
            branch = parameter.active(full)
            if branch is not None and not branch.holds(full[parameter.name]):
                raise OutsideSpace(
                    f"{parameter.name} = {full[parameter.name]!r} lies outside the space; "
                    f"it takes {parameter.describe()}"
                )
        return full

    def limit(self, limits: Mapping[str, Limits]) -> Space:
        """The space with some parameters held within limits: choices, or a low and a high end.

        Raises: UnknownName; OutsideSpace if nothing remains or a default falls out.
        """
        for name in limits:
            self[name]
        parameters = tuple(
            _limit_parameter(parameter, limits[parameter.name]) if parameter.name in limits else parameter
            for parameter in self.parameters
        )
        return Space(self.model, parameters)

    def with_defaults(self, values: Mapping[str, Value]) -> Space:
        """The space with other defaults.

        Raises: UnknownName; OutsideSpace for a default that it does not hold.
        """
        for name in values:
            self[name]
        parameters = tuple(replace(p, default=values.get(p.name, p.default)) for p in self.parameters)
        return Space(self.model, parameters)

    def fix(self, values: Mapping[str, Any]) -> Space:
        """The space with some parameters held at one value, which becomes their default.

        Raises: UnknownName; OutsideSpace.
        """
        full = self.validate(values)
        parameters = tuple(
            replace(
                parameter,
                default=full[parameter.name],
                branches=tuple(_fixed(branch, full[parameter.name]) for branch in parameter.branches),
            )
            if parameter.name in values
            else parameter
            for parameter in self.parameters
        )
        return Space(self.model, parameters)

    @property
    def grid_size(self) -> int:
        """Number of points of the published grid."""
        return _Grid(self).size

    def grid_point(self, index: int) -> dict[str, Value]:
        """Point ``index`` of the published grid, 0 … grid_size − 1."""
        return _Grid(self).point(index)

    def table(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Rows of the documentation: name, title, searched, published values, optimum and source."""
        for parameter in self.parameters:
            published = "; ".join(
                ", ".join(_short(value) for value in branch.published) + (f" ({branch.when})" if branch.when else "")
                for branch in parameter.branches
            )
            source = parameter.source + (f". {parameter.note}" if parameter.note else "")
            yield f"`{parameter.name}`", parameter.describe(), published, _short(parameter.default), source


class _Grid:
    """The published grid as numbered points, without listing them: some grids have billions."""

    def __init__(self, space: Space) -> None:
        self.space = space
        fields = {f for p in space.parameters for b in p.branches if b.when for f in b.when.fields}
        self.condition_fields = tuple(name for name in space.default if name in fields)
        self._count = lru_cache(maxsize=None)(self._count_uncached)

    @property
    def size(self) -> int:
        return self._count_from(0, self.space.default)

    def point(self, index: int) -> dict[str, Value]:
        if not 0 <= index < self.size:
            raise IndexError(f"the grid has {self.size} points; there is no point {index}")
        config = self.space.default
        for position, parameter in enumerate(self.space.parameters):
            for value in self._values(parameter, config):
                config[parameter.name] = value
                below = self._count_from(position + 1, config)
                if index < below:
                    break
                index -= below
        return config

    def _count_from(self, position: int, config: Mapping[str, Value]) -> int:
        return self._count(position, tuple(config[name] for name in self.condition_fields))

    def _count_uncached(self, position: int, condition_values: tuple[Value, ...]) -> int:
        if position == len(self.space.parameters):
            return 1
        parameter = self.space.parameters[position]
        config = {**self.space.default, **dict(zip(self.condition_fields, condition_values, strict=True))}
        return sum(
            self._count_from(position + 1, {**config, parameter.name: value})
            for value in self._values(parameter, config)
        )

    @staticmethod
    def _values(parameter: Parameter, config: Mapping[str, Value]) -> tuple[Value, ...]:
        branch = parameter.active(config)
        return branch.published if branch is not None else (parameter.default,)


def _suggest(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Value:
    if isinstance(distribution, CategoricalDistribution):
        choice: Value = trial.suggest_categorical(name, distribution.choices)  # type: ignore[assignment]
        return choice
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)


def _limit_parameter(parameter: Parameter, limits: Limits) -> Parameter:
    branches = tuple(branch for branch in (b.limited(limits) for b in parameter.branches) if branch is not None)
    if not branches:
        raise OutsideSpace(f"nothing of {parameter.name} lies within {list(limits)}; it takes {parameter.describe()}")
    return replace(parameter, branches=branches)


def _limited(distribution: BaseDistribution, limits: Limits) -> BaseDistribution | None:
    if isinstance(distribution, CategoricalDistribution):
        choices = [choice for choice in distribution.choices if choice in limits]
        return CategoricalDistribution(choices) if choices else None
    low, high = max(_low(distribution), float(limits[0])), min(_high(distribution), float(limits[-1]))
    if low > high:
        return None
    if isinstance(distribution, IntDistribution):
        return IntDistribution(int(low), int(high), log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    return FloatDistribution(low, high, log=distribution.log)


def _fixed(branch: Branch, value: Value) -> Branch:
    return branch.limited((value,)) or branch


def _within(value: Value, limits: Limits, distribution: BaseDistribution) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in limits
    return float(limits[0]) <= float(value) <= float(limits[-1])


def _low(distribution: BaseDistribution) -> float:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return distribution.low


def _high(distribution: BaseDistribution) -> float:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return distribution.high


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
