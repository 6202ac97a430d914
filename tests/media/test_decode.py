"""The sound is where the picture has it: sample 0 is timeline 0, and it lasts as long as the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from bgm.errors import Cancelled
from bgm.media import audio
from bgm.media.decode import Decoded, decode, decode_mix
from bgm.media.probe import probe
from tests.media.making import Make


def decoded(path: Path, tmp_path: Path) -> tuple[Decoded, audio.Audio]:
    info = probe(path)
    result = decode(info, tmp_path / "sound.flac")
    assert result is not None
    samples = audio.read(result.path)
    assert len(samples) == audio.frames_of(info.duration)
    assert audio.channels(result.path) == result.channels
    return result, samples


def onsets(samples: audio.Audio) -> list[float]:
    """Seconds at which a beep begins: loud after 0.1 s of quiet."""
    loud = np.flatnonzero(np.abs(samples[:, 0]) > 0.15)
    starts = loud[np.r_[True, np.diff(loud) > 4800]]
    return [float(s) / audio.SAMPLE_RATE for s in starts]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "ts", "flv"])
def test_beeps_are_where_they_were(make: Make, tmp_path: Path, plain_mp4: Path, suffix: str) -> None:
    path = make.ffmpeg("-i", plain_mp4, "-c:v", "copy", "-c:a", "copy", make.folder / f"beeps.{suffix}")
    _, samples = decoded(path, tmp_path)
    late = (
        0.0213 if suffix in ("avi", "ts", "flv") else 0.0
    )  # they can't say that AAC's first 1024 samples are no sound
    assert onsets(samples) == pytest.approx([0.25 + late, 1.25 + late, 2.25 + late, 3.25 + late], abs=0.003)


def test_opus_in_webm(webm: Path, tmp_path: Path) -> None:
    assert onsets(decoded(webm, tmp_path)[1]) == pytest.approx([0.25, 1.25, 2.25, 3.25], abs=0.003)


@pytest.mark.parametrize("offset", [0.5, -0.5])
def test_the_sources_offset_is_kept(make: Make, tmp_path: Path, plain_mp4: Path, offset: float) -> None:
    picture, sound = max(0.0, -offset), max(0.0, offset)
    shifted = ("-itsoffset", picture, "-i", plain_mp4, "-itsoffset", sound, "-i", plain_mp4)
    path = make.ffmpeg(*shifted, "-map", "0:v", "-map", "1:a", "-c", "copy", make.folder / f"offset{offset}.mp4")
    info = probe(path)
    assert info.audio and info.audio.start == pytest.approx(sound, abs=0.022)  # AAC's first frame is its priming
    assert info.video and info.video.start == pytest.approx(picture, abs=0.001)
    expected = [t + sound for t in (0.25, 1.25, 2.25, 3.25)]
    assert onsets(decoded(path, tmp_path)[1]) == pytest.approx(expected, abs=0.003)


def test_a_gap_is_silence_and_what_follows_stays_in_time(make: Make, tmp_path: Path) -> None:
    tone = ("-f", "lavfi", "-i", "sine=440:d=4:r=48000", "-f", "lavfi", "-i", "color=black:s=64x64:d=4")
    drop = "aselect='not(between(t,1,2.5))'"  # leaves a hole in the times
    path = make.ffmpeg(*tone, "-af", drop, "-c:a", "pcm_s16le", "-c:v", "mpeg4", make.folder / "gap.mkv")
    _, samples = decoded(path, tmp_path)
    level = [float(np.abs(samples[int(t * 48000) :][:4800]).max()) for t in (0.5, 1.2, 2.3, 2.7, 3.8)]
    assert level[0] > 0.1 and level[3] > 0.1 and level[4] > 0.1
    assert level[1] == level[2] == 0


def test_small_wandering_of_times_makes_no_clicks(make: Make, tmp_path: Path) -> None:
    """Matroska rounds times to milliseconds; 44.1 kHz frames then never seem to join."""
    tone = ("-f", "lavfi", "-i", "sine=440:d=4:r=44100", "-f", "lavfi", "-i", "color=black:s=64x64:d=4")
    path = make.ffmpeg(*tone, "-c:a", "pcm_s16le", "-c:v", "mpeg4", make.folder / "tone.mkv")
    _, samples = decoded(path, tmp_path)
    time = np.arange(24000, 168000) / 48000
    tone_phase = np.exp(-2j * np.pi * 440 * time) * samples[24000:168000, 0]
    blocks = np.angle(tone_phase.reshape(-1, 4800).mean(axis=1))
    assert np.ptp(np.unwrap(blocks)) < 0.01
    assert np.abs(np.diff(samples[24000:168000, 0])).max() < 0.125 * 2 * np.pi * 440 / 48000 * 1.2


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (6, 2), (16, 2)])
def test_channels(make: Make, tmp_path: Path, count: int, expected: int) -> None:
    path = make.ffmpeg("-f", "lavfi", "-i", "sine=440:d=1:r=44100", "-ac", count, make.folder / f"channels{count}.wav")
    result, samples = decoded(path, tmp_path)
    assert result.channels == expected
    assert np.abs(samples).max() > 0.005


def test_a_downmix_does_not_clip(make: Make, tmp_path: Path) -> None:
    loud = "|".join(["0.95*sin(2764*t)"] * 6)
    path = make.ffmpeg("-f", "lavfi", "-i", f"aevalsrc={loud}:c=5.1:d=1", make.folder / "loud.wav")
    _, samples = decoded(path, tmp_path)
    assert 0.8 < np.abs(samples).max() <= 0.96


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("over", [1.5, 8.0])
def test_floating_point_over_full_scale_is_turned_down_and_told(
    make: Make, tmp_path: Path, channels: int, over: float
) -> None:
    wave = over * np.sin(2 * np.pi * 440 * np.arange(96_000) / 48_000)
    path = make.folder / f"over{channels}-{over}.wav"
    soundfile.write(path, np.repeat(wave[:, None], channels, axis=1).astype(np.float32), 48_000, subtype="FLOAT")
    result, samples = decoded(path, tmp_path)
    assert np.abs(samples).max() == pytest.approx(1.0, abs=0.01)
    likeness = np.corrcoef(samples[1000:-1000, 0], wave[1000:-1000])[0, 1]
    assert likeness > 0.9999
    assert any(f"{20 * np.log10(over):.1f} dB over full scale" in note for note in result.notes)


def test_what_only_touches_full_scale_is_left_as_it_is(make: Make, tmp_path: Path) -> None:
    wave = np.sign(np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.float32)
    soundfile.write(make.folder / "square.wav", wave, 48_000)
    assert decoded(make.folder / "square.wav", tmp_path)[0].notes == ()


def test_damaged_floats_are_silence(make: Make, tmp_path: Path) -> None:
    wave = (0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.float32)
    wave[1000:1010] = np.nan
    wave[2000:2010] = np.inf
    soundfile.write(make.folder / "nan.wav", wave, 48_000, subtype="FLOAT")
    _, samples = decoded(make.folder / "nan.wav", tmp_path)
    assert np.abs(samples[3000:]).max() == pytest.approx(0.5, abs=0.01)


def test_several_tracks_added_up(make: Make, tmp_path: Path) -> None:
    tones = ("-f", "lavfi", "-i", "sine=440:d=2:r=48000", "-f", "lavfi", "-i", "sine=880:d=1.5:r=44100")
    louder = ("-filter:a:0", "volume=17dB", "-filter:a:1", "volume=17dB,pan=stereo|c0=c0|c1=0*c0")
    path = make.ffmpeg(*tones, "-map", 0, "-map", 1, *louder, "-c:a", "pcm_s16le", make.folder / "two.mkv")
    info = probe(path)
    mixed = decode_mix([replace(info, audio=track) for track in info.sounds], tmp_path / "mix.flac")
    samples = audio.read(tmp_path / "mix.flac")
    assert samples.shape == (audio.frames_of(info.duration), 2)
    spectrum = np.abs(np.fft.rfft(samples[:48_000], axis=0)) / 24_000
    assert spectrum[440].min() > 0.4 and spectrum[880, 0] > 0.4 and spectrum[880, 1] < 0.01
    assert np.abs(samples).max() == pytest.approx(1.0, abs=0.01) and "over full scale" in mixed.notes[0]


@pytest.mark.parametrize(("start", "end"), [(48000, 96000), (36864, 36865)], ids=["a second", "one packet"])
def test_damage_is_silence_and_is_told(plain_mp4: Path, tmp_path: Path, start: int, end: int) -> None:
    """AAC packets are overwritten; what follows stays where it was, even after a single lost one of 21 ms."""
    broken = tmp_path / "broken.mp4"
    data = bytearray(plain_mp4.read_bytes())
    with av.open(str(plain_mp4)) as container:
        for packet in container.demux(audio=0):
            if packet.size and start <= (packet.pts or 0) < end:
                assert packet.pos is not None
                data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    broken.write_bytes(data)
    result, samples = decoded(broken, tmp_path)
    assert any("damaged" in note for note in result.notes)
    found = onsets(samples)
    assert found[0] == pytest.approx(0.25, abs=0.003)
    assert found[-2:] == pytest.approx([2.25, 3.25], abs=0.003)


def test_no_sound_writes_nothing(muted_mp4: Path, tmp_path: Path) -> None:
    assert decode(probe(muted_mp4), tmp_path / "sound.flac") is None
    assert list(tmp_path.iterdir()) == []


def test_real_files(b_avi: Path, a_mp4: Path, world_mp4: Path, cate_mp3: Path, tmp_path: Path) -> None:
    for path in (b_avi, a_mp4, world_mp4, cate_mp3):
        decoded(path, tmp_path)


def test_stopping_leaves_no_file(world_mp4: Path, tmp_path: Path) -> None:
    def stop(fraction: float, note: str = "") -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        decode(probe(world_mp4), tmp_path / "sound.flac", stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_reaches_the_end_without_going_back(world_mp4: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    decode(probe(world_mp4), tmp_path / "sound.flac", lambda fraction, note="": seen.append(fraction))
    assert seen == sorted(seen) and seen[-1] == 1.0
