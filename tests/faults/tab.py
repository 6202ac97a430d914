"""A browser's tab without a browser: the page's own private events over HTTP, as its scripts send them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
from gradio_client.utils import apply_diff

View = dict[str, Any]
_TIMEOUT = httpx.Timeout(300.0)


class Tab:
    """One open page. Its project is chosen by ``begin`` or ``open``."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT)
        self._session = secrets.token_hex(6)
        config = self._http.get("config").raise_for_status().json()
        self._events = {event["api_name"]: event["id"] for event in config["dependencies"] if event["api_name"]}
        self._studio = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "bgm-studio")
        self.project = ""

    def close(self) -> None:
        self._http.close()

    def begin(self, files: Sequence[Path]) -> View:
        """Upload a video with its subtitles: the new project."""
        paths = self.upload(files)
        given = [
            {"path": path, "orig_name": file.name, "meta": {"_type": "gradio.FileData"}}
            for path, file in zip(paths, files, strict=True)
        ]
        *_, (steps, sent) = self.event("upload", [given, [file.name for file in files]])
        view = _view(sent)
        if not view.get("id"):
            raise AssertionError(f"the upload gave no project: {steps}")
        self.project = view["id"]
        return view

    def upload(self, files: Sequence[Path]) -> list[str]:
        """To the server, for an event to come."""
        parts = [("files", (file.name, file.read_bytes())) for file in files]
        return list(self._http.post("gradio_api/upload", files=parts).raise_for_status().json())

    def steps(self, kind: str, **options: Any) -> Iterator[View]:
        """Run a step: where it stands, each time that this changes. Leaving the loop is closing the tab."""
        for steps, _ in self.event("run", [], {"step": kind, "project": self.project, **options}):
            if isinstance(steps, dict) and "state" in steps:
                yield steps

    def run(self, kind: str, **options: Any) -> list[View]:
        """All of :meth:`steps`; AssertionError when it fails."""
        seen = list(self.steps(kind, **options))
        if not seen or seen[-1]["state"] not in {"done", "stopped"}:
            raise AssertionError(f"{kind} ended as {seen[-1:]}")
        return seen

    def open(self, project: str) -> View:
        """Another tab's project, as after a reload."""
        self.project = project
        *_, (_, sent) = self.event("restore", [project])
        return _view(sent)

    def call(self, name: str, **arguments: Any) -> View:
        """One of the functions that the scripts call; the view of the project. AssertionError when it is refused."""
        body = {"data": {"project": self.project, **arguments}, "component_id": self._studio, "fn_name": name}
        answer = self._http.post("gradio_api/component_server", json={**body, "session_hash": self._session})
        found = answer.raise_for_status().json()
        if found["error"]:
            raise AssertionError(f"{name}: {found['error']}")
        return _view(found["view"])

    def download(self, name: str) -> bytes:
        """A file of the project."""
        return self._http.get(f"studio/{self.project}/{name}?download").raise_for_status().content

    def event(self, name: str, data: list[Any], event_data: View | None = None) -> Iterator[list[Any]]:
        """Send an event of the page and yield its outputs whenever they change."""
        body = {"data": data, "fn_index": self._events[name], "session_hash": self._session, "event_data": event_data}
        event_id = self._http.post("gradio_api/queue/join", json=body).raise_for_status().json()["event_id"]
        outputs: list[Any] = []
        for message in self._messages():
            if message.get("event_id") not in {None, event_id}:
                continue
            kind, output = message["msg"], message.get("output") or {}
            if kind == "process_generating":
                outputs = _updated(outputs, output["data"])
                yield outputs
            elif kind == "process_completed":
                if not message["success"]:
                    raise AssertionError(f"{name}: {output}")
                if not outputs:
                    yield output["data"]
                return
        raise AssertionError(f"{name}: the stream ended")

    def _messages(self) -> Iterator[View]:
        with self._http.stream("GET", "gradio_api/queue/data", params={"session_hash": self._session}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))


def _view(sent: object) -> View:
    """A view, which the page sends as one text."""
    return dict(json.loads(sent) or {}) if isinstance(sent, str) else {}


def _updated(before: list[Any], data: list[Any]) -> list[Any]:
    """Gradio sends the first outputs whole, then what changed."""
    return [apply_diff(old, change) for old, change in zip(before, data, strict=True)] if before else data
