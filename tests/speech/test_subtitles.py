from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from bgm.engines import EngineOptions
from bgm.errors import BadInput
from bgm.speech import cues
from bgm.speech.recording import Recording, Transcript
from bgm.speech.subtitles import Subtitles, find

TALK = """1
00:00:01,000 --> 00:00:03,000
I never thought that

2
00:00:03,100 --> 00:00:05,000
we would make it home.

3
00:00:05,200 --> 00:00:07,000
What a wonderful day!
"""


def transcribe(path: Path, duration: float = 60.0, language: str | None = None) -> Transcript:
    options = EngineOptions(subtitles=path, language=language)
    return Subtitles(options).transcribe(Recording(None, (), duration))


def read(tmp_path: Path, text: str, duration: float = 60.0, suffix: str = ".srt") -> list[tuple[float, float, str]]:
    path = tmp_path / f"talk{suffix}"
    path.write_text(text, encoding="utf-8")
    return [(u.start, u.end, u.text) for u in transcribe(path, duration).utterances]


def cue(start: str, end: str, text: str) -> str:
    return f"00:00:{start} --> 00:00:{end}\n{text}\n\n"


def test_lines_of_one_sentence_become_one_utterance(tmp_path: Path) -> None:
    assert read(tmp_path, TALK) == [
        (1.0, 5.0, "I never thought that we would make it home."),
        (5.2, 7.0, "What a wonderful day!"),
    ]


def test_a_pause_divides_what_no_full_stop_divides(tmp_path: Path) -> None:
    heard = read(tmp_path, cue("01,000", "02,000", "over there") + cue("04,000", "05,000", "I saw it"))
    assert [text for _, _, text in heard] == ["over there", "I saw it"]


def test_speech_without_any_full_stop_is_cut_into_phrases(tmp_path: Path) -> None:
    cues_of_2_s = [cue(f"{2 * i:02},000", f"{2 * i + 1:02},900", f"and then comes line {i}") for i in range(25)]
    heard = read(tmp_path, "".join(cues_of_2_s))
    assert all(end - start <= 12 and len(text.split()) <= 25 for start, end, text in heard)
    assert " ".join(text for _, _, text in heard).split()[-1] == "24"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_korean_in_the_encodings_that_are_about(tmp_path: Path, encoding: str, newline: str) -> None:
    path = tmp_path / "talk.srt"
    text = cue("01,000", "03,000", "안녕하세요 여러분") + cue("03,500", "05,000", "드디어 집에 왔어요.")
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    transcript = transcribe(path)
    assert [u.text for u in transcript.utterances] == ["안녕하세요 여러분 드디어 집에 왔어요."]
    assert transcript.language == "ko"
    assert transcript.utterances[0].english == ""
    assert any("not in English" in note for note in transcript.notes)


def test_french_in_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "talk.srt"
    path.write_bytes(cue("01,000", "03,000", "C'était très drôle à l'école où j'étais élevé").encode("latin-1"))
    transcript = transcribe(path)
    assert transcript.utterances[0].text == "C'était très drôle à l'école où j'étais élevé"
    assert transcript.language == "fr"


def test_english_is_what_the_classifier_gets(tmp_path: Path) -> None:
    path = tmp_path / "talk.srt"
    path.write_text(TALK)
    transcript = transcribe(path)
    assert transcript.language == "en"
    assert [u.english for u in transcript.utterances] == [u.text for u in transcript.utterances]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("<i>Hello</i> <font color='red'>there</font>", "Hello there"),
        ("{\\an8}Hello {\\b1}there{\\b0}", "Hello there"),
        ("- Hello there", "Hello there"),
        ("- Hello.\n- Hi there.", "Hello. Hi there."),
        (">> Hello there", "Hello there"),
        ("JOHN: Hello there", "Hello there"),
        ("(laughs) Hello there", "Hello there"),
        ("[door slams] Hello there", "Hello there"),
        ("Hello [laughing\nout loud] there", "Hello there"),
        ("We went (in May) to see it", "We went (in May) to see it"),
        ("Fish &amp; chips&nbsp;for 5 &lt; 6", "Fish & chips for 5 < 6"),
        ("Hello\u200b there", "Hello there"),
    ],
)
def test_only_the_spoken_words_are_kept(tmp_path: Path, written: str, spoken: str) -> None:
    assert [text for _, _, text in read(tmp_path, cue("01,000", "03,000", written))] == [spoken]


@pytest.mark.parametrize(
    "written", ["[applause]", "(applause)", "♪ la la la ♪", "♪ first line\nsecond line ♪", "# la la #"]
)
def test_songs_and_sounds_are_left_out_and_the_log_says_so(tmp_path: Path, written: str) -> None:
    path = tmp_path / "talk.srt"
    path.write_text(TALK + "\n4\n" + cue("10,000", "12,000", written))
    transcript = transcribe(path)
    assert len(transcript.utterances) == 2
    assert transcript.notes == ("Sung words and descriptions of sounds were left out (cues: 1).",)


def test_web_vtt_notes_styles_and_names_of_cues_are_not_words(tmp_path: Path) -> None:
    vtt = (
        "WEBVTT - a title\n\nSTYLE\n::cue { color: red }\n\nNOTE nobody says this\n\n"
        "intro\n00:01.000 --> 00:03.000 align:start position:0%\n<v Mary>We made it home.</v>\n\n"
        "NOTE nor this\nat all\n\nend-1\n00:00:04.000 --> 00:00:06.000\nWhat a <c.loud>wonderful</c> day!\n"
    )
    assert read(tmp_path, vtt, suffix=".vtt") == [(1.0, 3.0, "We made it home."), (4.0, 6.0, "What a wonderful day!")]


def test_rolling_captions_say_each_word_once(tmp_path: Path) -> None:
    vtt = (
        "WEBVTT\nKind: captions\nLanguage: en\n\n"
        "00:00.100 --> 00:02.400 align:start position:0%\n \nand<00:00:00.400><c> so</c><00:00:00.900><c> my</c>\n\n"
        "00:02.400 --> 00:02.410\nand so my\n \n\n"
        "00:02.410 --> 00:04.000\nand so my\nfellow<00:00:03.000><c> Americans</c>\n\n"
        "00:04.000 --> 00:04.010\nfellow Americans\n \n\n"
        "00:04.010 --> 00:06.000\nfellow Americans\nask<00:00:05.000><c> not</c>\n"
    )
    assert read(tmp_path, vtt, suffix=".vtt") == [(0.1, 6.0, "and so my fellow Americans ask not")]


def test_people_may_repeat_themselves(tmp_path: Path) -> None:
    text = cue("01,000", "02,000", "No!") + cue("02,000", "03,000", "No!") + TALK.replace("00:00:0", "00:00:2")
    assert [u[2] for u in read(tmp_path, text)][:2] == ["No!", "No!"]


def test_times_out_of_order_overlapping_and_too_late_are_put_right(tmp_path: Path) -> None:
    text = (
        cue("08,000", "11,000", "Third one here.")
        + cue("01,000", "05,000", "First one here.")
        + cue("04,000", "04,000", "Second one.")
        + cue("20,000", "22,000", "After the end.")
    )
    assert read(tmp_path, text, duration=10.0) == [
        (1.0, 4.0, "First one here."),
        (4.0, 5.0, "Second one."),
        (8.0, 10.0, "Third one here."),
    ]


def test_two_people_at_once_share_an_utterance(tmp_path: Path) -> None:
    text = cue("01,000", "03,000", "Look out.") + cue("01,000", "04,000", "Behind you.")
    assert read(tmp_path, text) == [(1.0, 4.0, "Look out. Behind you.")]


def test_subtitles_of_another_video_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="another video"):
        read(tmp_path, cue("30,000", "32,000", "Hello."), duration=10.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (b"just some words, no times", "not a subtitle file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)), "not a subtitle file"),
        (b"1\n00:00:01,000 --> 00:00:02,000\n\n", "no subtitles in it"),
        (b"WEBVTT\n\n", "not a subtitle file|no subtitles"),
    ],
)
def test_a_file_without_subtitles_is_one_clear_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "talk.srt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message) as caught:
        transcribe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "talk.srt"
    with path.open("wb") as file:
        file.truncate(cues.MAX_BYTES + 1)
    with pytest.raises(BadInput, match="too big"):
        transcribe(path)


def test_the_given_file_comes_first_and_must_be_there(tmp_path: Path) -> None:
    video, given = tmp_path / "talk.mp4", tmp_path / "mine.srt"
    (tmp_path / "talk.srt").touch()
    with pytest.raises(BadInput, match="does not exist"):
        find(video, str(given), lambda video: True)
    given.touch()
    assert find(video, str(given), lambda video: True) == given
    with pytest.raises(BadInput, match="not a subtitle file"):
        (tmp_path / "notes.pdf").touch()
        find(video, str(tmp_path / "notes.pdf"), lambda video: True)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["talk [1].srt", "talk [1].vtt"], "talk [1].srt"),
        (["talk [1].VTT"], "talk [1].VTT"),
        (["talk [1].ko.srt", "talk [1].en.srt"], "talk [1].en.srt"),
        (["talk [1].pt-BR.vtt"], "talk [1].pt-BR.vtt"),
        (["talk [1].mp4.json", "talk.srt", "talk 1.srt", "talk [1].notes.srt"], None),
    ],
)
def test_a_sidecar_has_the_video_s_name(tmp_path: Path, names: list[str], found: str | None) -> None:
    for name in names:
        (tmp_path / name).touch()
    sidecar = find(tmp_path / "talk [1].mp4", None, lambda video: False)
    assert (sidecar.name if sidecar else None) == found


def test_without_a_sidecar_the_video_s_own_track_is_asked_for(tmp_path: Path) -> None:
    video = tmp_path / "talk.mp4"
    assert find(video, None, lambda video: True) == video
    assert find(video, None, lambda video: False) is None


def test_the_file_s_name_tells_the_language(tmp_path: Path) -> None:
    path = tmp_path / "talk.nl.srt"
    path.write_text(cue("01,000", "02,000", "Hallo!"))
    assert transcribe(path).language == "nl"
    assert transcribe(path, language="de").language == "de"


def test_too_little_text_to_tell_the_language_is_read_as_english_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "talk.srt"
    path.write_text(cue("01,000", "02,000", "Ok."))
    transcript = transcribe(path)
    assert (transcript.language, transcript.utterances[0].english) == ("und", "Ok.")
    assert "read as English" in transcript.notes[0]


def test_missing_without_subtitles() -> None:
    assert Subtitles.missing(EngineOptions()) is not None
    assert Subtitles.missing(EngineOptions(subtitles=Path("talk.srt"))) is None


def test_the_video_s_own_track_is_read(tmp_path: Path) -> None:
    subtitles, video = tmp_path / "words.srt", tmp_path / "talk.mp4"
    subtitles.write_text(TALK)
    picture = ["-f", "lavfi", "-i", "color=s=64x64:d=8"]
    codecs = ["-c:s", "mov_text", "-metadata:s:s:0", "language=eng"]
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([ffmpeg, "-v", "error", *picture, "-i", subtitles, *codecs, "-shortest", video], check=True)
    assert find(video, None) == video
    transcript = transcribe(video, duration=8.0)
    assert [u.text for u in transcript.utterances] == [
        "I never thought that we would make it home.",
        "What a wonderful day!",
    ]
    assert transcript.language == "en"
