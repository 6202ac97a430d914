"""The files of the engine: exact, clean to the ear, repeatable, and refused in one sentence where impossible."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.music import clicks
from benchmarks.score import heard as played_whole
from benchmarks.sound import centroids, octaves
from bgm import progress
from bgm.engines import EngineOptions
from bgm.errors import BadInput, Cancelled
from bgm.files import PART_PREFIX
from bgm.media.audio import SAMPLE_RATE, Audio, read
from bgm.media.signal import loudness_of
from bgm.music import embedded, synth
from bgm.music.composer.compose import compose
from bgm.music.embedded import EmbeddedComposer, render
from bgm.music.score import Cue, Note, Part, Role, Score
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion, Style
from tests.music.composing import cue

PINKISH = np.array([1.5, 1.5, 1.0, 0.5, 0.0, -1.5, -3.0])
"""dB from pink noise of the octaves from 125 Hz to 8 kHz."""


@pytest.fixture(scope="module")
def small_font() -> str:
    """The font that comes by pip, so that the figures are the same on every machine."""
    return str(synth.package_folders("pretty_midi")[0] / "TimGM6mb.sf2")


@pytest.fixture(scope="module")
def engine(small_font: str) -> EmbeddedComposer:
    return EmbeddedComposer(EngineOptions(model=small_font))


def play(engine: EmbeddedComposer, request: Cue, target: Path) -> Audio:
    assert [made.index for made in engine.compose([request], [target], silent)] == [0]
    return read(target)


def decibels(sound: Audio) -> float:
    return float(20 * np.log10(np.abs(sound).max(initial=0.0) + 1e-9))


@pytest.mark.parametrize("frames", [4_800, 14_401, 96_000, 1_000_003])
def test_exact_frames_48k_stereo_24_bit(engine: EmbeddedComposer, tmp_path: Path, frames: int) -> None:
    target = tmp_path / "take.flac"
    play(engine, cue(Emotion.JOY, frames / SAMPLE_RATE), target)
    info = soundfile.info(str(target))
    assert (info.frames, info.samplerate, info.channels, info.subtype) == (frames, SAMPLE_RATE, 2, "PCM_24")


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_mood_is_clean_and_equally_loud(engine: EmbeddedComposer, tmp_path: Path, emotion: Emotion) -> None:
    request = cue(emotion, 16, opening=True, ending=True)
    sound = play(engine, request, tmp_path / "take.flac")
    assert loudness_of([sound]) == pytest.approx(-20 + compose(request).level, abs=1.5)
    assert np.abs(sound).max() < 0.95
    assert 11 < 20 * np.log10(np.abs(sound).max() / np.sqrt(np.mean(sound**2))) < 16, "glued, with strokes that live"
    assert np.abs(np.array(octaves(sound)) - PINKISH).max() < 7, "neither dull nor boomy"
    assert np.abs(sound[0]).max() < 0.005, "no click at the start"
    assert decibels(sound[-480:]) < -60, "it has rung out"
    assert decibels(sound[-2 * SAMPLE_RATE : -SAMPLE_RATE]) > -60, "but not long before"
    body = sound[: -4 * SAMPLE_RATE]
    windows = np.abs(body[: len(body) // 72_000 * 72_000]).reshape(-1, 72_000 * 2).max(axis=1)
    assert windows.min() > 0.005, "no 1.5 s of silence"


@pytest.mark.parametrize(("style", "emotion"), [(Style.LOFI, Emotion.SADNESS), (Style.AMBIENT, Emotion.FEAR)])
def test_a_piece_of_dull_samples_gets_treble_that_moves_with_the_music(
    engine: EmbeddedComposer, tmp_path: Path, style: Style, emotion: Emotion
) -> None:
    """The whole table: ``python -m benchmarks.sound --styles``."""
    sound = play(engine, cue(emotion, 12, style=style, opening=True, ending=True), tmp_path / "take.flac")
    assert np.abs(octaves(sound)).max() < 6.5, "neither dull nor boomy"
    presence, air = (envelope(sound, *band) for band in ((3_000, 5_600), (6_000, 11_000)))
    assert np.corrcoef(presence, air)[0, 1] > 0.95, "no hiss"


def envelope(sound: Audio, low: float, high: float) -> Audio:
    """dB of a band in each 50 ms."""
    spectrum, hz = np.fft.rfft(sound.mean(axis=1)), np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    band = np.fft.irfft(np.where((hz >= low) & (hz < high), spectrum, 0), len(sound))
    return np.asarray(10 * np.log10(np.square(band.reshape(-1, 2_400)).mean(axis=1) + 1e-12), np.float32)


def test_a_take_that_is_cut_off_in_full_sound_ends_without_a_click(engine: EmbeddedComposer, tmp_path: Path) -> None:
    sound = play(engine, cue(Emotion.SADNESS, 6, style=Style.CINEMATIC_PIANO), tmp_path / "take.flac")
    jumps = np.abs(np.diff(sound, 2, axis=0)).max(axis=1)
    assert jumps[-48:].max() < 3 * jumps[-4_800:-480].max()


@pytest.mark.parametrize("program", [0, 24, 40, 48, 56, 73])
def test_an_instrument_played_harder_sounds_brighter(small_font: str, program: int) -> None:
    soft, middle, hard = centroids(program, Path(small_font))
    assert soft < middle <= hard * 1.02 and hard > 1.02 * soft


def heard(score: Score, font: str, target: Path) -> Audio:
    render(score, target, round(score.seconds * SAMPLE_RATE), silent, Path(font))
    return read(target)


def struck(role: Role = Role.COMP, pitch: int = 60, **changes: object) -> Score:
    """One short stroke of a piano, or of a drum, in two seconds."""
    part = Part(role, 0, 100, 64, 0, pedal=role is Role.COMP)
    note = Note(0.2, 0.4, pitch, 90, role)
    return replace(Score(2.0, 120, 4, 0, "major", 0.2, 0.0, (part,), (note,)), **changes)  # type: ignore[arg-type]


def test_the_pedal_lets_keys_ring_until_the_harmony_changes(small_font: str, tmp_path: Path) -> None:
    dry, held, changed = (
        heard(struck(changes=times), small_font, tmp_path / "take.flac") for times in ((), (0.0,), (0.0, 1.0))
    )
    late = slice(round(0.8 * SAMPLE_RATE), SAMPLE_RATE)
    after = slice(round(1.5 * SAMPLE_RATE), 2 * SAMPLE_RATE)
    assert decibels(held[late]) > decibels(dry[late]) + 12
    assert decibels(held[after]) > decibels(changed[after]) + 12


def test_a_score_names_its_kit_and_a_font_without_it_plays_the_standard_one(small_font: str, tmp_path: Path) -> None:
    standard, brush, unknown = (
        heard(struck(Role.DRUMS, 38, kit=kit), small_font, tmp_path / "take.flac") for kit in (0, 40, 99)
    )
    assert np.abs(standard - brush).max() > 0.01
    assert np.array_equal(standard, unknown)


def test_a_cue_stands_above_or_below_the_others_on_the_curve_of_energy(small_font: str, tmp_path: Path) -> None:
    score = compose(cue(seconds=8))
    levels = [
        loudness_of([heard(replace(score, level=above), small_font, tmp_path / "take.flac")]) for above in (-3, 2)
    ]
    assert levels == [pytest.approx(-23, abs=1), pytest.approx(-18, abs=1)]


@pytest.mark.slow
def test_a_piece_grows_from_its_theme_to_its_climax_at_the_tempo_of_its_score(small_font: str) -> None:
    """One of the 70 of ``python -m benchmarks.score``; the growth of the notes: test_composer_phrases.py."""
    found = played_whole(Style.LOFI, Emotion.NEUTRAL, 3, 60.0, Path(small_font))
    assert 4 <= found.rise <= 6 and found.on_beat


def test_an_inner_cue_plays_into_its_boundary(engine: EmbeddedComposer, tmp_path: Path) -> None:
    for emotion in EMOTIONS:
        sound = play(engine, cue(emotion, 12), tmp_path / "take.flac")
        last = np.sqrt(np.mean(sound[-SAMPLE_RATE // 2 :] ** 2))
        assert last > 0.1 * np.sqrt(np.mean(sound**2)), emotion


def test_no_click_outside_a_drum_stroke(engine: EmbeddedComposer, tmp_path: Path) -> None:
    for emotion in (Emotion.SADNESS, Emotion.FEAR, Emotion.DISGUST):
        request = cue(emotion, 12, speech=((2.0, 6.0),))
        score, sound = compose(request), play(engine, request, tmp_path / "take.flac")
        assert clicks(sound, score) == []
    sound[300_000] += 0.2
    assert clicks(sound, score) != [], "the yardstick finds a single wrong sample"


def test_nothing_clicks_between_blocks(small_font: str, tmp_path: Path) -> None:
    score = compose(cue(Emotion.SADNESS, 9))
    one, many = (
        np.concatenate(list(synth.played(score, 432_000, Path(small_font), n)), axis=-1) for n in (432_000, 7_777)
    )
    assert np.abs(one - many).max() < 1e-4


def test_the_same_cue_is_the_same_file_whatever_was_played_before(engine: EmbeddedComposer, tmp_path: Path) -> None:
    first, other, second = (tmp_path / name for name in ("a.flac", "b.flac", "c.flac"))
    cues = [cue(Emotion.FEAR, 6), cue(Emotion.ANGER, 6), cue(Emotion.FEAR, 6)]
    assert [made.index for made in engine.compose(cues, [first, other, second], silent)] == [0, 1, 2]
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


def test_cancelling_leaves_no_file(engine: EmbeddedComposer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_MEASURED_BLOCKS", 1)

    monkeypatch.setattr(progress, "TICK_S", 0.001)
    targets = [tmp_path / f"{number}.flac" for number in range(4)]
    begun: list[Path] = []

    def stop(fraction: float, note: str = "") -> None:
        begun[:] = tmp_path.glob(f"{PART_PREFIX}*")
        if fraction > 0.3 and begun:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        list(engine.compose([cue(Emotion.JOY, 20, speech=((0.0, 20.0),))] * 4, targets, stop))
    assert begun, "it was stopped in the middle of a file"
    assert not set(tmp_path.iterdir()) - set(targets), "whole takes are its caller's to delete"


def test_takes_made_beside_each_other_are_those_made_alone(engine: EmbeddedComposer, tmp_path: Path) -> None:
    cues = [cue(emotion, 4) for emotion in (Emotion.JOY, Emotion.ANGER, Emotion.FEAR, Emotion.SADNESS)]
    targets = [tmp_path / f"{number}.flac" for number in range(4)]
    assert [made.index for made in engine.compose(cues, targets, silent)] == [0, 1, 2, 3]
    for request, target in zip(cues, targets, strict=True):
        play(engine, request, tmp_path / "alone.flac")
        assert (tmp_path / "alone.flac").read_bytes() == target.read_bytes()


def test_progress_moves_forward_to_one(engine: EmbeddedComposer, tmp_path: Path) -> None:
    told: list[float] = []
    targets = [tmp_path / "a.flac", tmp_path / "b.flac"]
    list(engine.compose([cue(seconds=5), cue(seconds=9)], targets, lambda fraction, note="": told.append(fraction)))
    assert told == sorted(told) and told[-1] == pytest.approx(1)


def test_a_soundfont_that_is_not_there_or_not_one_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    nowhere = EngineOptions(model=str(tmp_path / "none.sf2"))
    assert "none.sf2" in (EmbeddedComposer.missing(nowhere) or "")
    with pytest.raises(BadInput, match=r"none\.sf2"):
        EmbeddedComposer(nowhere)
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"RIFF nothing")
    with pytest.raises(BadInput, match=r"broken\.sf2"):
        render(compose(cue(seconds=2)), tmp_path / "take.flac", 96_000, silent, broken)
    assert capfd.readouterr().err == ""


def without_drums(font: str, target: Path) -> Path:
    """The font with its drums moved to a bank of melodies."""
    content = bytearray(Path(font).read_bytes())
    begin = content.index(b"phdr") + 8
    for at in range(begin, begin + int.from_bytes(content[begin - 4 : begin], "little"), 38):
        if content[at + 22 : at + 24] == b"\x80\x00":
            content[at + 22] = 1
    target.write_bytes(content)
    return target


def test_a_font_that_is_damaged_or_has_no_drums_gives_way_to_the_next_in_a_sentence(
    small_font: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("BGM_SOUNDFONT", raising=False)
    monkeypatch.setenv("BGM_WEIGHTS", str(tmp_path))
    cut, melodies = tmp_path / "cut.sf2", without_drums(small_font, tmp_path / "melodies.sf2")
    cut.write_bytes(Path(small_font).read_bytes()[:100_000])
    monkeypatch.setattr(embedded, "_SYSTEM_FONTS", (str(cut), str(melodies)))
    assert embedded.find_font() == Path(small_font)
    assert [record.getMessage() for record in caplog.records] == [
        f"{cut} is not a soundfont, or it is damaged; the next soundfont is taken",
        f"{melodies} has no drums; the next soundfont is taken",
    ]
    for font in (cut, melodies):
        with pytest.raises(BadInput, match=font.name):
            embedded.find_font(str(font))


def test_a_font_whose_odd_chunks_are_not_padded_is_read(small_font: str, tmp_path: Path) -> None:
    presets = embedded._presets(Path(small_font))
    inner = b"pdtaphdr" + len(presets).to_bytes(4, "little") + presets
    body = b"sfbk" + b"".join(b"LIST" + len(c).to_bytes(4, "little") + c for c in (b"INFO" + b"x" * 9, inner))
    font = tmp_path / "converted.sf3"
    font.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    assert embedded.find_font(str(font)) == font


def test_the_setting_chooses_the_font(monkeypatch: pytest.MonkeyPatch, small_font: str) -> None:
    monkeypatch.setenv("BGM_SOUNDFONT", small_font)
    assert embedded.find_font() == Path(small_font)
    assert EmbeddedComposer.missing(EngineOptions()) is None


def test_without_a_library_the_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synth, "package_folders", lambda name: [])
    monkeypatch.setattr(synth.ctypes.util, "find_library", lambda name: None)
    assert "pygame-ce" in (EmbeddedComposer.missing(EngineOptions()) or "")
