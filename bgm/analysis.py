"""The steps from a video to its emotion timeline. Each runs only if its inputs have changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bgm import engines, soundtrack
from bgm import project as projects
from bgm.digest import digest, fingerprint, seed_of
from bgm.engines import Choice, EngineOptions, Stage
from bgm.errors import BadInput, EngineUnavailable
from bgm.files import beside
from bgm.media import audio
from bgm.media.probe import MediaInfo, probe
from bgm.progress import Progress, Stages, part, usual_cost
from bgm.project import LANGUAGE_UNKNOWN, EngineUse, Noted, Project
from bgm.takes import Activity, Reading
from bgm.timeline import MIN_LENGTH, Segment, Timeline, Utterance, overlay

if TYPE_CHECKING:
    from bgm.speech.words import Recording, Spans, Transcript

log = logging.getLogger("bgm")

CANCELLING = (
    "Left and right cancel each other out in parts of the sound: speech is looked for in the channel that has it, and "
    "the sound is not changed, but a device with one loudspeaker can't play all of it."
)
COSTS = {
    "decode": (0.25, 0.007),
    "separate": (0.8, 0.06),
    "cuts": (0.05, 0.0005),
    "transcribe": (0.4, 0.055),
    "classify": (0.1, 0.0015),
    "timeline": (0.05, 0.0),
}
"""Seconds that each stage usually takes on two processor cores: at all, and for each second of video (``python -m
benchmarks.remaining``). Used only for the progress and the remaining time."""
_PER_REGION, _PER_SPEECH = 0.1, 0.045
"""Of speech recognition, better: for each speech region, and for each second of them."""
_SUBTITLES_COST = 0.3
LOUD_BACKGROUND_DB = 1.0
"""Level of the music relative to the speech. Whisper base, 384 words of real speech, word error rate in the mix / in
the separated voice: music 5 dB below 0.055 / 0.065, equally loud 0.084 / 0.091, 3 dB above 0.151 / 0.136, 6 dB above
0.245 / 0.248."""


def analyze(project: Project, stages: Stages) -> Project:
    """Decode, separate the voice, find speech and cuts, transcribe, classify the emotions, smooth them into a
    timeline."""
    info = probe(project.video_path)
    titled = _beside(project) is not None
    if titled:
        stages.expect("transcribe", _SUBTITLES_COST)
    project = noted(_lasting(project, info.duration), "source", info.notes)
    for step in (_decode, partial(_separate, titled=titled), _find_cuts):
        project = step(project, info, stages)
    project = _transcribe(project, info, stages)
    return read_emotions(project, stages)


def costs(project: Project) -> dict[str, float]:
    """Seconds that each stage usually takes for this video."""
    return {stage: usual_cost(rate, project.duration) for stage, rate in COSTS.items()}


def _beside(project: Project) -> Path | None:
    """Subtitles that are there before the analysis; a text track in the video needs its speech to be judged."""
    from bgm.speech.subtitles import find

    return find(project.video_path, project.settings.subtitles, lambda video: False)


def _lasting(project: Project, duration: float) -> Project:
    """Extend a timeline from an early version, which covered only the picture, to the duration of picture and sound."""
    if project.timeline is None or duration == project.duration:
        return replace(project, duration=duration)
    *others, last = project.segments
    if duration - last.start < MIN_LENGTH:
        return project
    return replace(project, duration=duration, timeline=Timeline(duration, (*others, replace(last, end=duration))))


def read_emotions(project: Project, stages: Stages) -> Project:
    """Classify the utterances without scores, then smooth them all; the creator's segments stay."""
    return _segment(_classify(project, stages), stages)


def activity(project: Project) -> Activity:
    """Where the voice speaks and the picture cuts, as the analysis found."""
    found = Activity.load(project.activity)
    return found if project.settings.cuts else replace(found, cuts=())


def options(project: Project, **more: Any) -> EngineOptions:
    """The engine options that follow from the project's settings."""
    s = project.settings
    return EngineOptions(offline=s.offline, device=s.device, **more)


def choose(project: Project, stage: Stage, wanted: str, chosen_options: EngineOptions) -> Choice:
    """Like :func:`bgm.engines.choose`, but a project keeps its first engine for as long as that can run."""
    used = project.engines.get(stage)
    if wanted == "auto" and used and used.name != "none" and stage != Stage.TRANSCRIBE:
        name, _, model = used.name.partition(":")
        kept = replace(chosen_options, model=model or None)
        known = engines.spec(stage, name)
        if known.load_class().missing(kept) is None:
            return Choice.of(known, used.reason, kept)
    return engines.choose(stage, wanted, chosen_options)


def remember(project: Project, choice: Choice) -> Project:
    """Record the engine and the reason in the project, and log them."""
    return _remember(project, choice.stage, choice.label, choice.reason)


def _remember(project: Project, stage: str, name: str, reason: str) -> Project:
    use = EngineUse(name, reason)
    if project.engines.get(stage) != use:
        log.info("%s: %s (%s)", stage, name, reason)
    return replace(project, engines={**project.engines, stage: use})


def _decode(project: Project, info: MediaInfo, stages: Stages) -> Project:
    if info.audio is None:
        stages.skip("decode")
        log.info("the video has no sound: the music will have it to itself")
        return project
    wanted = project.settings.audio_track
    key = digest("audio", fingerprint(project.video_path), info.origin, info.duration, wanted)

    def work() -> Project:
        with beside(project.audio) as part:
            heard = soundtrack.hear(info, wanted, part, stages.begin("decode"))
        soundtrack.remember(project, info, heard.used)
        notes = heard.notes
        return noted(project, "decode", (*notes, CANCELLING) if audio.cancels(project.audio) else notes)

    return _once(project, stages, _Step("decode", key, (project.audio,)), work)


def _separate(project: Project, info: MediaInfo, stages: Stages, *, titled: bool) -> Project:
    if info.audio is None:
        stages.skip("separate")
        return _remember(project, Stage.SEPARATE, "none", "the video has no sound")
    key = digest("voice", _state(project, "decode"), project.settings.separator)

    def work() -> Project:
        from bgm.speech.activity import speech_spans

        choice = choose(project, Stage.SEPARATE, project.settings.separator, options(project))
        progress = stages.begin("separate")

        def listen(sound: Path, told: Progress) -> Spans:
            spans = speech_spans(sound, told)
            if not titled:
                stages.expect("transcribe", _PER_REGION * len(spans) + _PER_SPEECH * sum(b - a for a, b in spans))
            return spans

        with beside(project.voice) as part:
            result = engines.separator(choice).separate(project.audio, part, listen, progress)
        Activity(result.speech, background=result.levels).save(project.activity)
        project.mark("cuts", "")  # cuts are stored in the same file
        return remember(noted(project, "separate", result.notes), choice)

    return _once(project, stages, _Step("separate", key, (project.voice, project.activity)), work)


def _find_cuts(project: Project, info: MediaInfo, stages: Stages) -> Project:
    wanted = project.settings.cuts and info.has_video
    key = digest("cuts", fingerprint(project.video_path), wanted)

    def work() -> None:
        from bgm.media.picture import picture_cuts

        progress = stages.begin("cuts")
        cuts = picture_cuts(info, progress) if wanted else ()
        replace(Activity.load(project.activity), cuts=cuts).save(project.activity)

    return _once(project, stages, _Step("cuts", key, (project.activity,)), work)


def _transcribe(project: Project, info: MediaInfo, stages: Stages) -> Project:
    from bgm.speech.subtitles import find, has_text_track

    settings = project.settings
    speech = activity(project).speech
    subtitles = find(project.video_path, settings.subtitles, partial(has_text_track, speech=speech))
    given = fingerprint(subtitles) if subtitles else None
    recognition = settings.transcriber, settings.language, settings.initial_prompt
    key = digest("words", _state(project, "separate"), *recognition, given)

    def work() -> Project:
        from bgm.speech import words
        from bgm.speech.words import Recording

        if subtitles:
            stages.expect("transcribe", _SUBTITLES_COST)
        if subtitles is None and not speech:
            return _without_speech(project, stages)
        wanted = options(project, subtitles=subtitles, language=settings.language, prompt=settings.initial_prompt)
        sound = _clearest(project) if info.audio else None
        recording = Recording(sound, speech, project.duration, partial(_show, project))
        progress = stages.begin("transcribe")
        try:
            choice = choose(project, Stage.TRANSCRIBE, settings.transcriber, wanted)
        except EngineUnavailable as error:
            if settings.transcriber != "auto":
                raise
            return _without_words(project, f"{error}: bring subtitles to have the words")
        transcript = engines.transcriber(choice).transcribe(recording, part(progress, 0.0, 0.5 if subtitles else 1.0))
        if subtitles:
            transcript = _in_english(project, transcript, recording, part(progress, 0.5, 1.0))
        words.save(project.words, transcript.words or words.spread(transcript.utterances))
        notes = (*transcript.notes, *_unread(transcript.utterances))
        done = replace(project, language=transcript.language, utterances=transcript.utterances)
        return remember(noted(done, "transcribe", notes), choice)

    return _once(project, stages, _Step("transcribe", key), work)


def _clearest(project: Project) -> Path:
    """The best input for speech recognition: the mix, unless its music is louder than the speech."""
    levels = [level for _, level in activity(project).background]
    return project.voice if levels and median(levels) > LOUD_BACKGROUND_DB else project.audio


def _show(project: Project, heard: tuple[Utterance, ...]) -> None:
    """Save what has been transcribed so far, if there is no timeline yet; this does not finish the step."""
    if project.timeline is None:
        projects.update(project, lambda now: replace(now, utterances=heard))


def _in_english(project: Project, transcript: Transcript, recording: Recording, progress: Progress) -> Transcript:
    """Translate foreign subtitles from the audio, if an engine that can translate speech runs here."""
    if recording.audio is None or all(u.english for u in transcript.utterances):
        return transcript
    try:
        choice = engines.choose(Stage.TRANSCRIBE, "auto", options(project, language=project.settings.language))
    except EngineUnavailable as error:
        return replace(transcript, notes=(*transcript.notes, str(error)))
    told = engines.translator(choice).translate(recording, transcript.utterances, progress)
    return replace(transcript, utterances=told, notes=(*transcript.notes, f"Their English is heard by {choice.name}."))


def _unread(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """The lines without a translation, by number: the log must not contain what was said."""
    lines = [number for number, u in enumerate(utterances, 1) if not u.english]
    if not lines:
        return ()
    runs = [list(run) for _, run in groupby(enumerate(lines), key=lambda pair: pair[1] - pair[0])]
    named = ", ".join(f"{run[0][1]} to {run[-1][1]}" if len(run) > 1 else f"{run[0][1]}" for run in runs)
    return (f"There is no English for these lines, so their emotion is not read: {named}. Type it in the transcript.",)


def _without_speech(project: Project, stages: Stages) -> Project:
    stages.begin("transcribe")
    log.info("no speech was found: the whole video is one neutral segment")
    done = noted(replace(project, language=LANGUAGE_UNKNOWN, utterances=()), "transcribe", ())
    return _remember(done, Stage.TRANSCRIBE, "none", "no speech was found")


def _without_words(project: Project, why: str) -> Project:
    done = noted(replace(project, language=LANGUAGE_UNKNOWN, utterances=()), "transcribe", (why,))
    return _remember(done, Stage.TRANSCRIBE, "none", why)


def _classify(project: Project, stages: Stages) -> Project:
    key = digest("scores", _state(project, "transcribe"), project.settings.classifier)
    changed = project.state().get("classify") != key
    if changed:
        Reading.forget(project)
    readable = [i for i, u in enumerate(project.utterances) if u.english]
    todo = [i for i in readable if changed or project.utterances[i].scores is None]
    if not todo:
        stages.skip("classify")
        if changed:
            project.mark("classify", key)
        return project

    choice = choose(project, Stage.CLASSIFY, project.settings.classifier, options(project))
    texts = [project.utterances[i].english for i in todo]
    read = engines.classifier(choice).classify(texts, stages.begin("classify"))
    scores = {(i, project.utterances[i].english): found for i, found in zip(todo, read, strict=True)}

    def arrive(now: Project) -> Project:
        """Leave a line without scores if it was edited meanwhile."""
        lines = enumerate(now.utterances)
        scored = tuple(replace(u, scores=scores.get((i, u.english), u.scores)) for i, u in lines)
        return remember(replace(now, utterances=scored), choice)

    return _finished(projects.update(project, arrive), stages, _Step("classify", key))


def _segment(project: Project, stages: Stages) -> Project:
    settings = project.settings
    words = [(u.start, u.end, u.text, dict(u.scores or {})) for u in project.utterances]
    step = _Step("timeline", digest("timeline", words, settings.min_segment, settings.seed, project.duration))
    if project.timeline is not None and step.is_done(project):
        stages.skip(step.name)
        return project

    def arrive(now: Project) -> Project:
        """Lay the creator's current segments on top, including edits made meanwhile."""
        from bgm.emotion.smoothing import segment, settled

        said, old = now.utterances, now.segments
        noted = Reading.noted(now)
        fresh = segment(said, now.duration, settings.min_segment, now.reader, noted.pace if noted else None)
        return replace(now, timeline=_with_decisions(settled(fresh, old, said), old, settings.seed))

    stages.begin(step.name)
    return _finished(projects.update(project, arrive), stages, step)


def _with_decisions(fresh: Timeline, old: tuple[Segment, ...], seed: int | str) -> Timeline:
    """The new timeline with the creator's segments on top; segments that are what they were keep their music."""
    decided = [s for s in old if s.source == "user" or s.locked]
    same = {(n.start, n.end): n for n in fresh.segments}
    unmoved = [(s, same[s.start, s.end]) for s in old if s not in decided and (s.start, s.end) in same]
    # With the confidence and the seed for which its music was made: other words that say the same are no other music.
    stay = [s if s.emotion == n.emotion else replace(s, emotion=n.emotion, confidence=n.confidence) for s, n in unmoved]
    kept = {s.id: s for s in sorted([*decided, *stay], key=lambda s: s.start)}
    # The id of a segment that is gone names its takes, which come back with it when the change is undone.
    laid = overlay(fresh, tuple(kept.values()), [s for s in old if s.takes])
    parts = (s if s.id in kept else replace(s, seed=seed_of(seed, s.id)) for s in laid.segments)
    return replace(laid, segments=tuple(parts))


@dataclass(frozen=True, slots=True)
class _Step:
    """A step of the analysis: the digest of its inputs (``key``) and its output files."""

    name: str
    key: str
    products: tuple[Path, ...] = ()

    def is_done(self, project: Project) -> bool:
        return project.state().get(self.name) == self.key and all(_whole(project, path) for path in self.products)


def _once(project: Project, stages: Stages, step: _Step, work: Callable[[], Project | None]) -> Project:
    """Run ``work`` unless this step is already done for its inputs and its outputs are intact."""
    if step.is_done(project):
        stages.skip(step.name)
        return project
    return _finished((work() or project).save(), stages, step)


def _finished(project: Project, stages: Stages, step: _Step) -> Project:
    project.mark(step.name, step.key)
    stages.finish(step.name)
    return project


def _whole(project: Project, product: Path) -> bool:
    if product != project.activity:
        return audio.is_ours(product, audio.frames_of(project.duration))
    try:
        Activity.load(product)
    except BadInput:
        return False
    return product.is_file()


def _state(project: Project, step: str) -> str:
    return project.state().get(step, "")


def noted(project: Project, step: Noted, notes: tuple[str, ...]) -> Project:
    """Store a step's notes in the project, and log them."""
    for note in notes:
        log.info("%s", note)
    return project.noted(step, notes)
