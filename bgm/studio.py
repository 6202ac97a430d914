"""Orchestrates everything: open, analyze, compose, render. The page, the shell and the tests call only this.

Each step takes a Project and returns a new, saved one. It reports to a :data:`bgm.progress.Listener`, which may raise
:class:`bgm.errors.Cancelled`; what was finished by then is kept, and the same call resumes.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bgm import analysis, engines, soundtrack, takes
from bgm import project as projects
from bgm.digest import digest, fingerprint, has_fingerprint
from bgm.engines import Choice, Composer, Stage
from bgm.errors import BadInput
from bgm.files import beside, scratch, sweep_target, write_text
from bgm.media import audio
from bgm.media.encode import encode_audio
from bgm.media.forms import check_output
from bgm.media.probe import MediaInfo, probe
from bgm.media.remux import RemuxOptions, remux
from bgm.mix.placement import MixPlan, MixReport, MixSettings, Placement
from bgm.music import direction
from bgm.progress import Listener, Remaining, Stages, over, silent, unheard, usual_cost
from bgm.project import Project
from bgm.settings import Settings
from bgm.speech.subtitle_file import to_srt
from bgm.takes import Music, piece_of
from bgm.timeline import Emotion, Segment, Take, Timeline, Utterance

WORDS = "words of "
"""The start of a note about the creator's description."""
STAGES = (*analysis.COSTS, "music", "mix", "remux")
"""The stages of all steps, by name."""
MUSIC_COST, MIX_COST, REMUX_COST = (0.1, 0.018), (0.1, 0.013), (0.1, 0.01)
"""Seconds that each usually takes on two processor cores: at all, and for each second of music or video."""
log = logging.getLogger("bgm")


@dataclass(frozen=True, slots=True)
class Rendered:
    """The finished file and its measurements (LUFS, dBTP, LU; None if there is nothing to measure)."""

    project: Project
    out: Path
    lufs: float | None
    true_peak_db: float | None
    under_speech_lu: float | None


def open_video(video: Path, folder: Path, settings: Settings | None = None, *, overwrite: bool = False) -> Project:
    """The project of ``video`` in ``folder``: a new one or the existing one, with ``settings`` if given.

    Raises BadInput if the video is unusable, or if the folder has another video's project and ``overwrite`` is not set.
    """
    info = probe(video)
    _check_choices(info, settings or Settings())
    if projects.exists(folder):
        there = projects.load(folder, settings)
        known = there.state().get("video")
        if known and has_fingerprint(video, known):
            there.mark("video", fingerprint(video))
            name = projects.relative_video(folder, video)
            return replace(there, video=name, settings=settings or there.settings).save()
        # A folder without a fingerprint and a timeline is of a run that was killed between create() and mark(): it
        # holds no work, so it is taken over without --overwrite.
        was_begun = known is not None or there.timeline is not None
        if was_begun and not overwrite:
            raise BadInput(f"{folder} is the project of another video; name another with --project, or use --overwrite")
        _clear(folder)
    new = projects.create(folder, video, info.duration, settings or Settings())
    new.mark("video", fingerprint(video))
    return new


def analyze(project: Project, listen: Listener = unheard) -> Project:
    """From the video to the emotion timeline. Finished steps are not repeated; the creator's segments stay."""
    project = projects.with_video(project)
    with project.locked():
        return analysis.analyze(project, Stages(analysis.costs(project), listen, in_seconds=True))


def read_emotions(project: Project, listen: Listener = unheard) -> Project:
    """Classify the utterances without scores (their text was edited) and smooth again."""
    with project.locked():
        return analysis.read_emotions(project, Stages(analysis.costs(project), listen, in_seconds=True))


def edit(
    project: Project,
    timeline: Timeline,
    words: Callable[[tuple[Utterance, ...]], tuple[Utterance, ...]] | None = None,
    wishes: Callable[[Settings], Settings] | None = None,
) -> Project:
    """Replace the project's timeline by an edited one. Takes made since are kept (undo loses none).

    ``words`` maps the transcript's current lines to new ones, ``wishes`` the settings, if those change too.
    """

    def change(p: Project) -> Project:
        lines = words(p.utterances) if words else p.utterances
        settings = wishes(p.settings) if wishes else p.settings
        # Takes that were made since this revision was remembered are in no undo step: with_takes_of() carries them
        # over, or an undo would orphan files that cost minutes.
        return replace(p, timeline=takes.with_takes_of(p.segments, timeline), utterances=lines, settings=settings)

    return projects.update(project, change)


def split(project: Project, timeline: Timeline, segment_id: str, time: float) -> Timeline:
    """``timeline`` with a segment split; both parts keep the current music until they are recomposed."""
    return _going_on(project, timeline, timeline.split(segment_id, time), {timeline.free_id()})


def insert(project: Project, timeline: Timeline, start: float, end: float, emotion: Emotion) -> Timeline:
    """``timeline`` with a new segment over [start, end]; on both sides of it the current music goes on until it is
    recomposed."""
    after = timeline.insert(start, end, emotion)
    known = {segment.id for segment in timeline.segments}
    return _going_on(project, timeline, after, {s.id for s in after.segments} - known - {timeline.free_id()})


def _going_on(project: Project, before: Timeline, after: Timeline, later: Collection[str]) -> Timeline:
    """``after`` with music for the ``later`` parts of segments that were cut in two."""
    for segment_id in later:
        part = after[segment_id]
        rest = takes.go_on_after(project, before.at(part.start), part)
        if rest is not None:
            after = takes.with_take(after, part.id, rest).update(part.id, chosen=rest.id)
    return after


def choose(project: Project, timeline: Timeline, segment_id: str, take_id: str) -> Timeline:
    """``timeline`` with the take that the creator wants to hear in a segment. It counts as current, whatever it was
    made from, until the segment's inputs change."""
    # Staleness is judged against the inputs at the moment of the choice: the creator heard this take and wants it as it
    # is, even if it was made for another prompt or seed.
    now, music = replace(project, timeline=timeline), _last_music(project)
    inputs = takes.inputs(now, piece_of(now), timeline[segment_id], music) if music else None
    return timeline.update(segment_id, chosen=take_id, chosen_for=inputs, source="user")


def add_own_audio(project: Project, segment_id: str, file: Path) -> Project:
    """Use the creator's own audio file for a segment; it becomes a take of the engine ``file``."""
    from bgm.media.decode import decode

    segment = _segment(project, segment_id)
    info = probe(file)
    if info.audio is None:
        raise BadInput(f"{file.name} has no sound")
    identity = digest(takes.OWN_FILE, fingerprint(file))
    take = Take(identity, takes.OWN_FILE, 0, f"takes/{segment.id}-{identity}.flac")
    with beside(project.take_path(take)) as part:
        decode(info, part, silent)
    timeline = takes.with_take(_analyzed(project), segment.id, take)
    return edit(project, timeline.update(segment.id, chosen=identity, source="user"))


def composer(project: Project) -> Choice:
    """The engine that would compose the project's music now. Raises EngineUnavailable if none can run."""
    return analysis.choose(project, Stage.MUSIC, project.settings.music, _music_options(project))


def next_composer(project: Project) -> type[Composer] | None:
    """The engine that the settings name, else the one last used; None if neither is known."""
    used, named = project.engines.get(Stage.MUSIC), project.settings.music
    name = named if named != "auto" else used.name if used else None
    try:
        return engines.composer_class(name) if name else None
    except BadInput:  # reported when composing
        return None


def compose(
    project: Project,
    listen: Listener = unheard,
    segments: Collection[str] | None = None,
    *,
    another: bool = False,
) -> Project:
    """Make the missing takes for the segments' current inputs, of all segments or the named ones.

    Locked and silent segments are never touched. ``another`` makes one more take of each named segment and selects it.
    The project is saved after every take.
    """
    wanted = {_segment(project, s).id for s in segments} if segments is not None else None
    with project.locked():
        choice = composer(project)
        music = Music.of(choice, analysis.activity(project))
        # The order matters: the engine is remembered first, since stale() compares with the engine that composed last;
        # then existing takes are adopted, so that an undo costs no composing; only what is still lacking is made.
        project = projects.update(project, lambda p: takes.adopt(analysis.remember(p, choice), music))
        todo = takes.missing(project, music, wanted, another=another)
        quick = engines.composer_class(choice.name).is_quick
        stages = Stages(
            {"music": usual_cost(MUSIC_COST, sum(order.cue.frames for order in todo) / audio.SAMPLE_RATE)},
            listen,
            in_seconds=quick,
        )
        project, notes = takes.compose(project, music, todo, stages.begin("music"), choose=another)
        if todo:
            project = projects.update(project, lambda p: analysis.noted(p, "compose", notes))
        project = projects.update(project, partial(_with_words_noted, choice=choice))
        stages.finish("music")
        return project


def _with_words_noted(project: Project, choice: Choice) -> Project:
    """Note which of the creator's words had no effect. They are private, so they are not logged."""
    others = tuple(note for note in project.notes.get("compose", ()) if not note.startswith(WORDS))
    if engines.composer_class(choice.name).reads_sentences:
        return project.noted("compose", others)
    played = [segment for segment in project.segments if not segment.silent and not segment.locked]
    whole = tuple(f"words of the whole video: {note}" for note in direction.notes(project.settings.words))
    words = tuple(f"words of segment {s.id}: {note}" for s in played for note in direction.notes(s.prompt))
    return project.noted("compose", (*others, *whole, *words))


def unread(project: Project) -> bool:
    """Whether a line has to be classified again because its text was edited."""
    return any(u.scores is None and u.english for u in project.utterances)


def stale(project: Project) -> tuple[str, ...]:
    """The segments whose selected take is missing, or was neither made nor chosen by hand for their current inputs, in
    order."""
    music = _last_music(project)
    if music is None:
        return tuple(s.id for s in project.segments if not (s.silent or s.locked))
    piece = piece_of(project)
    return tuple(s.id for s in project.segments if takes.is_stale(project, piece, s, music))


def _last_music(project: Project) -> Music | None:
    """The engine that composed last, with the project's current settings; None if none did."""
    used = project.engines.get(Stage.MUSIC)
    if used is None:
        return None
    name, _, model = used.name.partition(":")
    options = replace(_music_options(project), model=model or None)
    return Music.of(Choice.of(engines.spec(Stage.MUSIC, name), used.reason, options), analysis.activity(project))


def render(project: Project, out: Path, listen: Listener = unheard, *, overwrite: bool = False) -> Rendered:
    """Mix the selected takes under the voice and mux the result with the video's unchanged picture."""
    project = projects.with_video(project)
    info = soundtrack.used(project, probe(project.video_path))
    check_output(info, out, overwrite, keep_original=project.settings.keep_original)
    with project.locked():
        stages = Stages(
            {"mix": usual_cost(MIX_COST, project.duration), "remux": usual_cost(REMUX_COST, project.duration)},
            listen,
            in_seconds=True,
        )
        # Before the mix, which takes longest: what a killed run left of the output must not fill the disk meanwhile.
        sweep_target(out)
        project, report = _mix(project, stages)
        progress = stages.begin("remux")
        if info.has_video:
            with _transcript(project) as subtitles:
                options = RemuxOptions(project.settings.keep_original, subtitles, project.language)
                written = remux(info, project.master, out, options, progress)
        else:
            written = encode_audio(project.master, out, info, progress)
        project = projects.update(project, lambda p: analysis.noted(p, "render", written.notes))
        project = projects.update(project, lambda p: analysis.noted(p, "kept", written.kept))
        stages.finish("remux")
    return Rendered(project, out, report.lufs, report.true_peak_db, report.under_speech_lu)


def make(
    project: Project,
    out: Path,
    listen: Listener = unheard,
    *,
    overwrite: bool = False,
    saved: Callable[[], object] = lambda: None,
) -> Rendered:
    """Analyze, compose and render as one call; ``saved`` is called after each saved step."""
    # One estimate for all three calls: each call's own would start anew at its first step.
    whole = Remaining()
    project = analyze(project, over(listen, 0.0, 0.7, whole))
    saved()
    project = compose(project, over(listen, 0.7, 0.85, whole))
    saved()
    return render(project, out, over(listen, 0.85, 1.0, whole), overwrite=overwrite)


@contextmanager
def _transcript(project: Project) -> Iterator[Path | None]:
    """The .srt that becomes the video's subtitle track; None if none is wanted or nothing is said."""
    if not (project.settings.subtitle_track and project.utterances):
        yield None
        return
    with scratch(project.voice.with_suffix(".srt")) as file:
        file.write_text(to_srt(project.utterances), encoding="utf-8")
        yield file


def mix_preview(project: Project, listen: Listener = unheard) -> Path:
    """The final mix alone, without the remux: the project's master stem."""
    with project.locked():
        _mix(project, Stages({"mix": usual_cost(MIX_COST, project.duration)}, listen, in_seconds=True))
    return project.master


def _mix(project: Project, stages: Stages) -> tuple[Project, MixReport]:
    from bgm.mix.master import mix

    report = mix(_plan(project), project.bgm, project.master, stages.begin("mix"))
    project = projects.update(project, lambda p: analysis.noted(p, "mix", report.notes))
    stages.finish("mix")
    return project, report


def _plan(project: Project) -> MixPlan:
    s = project.settings
    return MixPlan(
        frames=audio.frames_of(project.duration),
        placements=tuple(_placement(project, segment) for segment in _analyzed(project).segments),
        voice=project.voice if project.voice.is_file() else None,
        speech=analysis.activity(project).speech,
        settings=MixSettings(lufs=s.lufs, duck=s.duck, depth_db=s.duck_depth_db),
    )


def _placement(project: Project, segment: Segment) -> Placement:
    start, end = audio.frames_of(segment.start), audio.frames_of(segment.end)
    take = None if segment.silent else segment.chosen_take
    if take is None and not segment.silent:
        log.warning("segment %s has no music yet: it stays silent", segment.id)
    fades = (min(audio.frames_of(seconds), end - start) for seconds in (segment.fade_in, segment.fade_out))
    return Placement(start, end - start, _existing(project, take) if take else None, segment.gain_db, *fades)


def _existing(project: Project, take: Take) -> Path:
    path = project.take_path(take)
    if not path.is_file():
        raise BadInput(f"the take {take.file} is missing from {project.folder}; run compose again")
    return path


def _check_choices(info: MediaInfo, settings: Settings) -> None:
    """What was named and isn't there is said so before any work, and before it is written into the project."""
    from bgm.speech import language, subtitles

    if info.sounds:
        soundtrack.used_of(info, settings.audio_track)
    if settings.subtitles is not None:
        subtitles.find(info.path, settings.subtitles)
    language.check(settings.language)
    _check_named_engines(settings)


def _check_named_engines(settings: Settings) -> None:
    """Those of a transcript by subtitles are looked for by the analysis."""
    named = {Stage.SEPARATE: settings.separator, Stage.CLASSIFY: settings.classifier, Stage.MUSIC: settings.music}
    if settings.transcriber != "subtitles":
        named[Stage.TRANSCRIBE] = settings.transcriber
    for stage, wanted in named.items():
        # Only named engines: "auto" always finds one, and asking each costs up to 5 s.
        if wanted != "auto":
            engines.choose(stage, wanted, engines.EngineOptions(offline=settings.offline, device=settings.device))


def _music_options(project: Project) -> engines.EngineOptions:
    return analysis.options(project, lora=project.settings.lora)


def _segment(project: Project, segment_id: str) -> Segment:
    try:
        return _analyzed(project)[segment_id]
    except KeyError as error:
        known = ", ".join(s.id for s in project.segments)
        raise BadInput(f"there is no segment {segment_id}; there are {known}") from error


def _analyzed(project: Project) -> Timeline:
    if project.timeline is None:
        raise BadInput(f"{project.folder} was not analyzed yet; run analyze first")
    return project.timeline


def _clear(folder: Path) -> None:
    """Forget a project: only what the studio itself put there."""
    for name in ("media", "stems", "takes"):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
    write_text(folder / "state.json", "{}")
