"""Geant4 from the geant4-pybind wheel, on Linux x86_64, without Geant4's data files.

geant4-pybind ships Geant4 compiled into its extension module, but not the cross-section data sets (about 2 GB), and
exposes no process or model class. The extension module does export the C++ symbols of Geant4. This module loads it and
calls those symbols through ctypes; ``geant4_physics`` builds the processes with them.

Nothing of Geant4 is imported before ``load`` is called, and one process can hold one simulation only.
Symbols and memory layouts belong to one build: ``load`` compares them, and refuses any other.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

SUPPORTED_VERSION = "geant4-11-04-patch-01"
SUPPORTED_WHEEL = "geant4-pybind==0.1.3"
DATA_SET_VARIABLES = (
    "G4NEUTRONHPDATA",
    "G4LEDATA",
    "G4LEVELGAMMADATA",
    "G4RADIOACTIVEDATA",
    "G4PARTICLEXSDATA",
    "G4PIIDATA",
    "G4REALSURFACEDATA",
    "G4SAIDXSDATA",
    "G4ABLADATA",
    "G4INCLDATA",
    "G4ENSDFSTATEDATA",
    "G4CHANNELINGDATA",
)
HOW_TO_INSTALL = (
    "pip install -c constraints.txt 'fastsim-arena[refsim]' (in a checkout: pip install -e '.[refsim]') on Linux "
    "x86_64. The samples that ship with the project need none of it"
)
OBJECT_BYTES = 1 << 15  # more than any process, model or cross section takes

NAME = "ERK8G4String"  # the mangled arguments that most constructors have


class MissingSimulator(ValueError):
    """The optional packages of the reference simulations are not installed, or not those that are needed."""


# ------------------------------------------------------------------ loading


def require(module: str, package: str) -> None:
    """Raises: MissingSimulator if a package of the optional extra cannot be imported here."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise MissingSimulator(
            f"{package} works with this project on Linux x86_64 only; this is {platform.system()} "
            f"{platform.machine()}. Install there: {HOW_TO_INSTALL}"
        )
    if importlib.util.find_spec(module) is None:
        raise MissingSimulator(f"the simulation needs {package}, which is not installed: {HOW_TO_INSTALL}")


def require_geant4() -> None:
    """Raises: MissingSimulator if Geant4 cannot be imported, or no C compiler is found for the step recorder."""
    require("geant4_pybind", SUPPORTED_WHEEL)
    if shutil.which("cc") is None:
        raise MissingSimulator(
            "the simulation compiles its step recorder with a C compiler named cc, and there is none: "
            "apt install gcc, or dnf install gcc"
        )


@cache
def load() -> Any:
    """The module geant4_pybind, checked.

    Raises: MissingSimulator if it is not installed or not the build that this module was written for.
    """
    require("geant4_pybind", SUPPORTED_WHEEL)
    _point_geant4_at_an_empty_data_folder()
    geant4 = importlib.import_module("geant4_pybind")
    version = str(geant4.G4Version)
    if SUPPORTED_VERSION not in version:
        raise MissingSimulator(
            f"the simulation was written for {SUPPORTED_VERSION} ({SUPPORTED_WHEEL}); installed is {version}. "
            f"Install the former: {HOW_TO_INSTALL}"
        )
    return geant4


@cache
def library() -> ctypes.CDLL:
    """The extension module as a C library."""
    return ctypes.CDLL(load().__file__)


def check_symbols(symbols: Sequence[str]) -> None:
    """Raises: MissingSimulator with the C++ symbols that this build of the wheel lacks."""
    missing = [symbol for symbol in symbols if not _exported(symbol)]
    if missing:
        raise MissingSimulator(
            f"this build of geant4-pybind lacks C++ symbols that are needed; install {SUPPORTED_WHEEL}:\n  "
            + "\n  ".join(missing)
        )


def _exported(symbol: str) -> bool:
    try:
        ctypes.c_char.in_dll(library(), symbol)
    except ValueError:
        return False
    return True


def _point_geant4_at_an_empty_data_folder() -> None:
    """Geant4 asks for its data sets when it is loaded; an empty folder is enough for these models."""
    folder = Path(tempfile.mkdtemp(prefix="geant4-no-data-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "ENSDFSTATE.dat").touch()  # an empty list of isomers
    os.environ["GEANT4_DATA_DIR"] = str(folder)  # also switches the download prompt off
    os.environ.update(dict.fromkeys(DATA_SET_VARIABLES, str(folder)))


# ------------------------------------------------------------------ calling C++ by mangled name

Pointer = ctypes.c_void_p

_kept_alive: list[object] = []


class _StdString(ctypes.Structure):
    """std::string of libstdc++ (new ABI) that borrows its characters."""

    _fields_ = (
        ("characters", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("capacity", ctypes.c_size_t),
        ("unused", ctypes.c_size_t),
    )


class _StdVectorOfInt(ctypes.Structure):
    _fields_ = (("first", ctypes.c_void_p), ("last", ctypes.c_void_p), ("end_of_storage", ctypes.c_void_p))


def keep_alive(*objects: object) -> None:
    """Objects that C++ points to and Python must not free."""
    _kept_alive.extend(objects)


def constructor(class_name: str, arguments: str) -> str:
    """Mangled name of a constructor."""
    return f"_ZN{len(class_name)}{class_name}C1{arguments}"


def method(class_name: str, rest: str) -> str:
    """Mangled name of a member function."""
    return f"_ZN{len(class_name)}{class_name}{rest}"


def cpp_string(text: str) -> Any:
    """Reference to a std::string."""
    buffer = ctypes.create_string_buffer(text.encode())
    string = _StdString(ctypes.addressof(buffer), len(text), len(text), 0)
    keep_alive(buffer, string)
    return ctypes.byref(string)


def cpp_vector_of_int(values: Sequence[int]) -> Any:
    """Reference to a std::vector<int>."""
    array = (ctypes.c_int * len(values))(*values)
    end = ctypes.addressof(array) + ctypes.sizeof(array)
    vector = _StdVectorOfInt(ctypes.addressof(array), end, end)
    keep_alive(array, vector)
    return ctypes.byref(vector)


def call(symbol: str, result_type: Any, *arguments: Any) -> Any:
    """Call a function of Geant4."""
    function = getattr(library(), symbol)
    function.restype = result_type
    return function(*arguments)


def zeroed(num_bytes: int) -> Pointer:
    """Zeroed memory that is never freed."""
    allocate = ctypes.CDLL(None).calloc
    allocate.restype = ctypes.c_void_p
    allocate.argtypes = (ctypes.c_size_t, ctypes.c_size_t)
    return Pointer(allocate(1, num_bytes))


def create(class_name: str, arguments: str, *values: Any) -> Pointer:
    """Construct a C++ object that Geant4 owns from here."""
    pointer = zeroed(OBJECT_BYTES)
    call(constructor(class_name, arguments), None, pointer, *values)
    return pointer


def particle(class_name: str) -> Pointer:
    """The G4ParticleDefinition* of, for instance, G4Gamma."""
    return Pointer(call(method(class_name, "10DefinitionEv"), ctypes.c_void_p))
