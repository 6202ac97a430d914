"""Colours that everybody can tell apart, texts that are there in both languages."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from bgm.timeline import EMOTIONS
from bgm.ui import looks
from bgm.ui.media import STATIC

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISION = {
    "full": np.eye(3),
    "protan": np.array(
        [(0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.0992), (-0.003882, -0.048116, 1.051998)]
    ),
    "deutan": np.array([(0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.0474), (-0.01182, 0.042940, 0.968881)]),
    "tritan": np.array([(1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.1476), (0.004733, 0.691367, 0.3039)]),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color: str) -> np.ndarray:
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b*, D65."""
    scaled = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(scaled > (6 / 29) ** 3, np.cbrt(scaled), scaled / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    light, dark = sorted((float(TO_XYZ[1] @ linear(c)) for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("colors", ["fill", "line"])
def test_any_two_emotions_differ_for_any_colour_vision(vision: str, colors: str) -> None:
    seen = {e: lab(VISION[vision] @ linear(getattr(looks.LOOKS[e], colors))) for e in EMOTIONS}
    nearest = min(
        (float(np.linalg.norm(seen[a] - seen[b])), a.value, b.value) for a, b in itertools.combinations(EMOTIONS, 2)
    )
    assert nearest[0] >= 18, nearest


def test_names_can_be_read_on_every_segment_and_curves_seen_on_every_ground() -> None:
    assert all(contrast(looks.INK, looks.LOOKS[e].fill) >= 4.5 for e in EMOTIONS)
    assert all(contrast(looks.LOOKS[e].line, "#ffffff") >= 3 for e in EMOTIONS)
    assert all(contrast(looks.LOOKS[e].fill, "#1a2029") >= 3 for e in EMOTIONS)


def test_both_languages_say_everything_that_the_page_asks_for() -> None:
    english, korean = looks.texts("en"), looks.texts("ko")
    assert english.keys() == korean.keys()
    scripts = "".join(path.read_text(encoding="utf-8") for path in STATIC.rglob("*.js"))
    asked = set(re.findall(r"\bt\('([a-z_0-9]+)'", scripts))
    assert asked and asked <= english.keys()
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", korean[key])), key
    names = {key for key in korean if not re.search("[가-힣]", korean[key])}
    assert names == {"engine_riffusion", "measured_lufs"}, "all but names is Korean"


def test_no_script_or_style_asks_another_host() -> None:
    for path in STATIC.rglob("*.*"):
        found = re.findall(r"https?://[^\s'\"]+", path.read_text(encoding="utf-8"))
        assert set(found) <= {"http://www.w3.org/2000/svg"}, path
