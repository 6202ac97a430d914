"""HTTP client of a remote painter: implements :class:`bgm.music.riffusion.painting.Painter`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bgm.errors import BgmError
from bgm.music.riffusion import painting
from bgm.music.riffusion.model import ModelKey
from bgm.music.riffusion.painting import PaintJob
from bgm.music.riffusion.spectrogram import Pixels
from bgm.painter import wire
from bgm.progress import Progress

if TYPE_CHECKING:
    import httpx

    from bgm.environment import Environment

WAITS_S = (1.0, 2.0, 4.0, 8.0)
"""Back-off between retries, long enough for a restarted painter to return; then the job fails and can be run again."""
CONNECT_S, SILENCE_S = 5.0, 60.0
"""The painter sends a heartbeat every second: one that is silent for this long is dead."""
TICK_S = 0.2


class _Lost(Exception):
    """The painter is unreachable or went away: a retry may help."""


def employ(operator: Environment) -> None:
    """Use the painter that BGM_PAINTER names, if any, in this process."""
    token = operator.painter_token.get_secret_value() if operator.painter_token else None
    painting.employ(RemotePainter(operator.painter, token) if operator.painter else None)


class RemotePainter:
    """``address`` is ``http://host:port``. A job lost with its painter is resubmitted and gives the same bits."""

    def __init__(self, address: str, token: str | None = None) -> None:
        self._address = address
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def ready(self, key: ModelKey, progress: Progress) -> tuple[str, ...]:
        body = json.dumps(wire.pack_key(key)).encode()
        told, _ = self._patiently(lambda: self._once("/ready", body, progress), progress)
        return tuple(str(note) for note in told.get("notes", ()))

    def paint(self, job: PaintJob, progress: Progress) -> Pixels:
        def picture() -> Pixels:
            told, raw = self._once("/paint", body, progress)
            try:
                return wire.unpack_picture(told, raw, job.pixels.shape)
            except (ValueError, KeyError) as error:
                raise _Lost("the picture did not arrive whole") from error

        body = wire.pack_job(job)
        return self._patiently(picture, progress)

    def _patiently(self, work: Callable[[], Any], progress: Progress) -> Any:
        for wait in (*WAITS_S, None):
            try:
                return work()
            except _Lost as error:
                if wait is None:
                    raise BgmError(f"the painter at {self._address}: {error}; run it again when it is back") from error
            until = time.monotonic() + wait
            while time.monotonic() < until:
                progress(0.0, "the painter was lost: asking again")
                time.sleep(TICK_S)

    def _once(self, path: str, body: bytes, progress: Progress) -> tuple[dict[str, Any], bytes]:
        """One request: the last line of the answer and the bytes after it."""
        import httpx

        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        try:
            with httpx.stream(
                "POST", self._address + path, content=body, headers=self._headers, timeout=timeout
            ) as answer:
                self._check(answer)
                return self._heard(answer, progress)
        except httpx.HTTPError as error:
            raise _Lost(f"no answer ({type(error).__name__})") from error

    def _check(self, answer: httpx.Response) -> None:
        if answer.status_code == 200:
            return
        told = _told(answer.read())
        sentence = str(told.get("error", f"HTTP status {answer.status_code}"))
        # What a proxy answers for a painter that is being restarted, and the painter when its line is full: worth
        # another try. All else is an answer.
        if answer.status_code in (502, 503, 504):
            raise _Lost(sentence)
        raise BgmError(f"the painter at {self._address}: {sentence}")

    def _heard(self, answer: httpx.Response, progress: Progress) -> tuple[dict[str, Any], bytes]:
        """Reports each line as progress. If ``progress`` raises, the connection closes, which stops the painter."""
        arrived, last, done, note = bytearray(), dict[str, Any](), 0.0, ""
        for chunk in answer.iter_raw():
            arrived += chunk
            # Lines until one that has "shape": what comes after its line break are the pixels, in which any byte may
            # stand.
            while "shape" not in last and b"\n" in arrived:
                line, _, arrived = arrived.partition(b"\n")
                told = _told(line)
                if "error" in told:
                    raise BgmError(f"the painter at {self._address}: {told['error']}")
                last = told or last
                done, note = float(told.get("done", done)), str(told.get("note", note))
                progress(done, note)
        if not ("shape" in last or "notes" in last):
            raise _Lost("it went away in the middle of the work")
        return last, bytes(arrived)


def _told(line: bytes | bytearray) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
