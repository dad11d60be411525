"""Registries of named components, and errors for names that nobody registered.

This lives in the lowest package because every package above registers its components with it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar


class Named(Protocol):
    """Anything that carries the name under which it is registered."""

    @property
    def name(self) -> str: ...


ComponentT = TypeVar("ComponentT", bound=Named)


class UnknownName(ValueError):
    """A name that is not registered; the message offers the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        hint = f" Nearest: {', '.join(repr(n) for n in near)}." if near else ""
        super().__init__(f"no {kind} {name!r}.{hint} All of them: {', '.join(names)}")


class Registry(Mapping[str, ComponentT]):
    """Read-only mapping from name to component; a name used twice raises at import.

    Raises: ValueError if two components carry one name; UnknownName from ``[]``.
    """

    def __init__(self, kind: str, *components: ComponentT) -> None:
        self.kind = kind
        self._components: dict[str, ComponentT] = {}
        for component in components:
            if component.name in self._components:
                raise ValueError(f"two components are called {component.name!r} among the {kind}s: rename one")
            self._components[component.name] = component

    def __getitem__(self, name: str) -> ComponentT:
        try:
            return self._components[name]
        except KeyError:
            raise UnknownName(self.kind, name, self._components) from None

    def __contains__(self, name: object) -> bool:
        return name in self._components

    def __iter__(self) -> Iterator[str]:
        return iter(self._components)

    def __len__(self) -> int:
        return len(self._components)
