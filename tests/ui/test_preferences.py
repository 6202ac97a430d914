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
        ({"takes": 99}, "takes must be 1 to 4"),
        ({"takes": True}, "must be a number"),
        ({"min_segment": -1}, "auto, or 0 to 60 seconds"),
        ({"min_segment": "never"}, "must be a number"),
        ({"lufs": 3}, "lufs must be between"),
        ({"duck": "no"}, "on or off"),
        ({"seed": 1.5}, "seed must be auto, or a whole number"),
        ({"style": "polka"}, "there is no style 'polka'; choose auto, lofi"),
        ({"style": None}, "there is no style"),
        ({"audio_track": 2}, "auto, mix or a number"),
        ({"audio_track": "all"}, "auto, mix or a number"),
    ],
)
def test_what_a_browser_may_not_set(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        changed(Settings(), change)
