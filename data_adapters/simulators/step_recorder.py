"""Energy deposits of an event, collected in C: a Python sensitive detector makes a shower take 1.5 times as long.

The recorder is compiled on first use (a C compiler, cc, is needed), and put into Geant4 by giving a
G4VSensitiveDetector object a virtual table of its own.
"""

from __future__ import annotations

import atexit
import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.simulators import geant4 as g4
from data_adapters.simulators.geant4 import MissingSimulator, Pointer, cpp_string

FIELDS = ("x_mm", "y_mm", "z_mm", "energy_MeV", "time_ns", "length_mm")
X, Y, Z, ENERGY, TIME, LENGTH = range(len(FIELDS))
SOURCE = Path(__file__).with_suffix(".c")

TYPEINFO_WORDS = 2  # a virtual table starts with the offset to top and the type info
VIRTUAL_TABLE_WORDS = 12
DESTRUCTORS = (2, 3)
PROCESS_HITS = 10
POINTER_BYTES = 8
DETECTOR_BYTES = 4096

VIRTUAL_TABLE = "_ZTV20G4VSensitiveDetector"
CONSTRUCT = "_ZN20G4VSensitiveDetectorC2ERK8G4String"
VOLUME_STORE = "_ZN20G4LogicalVolumeStore11GetInstanceEv"
FIND_VOLUME = "_ZNK20G4LogicalVolumeStore9GetVolumeERK8G4Stringbb"
SET_SENSITIVE = "_ZN15G4LogicalVolume20SetSensitiveDetectorEP20G4VSensitiveDetector"
REQUIRED_SYMBOLS = (VIRTUAL_TABLE, CONSTRUCT, VOLUME_STORE, FIND_VOLUME, SET_SENSITIVE)


class StepRecorder:
    """Records the deposits in the logical volumes of these names, once the geometry stands.

    Raises: MissingSimulator without a C compiler, or if the memory layouts of this build of Geant4 are others.
    """

    def __init__(self, volume_names: Sequence[str]) -> None:
        g4.check_symbols(REQUIRED_SYMBOLS)
        check_memory_layout()
        self._native = _compiled()
        detector = self._sensitive_detector()
        store = Pointer(g4.call(VOLUME_STORE, ctypes.c_void_p))
        no = ctypes.c_bool(False)
        for name in volume_names:
            volume = g4.call(FIND_VOLUME, ctypes.c_void_p, store, cpp_string(name), no, no)
            assert volume, f"there is no logical volume named {name}"
            g4.call(SET_SENSITIVE, None, Pointer(volume), detector)

    def take(self) -> NDArray[np.float64]:
        """The deposits since the last call, shape (steps, 6), columns as in ``FIELDS``.

        Positions are those of the middle of the step, times those of its beginning.
        """
        count = self._native.recorder_count()
        if count == 0:
            return np.zeros((0, len(FIELDS)))
        rows = np.ctypeslib.as_array(self._native.recorder_data(), shape=(count, len(FIELDS))).copy()
        self._native.recorder_reset()
        return rows

    def _sensitive_detector(self) -> Pointer:
        table = ctypes.addressof(ctypes.c_char.in_dll(g4.library(), VIRTUAL_TABLE))
        words = (ctypes.c_void_p * VIRTUAL_TABLE_WORDS)(
            *(_pointer_at(table + POINTER_BYTES * i) for i in range(VIRTUAL_TABLE_WORDS))
        )
        for i in DESTRUCTORS:
            words[i] = _address_of(self._native.recorder_no_operation)
        words[PROCESS_HITS] = _address_of(self._native.recorder_process_hits)
        detector = g4.zeroed(DETECTOR_BYTES)
        assert detector.value is not None, "out of memory"
        g4.call(CONSTRUCT, None, detector, cpp_string("step_recorder"))
        ctypes.c_void_p.from_address(detector.value).value = ctypes.addressof(words) + POINTER_BYTES * TYPEINFO_WORDS
        g4.keep_alive(words, detector)
        return detector


def check_memory_layout() -> None:
    """Compare the offsets that step_recorder.c relies on with what Geant4's own getters say.

    Raises: MissingSimulator if they differ.
    """
    step = g4.load().G4Step()
    address = _cpp_address(step)
    step.SetTotalEnergyDeposit(1.25)
    step.SetStepLength(2.5)
    before, after = step.GetPreStepPoint(), step.GetPostStepPoint()
    agrees = (
        ctypes.c_double.from_address(address).value == 1.25
        and ctypes.c_double.from_address(address + 32).value == 2.5
        and _pointer_at(address + 16) == _cpp_address(before)
        and _pointer_at(address + 24) == _cpp_address(after)
    )
    if agrees:
        values = (ctypes.c_double * 4).from_address(_cpp_address(before))
        values[:] = [1.0, 2.0, 3.0, 4.0]
        position = before.GetPosition()
        agrees = (position.x, position.y, position.z, before.GetGlobalTime()) == (1.0, 2.0, 3.0, 4.0)
    if not agrees:
        raise MissingSimulator(
            "the memory layout of G4Step differs from that of Geant4 11.4.p1, so that step_recorder.c would read wrong "
            f"values: install {g4.SUPPORTED_WHEEL}"
        )


def _compiled() -> ctypes.CDLL:
    folder = Path(tempfile.mkdtemp(prefix="step-recorder-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = folder / "step_recorder.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    except FileNotFoundError:
        raise MissingSimulator("the step recorder needs a C compiler named cc: apt install gcc") from None
    except subprocess.CalledProcessError as error:
        raise MissingSimulator(f"the C compiler refuses {SOURCE.name}:\n{error.stderr}") from error
    native = ctypes.CDLL(str(library))
    native.recorder_count.restype = ctypes.c_long
    native.recorder_data.restype = ctypes.POINTER(ctypes.c_double)
    return native


def _cpp_address(python_object: Any) -> int:
    """Address of the C++ object behind a pybind11 object of this wheel.

    After the Python header lies a pointer to the list of values and holders; the first value is the address.
    """
    return _pointer_at(_pointer_at(id(python_object) + object.__basicsize__))


def _pointer_at(address: int) -> int:
    return ctypes.c_void_p.from_address(address).value or 0


def _address_of(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0
