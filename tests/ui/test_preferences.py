from __future__ import annotations

import pytest

from bgm.errors import BadInput
from bgm.settings import Settings
from bgm.ui.preferences import changed


def test_changes_are_taken_with_their_types() -> None:
    wanted = {"min_segment": 3, "takes": 2, "lufs": None, "duck": False, "language": "ko", "music": "embedded"}
    settings = changed(Settings(), wanted)
    assert (settings.min_segment, settings.takes, settings.lufs) == (3.0, 2, None)
    assert changed(settings, {"min_segment": "auto"}).min_segment == "auto"
    assert (settings.duck, settings.language, settings.music) == (False, "ko", "embedded")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"subtitles": "/etc/passwd"}, "there is no setting subtitles"),
        ({"transcriber": "whisper:/srv/model.pt"}, "must be one of"),
        ({"language": "../x"}, "two or three letters"),
        ({"takes": 99}, "takes must be a whole number from 1 to 4"),
        ({"takes": True}, "takes must be a whole number"),
        ({"min_segment": -1}, "auto or 0 to 30 seconds"),
        ({"min_segment": "never"}, "min-segment must be auto or 0"),
        ({"lufs": 3}, "lufs must be .*-60 to -5 LUFS"),
        ({"duck": "no"}, "on or off"),
        ({"seed": 1.5}, "seed must be auto or a whole number"),
        ({"style": "polka"}, "style must be auto, lofi"),
        ({"style": None}, "style must be auto"),
        ({"audio_track": 2}, "audio-track must be auto, mix or a whole number from 1 to 64"),
        ({"audio_track": "all"}, "audio-track must be auto, mix or a whole number from 1 to 64"),
    ],
)
def test_what_a_browser_may_not_set(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        changed(Settings(), change)
