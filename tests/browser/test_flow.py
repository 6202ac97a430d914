"""From an upload to the finished video, as a creator does it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe
from playwright.sync_api import BrowserContext, FilePayload, Page, expect

from tests.browser.waiting import WAIT

HEARD = """async () => {
  const { sound } = await import(new URL('studio/static/playback.js', location.href));
  return sound.audio?.duration > 19;
}"""


def test_a_video_is_dropped_and_its_music_is_heard_rendered_and_taken_away(
    context: BrowserContext, open_tab: Callable[..., Page], clip: Path, tmp_path: Path
) -> None:
    """Nothing is pressed between the drop and the first music, though another file was dropped by mistake before."""
    tab = open_tab(context)
    notes = tmp_path / "notes.txt"
    notes.write_text("what I meant to upload")
    tab.locator("#bgm-drop input[type=file]").set_input_files(notes)
    expect(tab.locator(".problem")).to_contain_text("notes.txt")
    files = ((clip, "holiday clip 🎬.mp4", "video/mp4"), (clip.with_suffix(".srt"), "holiday clip 🎬.srt", ""))
    sent: list[FilePayload] = [{"name": n, "mimeType": kind, "buffer": f.read_bytes()} for f, n, kind in files]
    tab.locator("#bgm-drop input[type=file]").set_input_files(sent)
    expect(tab.locator(".bar .title")).to_have_text("holiday clip 🎬")
    expect(tab.locator(".seg .name")).to_have_text(["joy", "sadness", "anger", "fear"], timeout=WAIT)
    expect(tab.locator(".problem")).to_be_hidden()
    expect(tab.locator(".line .text").first).to_have_text("I am so happy today, this is wonderful and I love it!")
    expect(tab.locator(".engines li").nth(2)).to_have_text("emotions: small emotion readerminilmnamed by the user")
    tab.wait_for_function(HEARD, timeout=WAIT)
    expect(tab.locator(".seg.stale, .seg.empty")).to_have_count(0)
    expect(tab.get_by_role("button", name="With music")).to_have_attribute("aria-pressed", "true")
    tab.get_by_role("button", name="Export").click()
    tab.get_by_label("Put the transcript in as subtitles").check()
    tab.get_by_role("button", name="Make the video").click()
    made = tab.locator(".result video")
    expect(made).to_be_visible(timeout=WAIT)
    expect(tab.locator(".result .numbers")).to_contain_text("−14.0 LUFS")
    expect(tab.locator(".result .numbers")).to_contain_text("copied without encoding")
    expect(tab.get_by_role("link", name="Download the video")).to_be_focused()
    seen = [tab.locator(f"dialog.export {part}") for part in (".result video", ".numbers", ".result a", ".exports")]
    tops = [box["y"] + box["height"] for part in seen if (box := part.bounding_box())]
    assert max(tops[:3]) < min(tops[3], tab.viewport_size["height"] if tab.viewport_size else 0), "on top and in sight"
    made.evaluate("video => video.play()")
    tab.wait_for_function("() => document.querySelector('.result video').currentTime > 0.7")
    with tab.expect_download() as download:
        tab.get_by_text("Download the video").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.name == "holiday clip - BGM.mp4"
    described = subprocess.run([get_ffmpeg_exe(), "-i", str(saved)], capture_output=True, text=True, check=False).stderr
    assert (
        "Video:" in described
        and "Audio:" in described
        and "Subtitle:" in described
        and "Duration: 00:00:20" in described
    )
