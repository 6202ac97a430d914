"""The disk is full at every stage in turn, from the shell and on the page's side; then there is room again.

    python -m tests.faults.disk_full --sizes 12 --seed 1

A small tmpfs (root may mount one) holds the project and the result. For each stage it is made so small that this stage
can't finish, and then ``--sizes`` times as small as chance wants. The command must say so in one sentence, with exit
status 1 and nothing half-written; what was finished is kept, untouched, and with room the same command makes what it
would have made. The page's Service: an upload that doesn't fit leaves no project, an edit that can't be saved changes
nothing, a step that runs out of room says so and runs again.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bgm.environment import Environment
from bgm.errors import BgmError
from bgm.settings import Settings
from bgm.ui.jobs import Job, Jobs
from bgm.ui.service import Service
from bgm.ui.steps import StepOptions
from bgm.ui.workspace import Workspace
from tests.faults.clips import clip
from tests.faults.kill import PATIENCE_S, PROJECT, RESULT, ROOT, Task, Undisturbed, make, undisturbed
from tests.faults.small_disk import PAGE, ROOMY, NoSmallDisk, SmallDisk, on_disk, small_disk
from tests.faults.tree import differences, half_written, parts, tree

STAGES = ("create", "decode", "voice", "takes", "master", "result")


@dataclass(frozen=True)
class Told:
    """How a command ended and what it said."""

    status: int
    lines: tuple[str, ...]


def sizes(home: Path) -> dict[str, int]:
    """For each stage a size of the disk with which that stage can't finish, from what the finished folder holds."""
    project = home / PROJECT
    documents = 6 * PAGE
    stages = {
        "decode": [project / "media" / "audio.flac"],
        "voice": [project / "stems" / "voice.flac"],
        "takes": list((project / "takes").iterdir()),
        "master": [project / "stems" / "bgm.flac", project / "stems" / "master.flac"],
        "result": [home / RESULT],
    }
    found, filled = {"create": PAGE}, documents
    for stage, files in stages.items():
        size = sum(map(on_disk, files))
        found[stage] = filled + size // 2
        filled += size
    return found


def shell_troubles(task: Task, reference: Undisturbed, disk: SmallDisk, size: int) -> list[str]:
    """Run the task on a disk of that size, make room, run it again; what was wrong."""
    home = disk.path / "home"
    home.mkdir()
    task.begin(home)
    disk.resize(size)
    troubles = [f"when full: {trouble}" for trouble in _refusal(task, home)]
    troubles += half_written(home, reference.before, reference.after)
    troubles += [f"left over: {part}" for part in parts(home)]
    kept = _finished(home)
    disk.resize(ROOMY)
    told = [_run(command) for command in task.commands(home)]
    troubles += [f"with room: {t.status} {t.lines}" for t in told if t.status]
    troubles += differences(tree(home), reference.after)
    if {name: _finished(home).get(name) for name in kept} != kept:
        troubles.append("what was finished was made again")
    shutil.rmtree(home)
    return troubles


def _refusal(task: Task, home: Path) -> list[str]:
    """Run the commands until one stops; what is wrong with how it stopped."""
    for command in task.commands(home):
        told = _run(command)
        if told.status:
            one_sentence = len(told.lines) == 1 and "full" in told.lines[0]
            return [] if told.status == 1 and one_sentence else [f"{told.status} {told.lines}"]
    return ["the disk was not full"]


def _run(command: list[str]) -> Told:
    words = [sys.executable, "-m", "bgm", *command, "--quiet"]
    done = subprocess.run(words, check=False, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    return Told(done.returncode, tuple(done.stderr.strip().splitlines()))


def _finished(home: Path) -> dict[str, int]:
    """When each sound under its final name was made, but for the mix, which every render makes."""
    sounds = (path for path in home.rglob("[!.]*.flac") if path.name not in {"bgm.flac", "master.flac"})
    return {path.relative_to(home).as_posix(): path.stat().st_mtime_ns for path in sounds}


# The page ------------------------------------------------------------------------------------------------------------


def service_on(disk: SmallDisk, settings: Settings) -> Service:
    """The page without its page: projects on the small disk."""
    return Service(Workspace(Environment(data=disk.path), settings), Jobs(workers=1, max_waiting=5))


def upload_troubles(service: Service, disk: SmallDisk, video: Path) -> list[str]:
    """An upload that doesn't fit is refused in one sentence and leaves nothing."""
    disk.resize(video.stat().st_size // 2)
    troubles = _sentence(lambda: service.begin([video, video.with_suffix(".srt")], copy=True))
    troubles += [f"left over: {left.name}" for left in service.workspace.root.iterdir()]
    disk.resize(ROOMY)
    return troubles


def step_troubles(service: Service, disk: SmallDisk, video: Path, size: int) -> list[str]:
    """All steps on a disk that gets full in one of them, then once more with room; what was wrong."""
    project_id = service.begin([video, video.with_suffix(".srt")], copy=True)
    folder = service.workspace.folder(project_id)
    disk.resize(size + sum(on_disk(path) for path in folder.rglob("*") if path.is_file()))
    stopped = next((job for job in _steps(service, project_id) if job.error), None)
    troubles = _job_troubles(stopped)
    troubles += [f"left over: {part}" for part in parts(folder)]
    disk.resize(ROOMY)
    troubles += [f"with room, {job.kind}: {job.error}" for job in _steps(service, project_id) if job.error]
    troubles += [] if service.view(project_id)["result"] else ["with room: there is no result"]
    shutil.rmtree(folder)
    return troubles


def edit_troubles(service: Service, disk: SmallDisk, video: Path) -> list[str]:
    """An edit that can't be saved is refused in one sentence and changes nothing."""
    project_id = service.begin([video, video.with_suffix(".srt")], copy=True)
    for job in _steps(service, project_id, ("analyze",)):
        if job.error:
            return [job.error]
    before, folder = service.workspace.load(project_id), service.workspace.folder(project_id)
    disk.resize(sum(on_disk(path) for path in disk.path.rglob("*") if path.is_file()))
    gesture = {"op": "emotion", "id": before.segments[0].id, "emotion": "disgust"}
    troubles = _sentence(lambda: service.edit(project_id, [gesture]))
    troubles += _sentence(
        lambda: service.edit(project_id, [{"op": "line_text", "index": 0, "name": "text", "text": "What a day"}])
    )
    troubles += _sentence(lambda: service.set_settings(project_id, {"min_segment": 3.0}))
    troubles += [] if service.workspace.load(project_id) == before else ["the refused edit changed the project"]
    troubles += [] if service.view(project_id)["history"]["undo"] == 0 else ["the refused edit can be undone"]
    disk.resize(ROOMY)
    service.edit(project_id, [gesture])
    shutil.rmtree(folder)
    return troubles


def _steps(service: Service, project_id: str, kinds: tuple[str, ...] = ("analyze", "compose", "render")) -> list[Job]:
    """The steps in order, up to the first that fails."""
    done: list[Job] = []
    for kind in kinds:
        job = service.start(project_id, kind, StepOptions())
        job.finished.wait(PATIENCE_S)
        done.append(job)
        if job.state != "done":
            break
    return done


def _job_troubles(job: Job | None) -> list[str]:
    if job is None:
        return ["the disk was not full"]
    return [] if job.error and "full" in job.error else [f"{job.kind}: {job.error}"]


def _sentence(work: Callable[[], object]) -> list[str]:
    try:
        work()
    except BgmError as error:
        return [] if "full" in str(error) else [f"said: {error}"]
    except OSError as error:
        return [f"raised {error!r}"]
    return ["the disk was not full"]


# Both ----------------------------------------------------------------------------------------------------------------


def everything(disk: SmallDisk, scratch: Path, more: int, chance: random.Random) -> Mapping[str, list[str]]:
    """Every stage, then ``more`` sizes by chance, from the shell; then the page. What was wrong with each."""
    video = clip(scratch / "talk.mp4", 12.0)
    task = make(video, "--min-segment", "2")
    reference = undisturbed(task, disk.path / "home")
    small = sizes(disk.path / "home")
    shutil.rmtree(disk.path / "home")
    found: dict[str, list[str]] = {}

    def note(name: str, troubles: list[str]) -> None:
        found[name] = troubles
        print(f"{name}: {'; '.join(troubles) or 'well'}", flush=True)

    for stage in STAGES:
        note(f"shell, {stage} ({small[stage] >> 10} KiB)", shell_troubles(task, reference, disk, small[stage]))
    for _ in range(more):
        size = chance.randrange(PAGE, small["result"])
        note(f"shell, {size >> 10} KiB", shell_troubles(task, reference, disk, size))
    service = service_on(disk, Settings(min_segment=2.0, offline=True))
    note("page, upload", upload_troubles(service, disk, video))
    note("page, edit", edit_troubles(service, disk, video))
    for stage in STAGES[1:]:
        note(f"page, {stage}", step_troubles(service, disk, video, small[stage]))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    try:
        with small_disk() as disk, tempfile.TemporaryDirectory(prefix="bgm-full-") as scratch:
            found = everything(disk, Path(scratch), arguments.sizes, random.Random(arguments.seed))
    except NoSmallDisk as error:
        print(f"skipped: {error}")
        return 0
    bad = sum(bool(troubles) for troubles in found.values())
    print(f"{len(found)} full disks, {bad} not well met")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
