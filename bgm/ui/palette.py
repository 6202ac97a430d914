"""One colour for each emotion, in the light and in the dark theme.

The hues start from Okabe and Ito's set (2008), which people with any colour vision can tell apart, and were moved until
the two nearest of the seven lie as far apart as possible in simulations of the three kinds of colour blindness, which a
test repeats. The names are always shown beside the colours.
"""

from __future__ import annotations

from bgm.timeline import EMOTIONS, Emotion

FILL: dict[Emotion, str] = {
    Emotion.ANGER: "#dc6a12",
    Emotion.DISGUST: "#3dba7d",
    Emotion.FEAR: "#a8769b",
    Emotion.JOY: "#ffcb33",
    Emotion.NEUTRAL: "#cfd4da",
    Emotion.SADNESS: "#6482cc",
    Emotion.SURPRISE: "#a6d4ff",
}
"""Of the segments, with INK on them."""
INK = "#14181d"
LINE: dict[str, dict[Emotion, str]] = {
    "light": {
        Emotion.ANGER: "#b02408",
        Emotion.DISGUST: "#4f8546",
        Emotion.FEAR: "#7d3263",
        Emotion.JOY: "#c08000",
        Emotion.NEUTRAL: "#8d949c",
        Emotion.SADNESS: "#0a3a86",
        Emotion.SURPRISE: "#1298eb",
    },
    "dark": FILL,
}
"""Of the curves, on the page's ground."""


def css() -> str:
    """The colours as variables: --fill-joy, --line-joy, …"""
    light = [f"--fill-{e}:{FILL[e]};--line-{e}:{LINE['light'][e]};" for e in EMOTIONS]
    dark = [f"--line-{e}:{LINE['dark'][e]};" for e in EMOTIONS]
    return f":root{{--ink:{INK};{''.join(light)}}}.dark{{{''.join(dark)}}}"
