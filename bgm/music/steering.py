"""What the creator's own words ask of the composer: a small vocabulary, English and Korean."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bgm.music.composer.ensembles import Ensemble
from bgm.music.composer.moods import Character
from bgm.music.score import Role
from bgm.timeline import Emotion

_INSTRUMENTS: tuple[tuple[str, tuple[Role, ...], int], ...] = (
    (r"electric piano|rhodes|일렉트릭 피아노", (Role.COMP, Role.LEAD), 4),
    (r"piano|피아노", (Role.COMP, Role.LEAD), 0),
    (r"acoustic guitar|guitar|기타", (Role.COMP, Role.LEAD), 24),
    (r"marimba|마림바", (Role.ARP,), 12),
    (r"harp|하프", (Role.ARP,), 46),
    (r"music box|오르골", (Role.ARP,), 10),
    (r"kalimba|칼림바", (Role.ARP,), 108),
    (r"pizzicato|피치카토", (Role.COMP,), 45),
    (r"strings?|orchestra|현악|스트링|오케스트라", (Role.PAD, Role.COUNTER), 48),
    (r"choir|합창", (Role.PAD,), 52),
    (r"synth|pad|신스|신디", (Role.PAD,), 89),
    (r"violin|바이올린", (Role.LEAD,), 40),
    (r"cello|첼로", (Role.LEAD,), 42),
    (r"flute|플루트|플룻", (Role.LEAD,), 73),
    (r"clarinet|클라리넷", (Role.LEAD,), 71),
    (r"oboe|오보에", (Role.LEAD,), 68),
    (r"trumpet|트럼펫", (Role.LEAD,), 56),
    (r"horn|호른", (Role.LEAD,), 60),
    (r"brass|브라스|금관", (Role.LEAD,), 61),
    (r"vibraphone|비브라폰", (Role.LEAD,), 11),
    (r"bells?|glockenspiel|종소리|글로켄슈필", (Role.LEAD,), 9),
)
"""Words, the roles that the instrument takes, its General MIDI program. The first words that match claim their text."""
_SILENCED: tuple[tuple[str, tuple[Role, ...]], ...] = (
    (r"drums?|percussion|beats?|드럼|타악기|비트", (Role.DRUMS, Role.BOOM)),
    (r"bass|베이스", (Role.BASS,)),
    (r"melody|lead|멜로디", (Role.LEAD, Role.COUNTER)),
    (r"strings?|pads?|현악|스트링|패드", (Role.PAD,)),
)
_NO = r"(?:no|without|remove)\s+(?:any\s+)?(?:the\s+)?"
_NO_AFTER = r"\s*(?:은|는|이|가|을|를)?\s*(?:없이|없는|빼고|제외)"
_MOODS: tuple[tuple[str, Emotion], ...] = (
    (r"happy|joyful|cheerful|upbeat|행복|즐거|기쁜|신나|경쾌", Emotion.JOY),
    (r"sad|melancholic|melancholy|sorrowful|슬픈|슬프|우울|애절", Emotion.SADNESS),
    (r"angry|aggressive|furious|화난|분노|격렬", Emotion.ANGER),
    (r"scary|tense|suspense(?:ful)?|eerie|무서|긴장|공포|불안", Emotion.FEAR),
    (r"playful surprise|surprising|wonder|놀라|신기", Emotion.SURPRISE),
    (r"disgusting|grotesque|sneaky|역겨|기괴", Emotion.DISGUST),
    (r"neutral|plain|담담|중립", Emotion.NEUTRAL),
)

_LEANS: dict[str, tuple[str, str]] = {
    "tempo": (r"slow(?:ly|er)?|느린|느리게|천천히", r"fast(?:er)?|quick|빠른|빠르게"),
    "density": (r"minimal|sparse|simple|calm|잔잔|차분|미니멀|단순", r"busy|energetic|활기|에너지"),
    "loudness": (r"soft|gentle|calm|quiet|부드러|잔잔|차분|조용", r"loud|energetic|epic|강렬|웅장"),
    "register": (r"dark|deep|low|어두|낮은", r"bright|high|밝은|높은"),
}
"""Words for less and for more of it."""
_SOLO = r"solo|독주|솔로"
_TEMPO = {-1: 0.75, 0: 1.0, 1: 4 / 3}
"""Tempo for slow, unsaid and fast, as a multiple."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for; the empty wishes change nothing."""

    instruments: tuple[tuple[Role, int], ...] = ()
    silenced: tuple[Role, ...] = ()
    tempo: float = 1.0
    density: float = 0.0
    loudness: float = 0.0
    register: float = 0.0
    emotion: Emotion | None = None
    solo: bool = False

    def applied(self, mood: Character) -> Character:
        """The mood's character, faster, busier, louder or higher as wished."""
        return replace(
            mood,
            pulse=mood.pulse * self.tempo,
            density=_unit(mood.density + self.density),
            loudness=_unit(mood.loudness + self.loudness),
            register=mood.register + self.register,
        )

    def cast(self, ensemble: Ensemble) -> Ensemble:
        """The ensemble with the wished instruments, and without the unwished."""
        for role, program in self.instruments:
            ensemble = ensemble.having(role, program)
        if self.solo and self.instruments:
            program = self.instruments[0][1]
            ensemble = Ensemble({Role.LEAD: program, Role.COMP: program, Role.ARP: program}, drums=False)
        return ensemble.without(*self.silenced)


def wishes(prompt: str) -> Wishes:
    """Read a prompt. Words: instruments, ``no drums`` (bass, melody, strings), solo, slow/fast, calm/energetic,
    minimal/busy, soft/loud, dark/bright, and the moods themselves; the rest is left to engines that read freely.
    """
    text = prompt.lower()
    silenced: list[Role] = []
    for words, roles in _SILENCED:
        refusal = _refusal(words)
        if re.search(refusal, text):
            silenced += roles
            text = re.sub(refusal, " ", text)
    return Wishes(
        instruments=_instruments(text),
        silenced=tuple(silenced),
        tempo=_TEMPO[_lean(text, *_LEANS["tempo"])],
        density=0.25 * _lean(text, *_LEANS["density"]),
        loudness=0.15 * _lean(text, *_LEANS["loudness"]),
        register=7.0 * _lean(text, *_LEANS["register"]),
        emotion=next((emotion for words, emotion in _MOODS if _has(text, words)), None),
        solo=_has(text, _SOLO),
    )


def understood(prompt: str) -> tuple[str, ...]:
    """The words of a prompt that :func:`wishes` acts on, as they stand in it and in its order."""
    leans = [words for pair in _LEANS.values() for words in pair]
    known = [_word(words) for words in (*(i[0] for i in _INSTRUMENTS), *leans, *(m[0] for m in _MOODS), _SOLO)]
    spans = [m.span() for p in (*(_refusal(s[0]) for s in _SILENCED), *known) for m in re.finditer(p, prompt, re.I)]
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not found or start >= found[-1][1]:  # what lies in a longer one is said with it
            found.append((start, end))
    return tuple(prompt[start:end] for start, end in found)


def _refusal(words: str) -> str:
    return rf"{_NO}(?:{words})|(?:{words}){_NO_AFTER}"


def _instruments(text: str) -> tuple[tuple[Role, int], ...]:
    found: list[tuple[Role, int]] = []
    for words, roles, program in _INSTRUMENTS:
        text, count = re.subn(_word(words), " ", text)
        if count:
            found += [(role, program) for role in roles]
    return tuple(found)


def _lean(text: str, less: str, more: str) -> int:
    """-1 if the words for less occur, 1 for those of more, 0 for neither or both."""
    return int(_has(text, more)) - int(_has(text, less))


def _has(text: str, words: str) -> bool:
    return re.search(_word(words), text) is not None


def _word(words: str) -> str:
    """English words stand alone; Korean ones carry endings, so only their beginning is looked at."""
    return rf"(?<![a-z])(?:{words})(?![a-z])"


def _unit(value: float) -> float:
    return min(1.0, max(0.05, value))
