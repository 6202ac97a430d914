"""Where FluidSynth's library and a General MIDI soundfont are found, and pyfluidsynth bound to them.

The library of the pygame-ce wheel comes first because its version is pinned with ours: the same score then gives the
same samples on every machine. A system's own library is used where the wheel carries none.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import io
import logging
import os
import struct
import sys
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from bgm.errors import BadInput, EngineUnavailable

_SYSTEM_FONTS = (
    "/usr/share/sounds/sf3/MuseScore_General.sf3",
    "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
    "/usr/share/sounds/sf2/MuseScore_General.sf2",
    "/usr/share/soundfonts/MuseScore_General.sf3",
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
    "/opt/homebrew/share/soundfonts/FluidR3_GM.sf2",
    "/usr/local/share/soundfonts/FluidR3_GM.sf2",
)
_LOG_LEVELS = 5
_PRESET, _DRUM_BANK = 38, 128
"""Bytes of a preset's record; General MIDI's drums are in that bank."""
log = logging.getLogger("bgm")
_import_lock = threading.Lock()


def find_font(wanted: str | None = None) -> Path | None:
    """The soundfont: the one named, else that of the setting, else the one that was fetched, one of the system, or
    pretty_midi's. One that is damaged or has no drums is passed over, and that is logged.

    Raises BadInput when a named one is not there or can't be used.
    """
    from bgm import environment, weights

    named = wanted or environment.read().soundfont
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise BadInput(f"there is no soundfont at {path}; name a .sf2 or .sf3 file")
        if fault := _fault(path, path.stat().st_mtime_ns):
            raise BadInput(fault)
        return path
    fetched = (weights.find(weights.card(key)) for key in ("soundfont", "soundfont:musescore"))
    candidates = [font for font in fetched if font]
    candidates += [Path(font) for font in _SYSTEM_FONTS]
    candidates += [folder / "TimGM6mb.sf2" for folder in _package_folders("pretty_midi")]
    for path in candidates:
        if path.is_file():
            fault = _fault(path, path.stat().st_mtime_ns)
            if fault is None:
                return path
            log.warning("%s; the next soundfont is taken", fault)
    return None


@lru_cache(maxsize=32)
def _fault(font: Path, changed: int) -> str | None:
    """Why a font can't be played, in a sentence, or None: by its chunks (SoundFont 2.01, section 4)."""
    try:
        presets = _presets(font)
    except (OSError, ValueError, struct.error):
        return f"{font} is not a soundfont, or it is damaged"
    banks = {struct.unpack_from("<20xHH", presets, at)[1] for at in range(0, len(presets) - _PRESET, _PRESET)}
    return None if _DRUM_BANK in banks else f"{font} has no drums"


def _presets(font: Path) -> bytes:
    """The records of the chunk ``phdr``. Raises ValueError when it isn't there or the file is shorter than it says."""
    with font.open("rb") as file:
        riff, size, form = struct.unpack("<4sI4s", file.read(12))
        if (riff, form) != (b"RIFF", b"sfbk") or font.stat().st_size < size + 8:
            raise ValueError(font)
        while header := file.read(8):
            if header[:1] == b"\0":  # RIFF pads odd chunks; converters to .sf3 often don't
                header = header[1:] + file.read(1)
            name, size = struct.unpack("<4sI", header)
            if name == b"LIST" and file.read(4) == b"pdta":
                name, size = struct.unpack("<4sI", file.read(8))
                if name == b"phdr":
                    return file.read(size)
                break
            file.seek(size - (4 if name == b"LIST" else 0), os.SEEK_CUR)
    raise ValueError(font)


def find_library() -> str | None:
    """Path or name of libfluidsynth, or None."""
    for folder in _package_folders("pygame"):
        places = (folder, folder / ".dylibs", folder.parent / "pygame_ce.libs", folder.parent / "pygame_ce.dylibs")
        for place in places:
            found = sorted(path for path in place.glob("*fluidsynth*") if path.suffix in (".so", ".dylib", ".dll"))
            found += sorted(place.glob("*fluidsynth*.so.*"))
            if found:
                return str(found[0])
    return ctypes.util.find_library("fluidsynth") or ctypes.util.find_library("libfluidsynth-3")


def _package_folders(name: str) -> list[Path]:
    """Where a package is installed, without importing it."""
    spec = find_spec(name)
    return [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []


def library() -> ModuleType:
    """pyfluidsynth, bound to the library that we found. Raises EngineUnavailable when there is none."""
    with _import_lock:
        if "fluidsynth" in sys.modules:
            return sys.modules["fluidsynth"]
        path = find_library()
        if path is None:
            raise EngineUnavailable("no FluidSynth library was found; install pygame-ce or your system's fluidsynth")
        return _import_bound_to(path)


def _import_bound_to(path: str) -> ModuleType:
    """pyfluidsynth asks ``find_library`` once, while it is imported, and has no other way to be told a path."""
    if sys.platform == "win32":
        os.add_dll_directory(str(Path(path).parent))
    original = ctypes.util.find_library
    ctypes.util.find_library = lambda name: path
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where CI is set it would tell where it found the library
            import fluidsynth
    except OSError as error:
        raise EngineUnavailable(f"the FluidSynth library {path} can't be loaded: {error}") from error
    finally:
        ctypes.util.find_library = original
    _silence(fluidsynth)
    return fluidsynth


def _silence(fluid: Any) -> None:
    """FluidSynth writes its troubles to stderr; ours are exceptions."""
    arguments = (("level", ctypes.c_int, 1), ("function", ctypes.c_void_p, 1), ("data", ctypes.c_void_p, 1))
    set_log_function = fluid.cfunc("fluid_set_log_function", ctypes.c_void_p, *arguments)
    for level in range(_LOG_LEVELS):
        set_log_function(level, None, None)
