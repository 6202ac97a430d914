from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from bgm.engines import EngineOptions
from bgm.errors import BadInput
from bgm.speech import subtitle_file
from bgm.speech.subtitles import Subtitles, find, has_text_track
from bgm.speech.words import Recording, Transcript

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
        file.truncate(subtitle_file.MAX_BYTES + 1)
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


def subtitled(folder: Path, *tracks: tuple[str, str]) -> Path:
    """8 s of video with a text track for each pair of subtitles and ffmpeg's flags, title and language for it."""
    video = folder / "talk.mkv"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "color=s=64x64:d=8"]
    options = ["-map", "0", "-c:s", "srt"]
    for number, (words, about) in enumerate(tracks):
        (folder / f"{number}.srt").write_text(words)
        command += ["-f", "srt", "-i", str(folder / f"{number}.srt")]
        flags, title, code = about.split(",")
        options += ["-map", str(number + 1), f"-disposition:s:{number}", flags]
        options += [f"-metadata:s:s:{number}", f"title={title}", f"-metadata:s:s:{number}", f"language={code}"]
    subprocess.run([*command, *options, str(video)], check=True)
    return video


def test_the_video_s_own_track_is_read(tmp_path: Path) -> None:
    video = subtitled(tmp_path, (TALK, "default,,eng"))
    assert find(video, None) == video
    transcript = transcribe(video, duration=8.0)
    assert [u.text for u in transcript.utterances] == [
        "I never thought that we would make it home.",
        "What a wonderful day!",
    ]
    assert (transcript.language, transcript.notes) == ("en", ())


SIGN = cue("01,000", "02,000", "CENTRAL STATION")
FULLER = "".join(cue(f"0{n},000", f"0{n},900", f"This is sentence {n}.") for n in range(8))
GERMAN = cue("01,000", "03,000", "Ich dachte nie,") + cue("03,100", "05,000", "dass wir es schaffen.")


@pytest.mark.parametrize(
    ("tracks", "taken"),
    [
        ([(SIGN, "default+forced,,eng"), (TALK, "0,Full,eng")], "track 2 of 2 was taken (Full, eng)"),
        ([(SIGN, "default,Forced,eng"), (TALK, "0,,eng")], "track 2 of 2 was taken (eng)"),
        ([(SIGN, "default,,eng"), (FULLER, "0,,eng")], "track 2"),
        ([(GERMAN, "0,,ger"), (TALK, "default,,eng")], "track 2"),
        ([(GERMAN, "default,,ger"), (TALK, "0,,eng")], "track 1"),
        ([(GERMAN, "0,,ger"), (TALK, "0,,eng")], "track 2"),
        ([("", "default,,eng"), (GERMAN, "0,,ger")], "track 2"),
    ],
    ids=["forced", "called forced", "few cues", "default", "default in another language", "english", "empty"],
)
def test_of_several_tracks_the_one_that_says_most_is_taken(
    tmp_path: Path, tracks: list[tuple[str, str]], taken: str
) -> None:
    transcript = transcribe(subtitled(tmp_path, *tracks), duration=8.0)
    assert taken in transcript.notes[0]
    assert len(transcript.utterances) > 0 and "CENTRAL" not in transcript.utterances[0].text


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("", "default"),
        (cue("20,000", "22,000", "after the end"), "default"),
        (SIGN, "forced"),
        (cue("01,000", "07,000", "[music]"), "default"),
        (SIGN, "default"),
    ],
    ids=["empty", "after the end", "forced", "no words", "a sign"],
)
def test_a_track_that_does_not_tell_what_is_said_is_no_transcript(tmp_path: Path, words: str, flags: str) -> None:
    video = subtitled(tmp_path, (words, f"{flags},,eng"))
    assert find(video, None, lambda video: has_text_track(video, speech=((0.5, 7.5),))) is None


LATER = (
    "00:00:{0} --> 00:00:{1}\nAnd I still cry about it, every day.\n"
    "\n00:00:09,000 --> 00:00:10,500\nThank you for listening.\n"
)


@pytest.mark.parametrize(
    ("first", "suffix"),
    [
        ("00:00:01 --> 00:00:03", ".srt"),
        ("00:01,000 --> 00:03,000", ".srt"),
        ("0:0:1,0 -> 0:0:3,0", ".srt"),
        ("00:00:01,000 --> 00:00:03", ".srt"),
        ("00:00:01,000-->00:00:03,000", ".vtt"),
        ("00:01 --> 00:03 align:start", ".vtt"),
        ("00:00:01. 000 --> 00:00:03.000 X1:100 X2:200", ".srt"),
    ],
)
def test_times_that_other_programs_write(tmp_path: Path, first: str, suffix: str) -> None:
    head = "WEBVTT\n\n" if suffix == ".vtt" else "1\n"
    words = f"{head}{first}\nWe lost the old house.\n\n{LATER.format('04,500', '08')}"
    assert read(tmp_path, words, suffix=suffix) == [
        (1.0, 3.0, "We lost the old house."),
        (4.5, 8.0, "And I still cry about it, every day."),
        (9.0, 10.5, "Thank you for listening."),
    ]


def test_words_behind_the_times_are_words(tmp_path: Path) -> None:
    heard = read(tmp_path, "00:00:01,000 --> 00:00:03,000 We lost the house.\n\n" + LATER.format("04,000", "08,000"))
    assert heard[0] == (1.0, 3.0, "We lost the house.")


def test_ends_written_before_starts(tmp_path: Path) -> None:
    heard = read(tmp_path, cue("03,000", "01,000", "We lost the house.") + cue("08,000", "04,000", "It was old."))
    assert heard == [(1.0, 3.0, "We lost the house."), (4.0, 8.0, "It was old.")]


KOREAN = cue("01,000", "03,000", "지난겨울에 우리는 옛집을 잃었어요.") + cue("04,000", "06,000", "아직도 울어요.")


@pytest.mark.parametrize("damage", [b"\xed", b"\xff\xfe", b"\xe9"])
def test_a_bad_byte_costs_one_character(tmp_path: Path, damage: bytes) -> None:
    whole = KOREAN.encode()
    middle = whole.index("옛집".encode())
    (path := tmp_path / "talk.srt").write_bytes(whole[:middle] + damage + whole[middle:])
    transcript = transcribe(path)
    assert [u.text.replace("\ufffd", "") for u in transcript.utterances] == [
        "지난겨울에 우리는 옛집을 잃었어요.",
        "아직도 울어요.",
    ]
    assert any("damaged" in note for note in transcript.notes)


def test_a_file_cut_inside_a_letter(tmp_path: Path) -> None:
    (path := tmp_path / "talk.srt").write_bytes(KOREAN.strip().encode()[:-8])
    assert transcribe(path).utterances[0].text == "지난겨울에 우리는 옛집을 잃었어요."


def test_one_latin_letter_in_utf_8(tmp_path: Path) -> None:
    text = cue("01,000", "03,000", "We met — as always — in the café.").encode().replace("é".encode(), b"\xe9")
    (path := tmp_path / "talk.srt").write_bytes(text)
    assert transcribe(path).utterances[0].text == "We met — as always — in the café."


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("Où étiez-vous pendant l’été, mon frère ?", "cp1252"),
        ("Où étiez-vous pendant l’été, mon frère ?", "mac_roman"),
        ("Wir müssen über die schönen Bücher sprechen.", "cp1252"),
        ("Gdzie byłeś, kiedy się wszyscy cieszyli?", "cp1250"),
        ("Kardeşim dün akşam çok üzgündü, değil mi?", "cp1254"),
        ("Где ты был, когда все радовались?", "koi8-r"),
        ("Где ты был, когда все радовались?", "cp1251"),
        ("איפה היית כשכולם שמחו?", "cp1255"),
        ("Πού ήσουν όταν όλοι χαίρονταν;", "cp1253"),
        ("みんなが喜んでいるとき、どこにいましたか。", "euc_jp"),
        ("みんなが喜んでいるとき、どこにいましたか。", "shift_jis"),
        ("모두가 기뻐할 때 어디에 있었어요?", "euc-kr"),
        ("大家都高兴的时候你在哪里？", "gb18030"),
        ("大家都高興的時候你在哪裡？", "big5"),
        ("Where were you when all were glad?", "utf-16-le"),
        ("Where were you when all were glad?", "utf-16-be"),
    ],
)
def test_one_sentence_is_enough_to_tell_its_encoding(tmp_path: Path, words: str, encoding: str) -> None:
    (path := tmp_path / "talk.srt").write_bytes(cue("01,000", "03,000", words).encode(encoding))
    assert [u.text for u in transcribe(path).utterances] == [words]
