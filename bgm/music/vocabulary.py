"""The words that a creator may direct the music with, in English and Korean, and what each of them means.

One row for one meaning: ``english``, ``korean``, :class:`Word`. Alternatives are parted by ``|``; a space also stands
for a hyphen or nothing ("lo fi" reads lo-fi and lofi). English nouns are read in the plural too; a Korean word is the
stem that its endings follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bgm.music.composer.moods import MOODS
from bgm.music.score import Role
from bgm.timeline import Emotion, Style

Mode = Literal["major", "minor"]
Meter = tuple[int, int]
"""Beats in a bar and the note value of a beat, as it is written: (3, 4)."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a word asks for. Leans are 1 for "more", -1 for "less"; what a word doesn't speak of is empty."""

    style: Style | None = None
    usual: bool = False
    """Style, bpm and meter are only what usually goes with the word: others that are named come first."""
    bpm: int | None = None
    meter: Meter | None = None
    mode: Mode | None = None
    tempo: float = 0.0
    density: float = 0.0
    loudness: float = 0.0
    register: float = 0.0
    intensity: float = 0.0
    emotion: Emotion | None = None
    program: int | None = None
    """General MIDI program, from 0."""
    roles: tuple[Role, ...] = ()
    """The roles that the instrument would rather play, the dearest first; for a section those that it is."""
    family: tuple[int, ...] = ()
    """The programs that a refusal means; for an instrument without, its own."""
    keys: tuple[int, ...] = ()
    """General MIDI percussion keys of a drum."""
    stands_for: str = ""
    """Set where the instrument is not among ours and another plays it: its name."""
    solo: bool = False
    build_up: bool = False
    soft_ending: bool | None = None
    voice: bool = False
    """Singing: it can be refused (there never is any), not had."""

    @property
    def is_noun(self) -> bool:
        """Instruments, sections, drums and singing: what "no" refuses."""
        return self.program is not None or bool(self.roles) or bool(self.keys) or self.voice


Row = tuple[str, str, Word]
_MELODY = (Role.LEAD, Role.COUNTER)
_KEYS = (Role.COMP, Role.LEAD)
_GUITARS = tuple(range(24, 32))
_BRASS = tuple(range(56, 64))
_STRINGS = (40, 41, 42, 44, 48, 49, 50, 51)
_SYNTHS = (38, 39, 50, 51, 62, 63, *range(80, 104))
_RHYTHM = (Role.DRUMS, Role.BOOM)

INSTRUMENTS: tuple[Row, ...] = (
    ("piano|pianos|grand piano|keys", "피아노|그랜드 피아노", Word(program=0, roles=_KEYS, family=(0, 1, 2, 3))),
    ("felt piano", "", Word(program=0, roles=_KEYS, family=(0, 1, 2, 3), loudness=-1)),
    (
        "electric piano|rhodes|wurlitzer|ep",
        "일렉트릭 피아노|전자 피아노|로즈 피아노",
        Word(program=4, roles=_KEYS, family=(4, 5)),
    ),
    ("celesta|celeste", "첼레스타", Word(program=8, roles=(Role.ARP, Role.LEAD))),
    (
        "glockenspiel|bell|chime|bells and chimes",
        "종소리|글로켄슈필|실로폰 소리|벨 소리",
        Word(program=9, roles=(Role.LEAD,), family=(9, 14)),
    ),
    ("tubular bell|church bell", "교회 종", Word(program=14, roles=(Role.LEAD,), family=(14,))),
    ("music box", "오르골|뮤직 박스", Word(program=10, roles=(Role.ARP, Role.LEAD))),
    ("vibraphone|vibes and mallets|mallet", "비브라폰", Word(program=11, roles=(Role.LEAD,))),
    ("marimba", "마림바", Word(program=12, roles=(Role.ARP, Role.COMP))),
    ("xylophone", "실로폰", Word(program=13, roles=(Role.LEAD, Role.ARP))),
    ("kalimba|thumb piano|mbira", "칼림바", Word(program=108, roles=(Role.ARP, Role.LEAD))),
    ("guitar|acoustic guitar|nylon guitar|classical guitar|spanish guitar|fingerpicked guitar",
    "기타|통기타|어쿠스틱 기타|클래식 기타", Word(program=24, roles=_KEYS, family=_GUITARS)),
    ("steel guitar|strummed guitar|western guitar|folk guitar", "", Word(program=25, roles=_KEYS, family=_GUITARS)),
    ("electric guitar|clean guitar", "일렉 기타|일렉트릭 기타|전기 기타",
     Word(program=27, roles=_KEYS, family=(26, 27, 28, 29, 30, 31))),
    ("distorted guitar|distortion guitar|distorted electric guitar|heavy guitar|guitar riff|power chord",
    "디스토션 기타|헤비 기타", Word(program=30, roles=(Role.COMP,), family=(29, 30))),
    ("jazz guitar", "재즈 기타", Word(program=26, roles=_KEYS)),
    ("ukulele|uke", "우쿨렐레", Word(program=24, roles=_KEYS, stands_for="ukulele")),
    ("banjo", "밴조", Word(program=25, roles=_KEYS, stands_for="banjo")),
    ("mandolin", "만돌린", Word(program=25, roles=_KEYS, stands_for="mandolin")),
    ("koto|gayageum", "가야금|고토", Word(program=107, roles=(Role.LEAD, Role.ARP))),
    ("harp", "하프", Word(program=46, roles=(Role.ARP, Role.COMP))),
    ("violin|fiddle", "바이올린", Word(program=40, roles=_MELODY)),
    ("viola", "비올라", Word(program=41, roles=(Role.COUNTER, Role.LEAD))),
    ("cello|celli", "첼로", Word(program=42, roles=_MELODY)),
    ("double bass|upright bass|contrabass|acoustic bass", "더블 베이스|콘트라베이스",
     Word(program=32, roles=(Role.BASS,), family=(32, 43))),
    ("synth bass|808|808s|sub bass", "신스 베이스|서브 베이스", Word(program=38, roles=(Role.BASS,),
     family=(38, 39))),
    ("bass guitar|electric bass|slap bass", "베이스 기타",
     Word(program=33, roles=(Role.BASS,), family=(33, 34, 35, 36, 37))),
    ("tremolo string", "트레몰로", Word(program=44, roles=(Role.COMP, Role.PAD))),
    ("pizzicato|pizzicato string|plucked string|plucks|pizz", "피치카토",
     Word(program=45, roles=(Role.COMP, Role.ARP))),
    ("string|string section|string orchestra|string quartet|orchestral string|violins", "현악|스트링|현악기",
     Word(program=48, roles=(Role.PAD, Role.COUNTER), family=_STRINGS)),
    ("choir|choral", "합창|콰이어", Word(program=52, roles=(Role.PAD,), family=(52, 53, 54, 91))),
    ("ooh|humming", "허밍", Word(program=53, roles=(Role.PAD,))),
    ("trumpet", "트럼펫", Word(program=56, roles=_MELODY)),
    ("trombone", "트롬본", Word(program=57, roles=(Role.COUNTER, Role.LEAD))),
    ("tuba", "튜바", Word(program=58, roles=(Role.BASS,))),
    ("muted trumpet", "약음기 트럼펫", Word(program=59, roles=_MELODY)),
    ("horn|french horn", "호른", Word(program=60, roles=_MELODY)),
    ("brass|brass section|brass band", "브라스|금관|금관악기", Word(program=61, roles=(Role.LEAD,), family=_BRASS)),
    ("saxophone|sax", "색소폰", Word(program=71, roles=_MELODY, stands_for="saxophone")),
    ("oboe", "오보에", Word(program=68, roles=_MELODY)),
    ("english horn|cor anglais", "잉글리시 호른", Word(program=69, roles=_MELODY)),
    ("bassoon", "바순", Word(program=70, roles=(Role.COUNTER, Role.LEAD))),
    ("clarinet", "클라리넷", Word(program=71, roles=_MELODY)),
    ("flute", "플루트|플룻", Word(program=73, roles=_MELODY)),
    ("pan flute|panpipe", "팬플루트", Word(program=75, roles=_MELODY)),
    ("whistle|whistling|ocarina|recorder", "휘파람|오카리나|리코더", Word(program=79, roles=_MELODY)),
    ("woodwind|wind instrument", "목관|목관악기", Word(program=73, roles=_MELODY, family=tuple(range(64, 80)))),
    ("organ|hammond", "오르간", Word(program=89, roles=(Role.PAD, Role.COMP), stands_for="organ")),
    ("accordion", "아코디언", Word(program=89, roles=(Role.PAD,), stands_for="accordion")),
    ("synth|synthesizer|synthesiser|analog synth", "신스|신디|신시사이저", Word(program=89, roles=(Role.PAD,),
     family=_SYNTHS)),
    ("synth lead|lead synth|square wave", "신스 리드", Word(program=81, roles=(Role.LEAD,), family=_SYNTHS)),
    ("pad|synth pad|warm pad|drone", "패드|드론", Word(program=89, roles=(Role.PAD,))),
    ("timpani|kettledrum", "팀파니", Word(program=47, roles=(Role.BOOM,))),
    ("taiko", "타이코|북소리", Word(program=116, roles=(Role.BOOM,))),
)  # fmt: skip
SECTIONS: tuple[Row, ...] = (
    ("drum|percussion|beat|drum kit|drumming|drum beat|percussive", "드럼|타악기|비트|퍼커션", Word(roles=_RHYTHM)),
    ("bass|bassline|bass line", "베이스", Word(roles=(Role.BASS,))),
    ("melody|melodies|tune|lead|lead melody|theme", "멜로디|선율|가락", Word(roles=_MELODY)),
    ("countermelody|counter melody", "", Word(roles=(Role.COUNTER,))),
    ("arpeggio|arp|arpeggiated", "아르페지오", Word(roles=(Role.ARP,))),
    ("chord|accompaniment|harmonies", "화음|반주|코드", Word(roles=(Role.COMP, Role.PAD))),
    ("boom|impact", "붐", Word(roles=(Role.BOOM,))),
    ("kick|kick drum|bass drum", "킥", Word(keys=(35, 36))),
    ("snare|snare drum", "스네어", Word(keys=(37, 38, 40))),
    ("clap|hand clap|handclap|snaps|finger snap", "박수|손뼉", Word(keys=(39,))),
    ("hi hat|hat|high hat", "하이햇", Word(keys=(42, 44, 46))),
    ("cymbal|crash|ride cymbal", "심벌", Word(keys=(49, 51, 52, 53, 55, 57, 59))),
    ("shaker|tambourine|maracas", "셰이커|탬버린", Word(keys=(54, 69, 70, 82))),
    ("vocal|singing|singer|lyric|vocalist|rap|rapping", "보컬|노래|가사|랩", Word(voice=True)),
)
STYLES: tuple[Row, ...] = (
    ("lo fi|lo fi hip hop|chillhop|study beats|chill hop", "로파이|로우파이", Word(style=Style.LOFI)),
    ("acoustic|folk|folky|unplugged|campfire|singer songwriter|indie folk|indie", "어쿠스틱|포크|통기타 음악",
     Word(style=Style.ACOUSTIC)),
    ("corporate|business|tech|commercial|advert|advertisement|ad|inspirational|motivational|startup|"
    "presentation|explainer",
    "기업|광고|홍보|비즈니스", Word(style=Style.CORPORATE)),
    ("ambient|atmospheric|meditation|meditative|spa|new age|soundscape|ethereal|dreamy|spacey|zen",
    "앰비언트|명상|몽환|몽롱", Word(style=Style.AMBIENT)),
    ("cinematic piano|emotional piano|piano ballad|ballad|neoclassical|solo piano ballad",
    "시네마틱 피아노|발라드|뉴에이지", Word(style=Style.CINEMATIC_PIANO)),
    ("trailer|blockbuster|hybrid orchestral|tension|action movie|action", "예고편|트레일러|블록버스터",
     Word(style=Style.TRAILER)),
    ("epic|heroic|cinematic epic", "웅장|서사적", Word(style=Style.TRAILER, usual=True, loudness=1, intensity=1)),
    ("quirky|comedy|comedic|funny|cartoon|cartoonish|whimsical|goofy|silly|mischievous|cute",
    "코믹|익살|우스꽝|귀여운|귀엽|만화", Word(style=Style.QUIRKY)),
    ("jazz|jazzy|lounge|smooth jazz|cafe|café|coffee shop|big band|ragtime|dixieland", "재즈|라운지|카페",
     Word(style=Style.JAZZ)),
    ("swing", "스윙", Word(style=Style.JAZZ, bpm=140)),
    ("blues|bluesy", "블루스", Word(style=Style.JAZZ, bpm=84, program=26, roles=(Role.LEAD,))),
    ("bossa|bossa nova|samba|latin", "보사노바|보사|삼바|라틴",
     Word(style=Style.JAZZ, bpm=128, program=24, roles=(Role.COMP,))),
    ("electronic|electronica|edm|dance|club|idm|electro", "일렉트로닉|전자음악|댄스|클럽",
     Word(style=Style.ELECTRONIC)),
    ("house|deep house|tropical house", "하우스", Word(style=Style.ELECTRONIC, bpm=124)),
    ("techno|trance|rave", "테크노|트랜스", Word(style=Style.ELECTRONIC, bpm=132)),
    ("dubstep", "덥스텝", Word(style=Style.ELECTRONIC, bpm=140)),
    ("drum and bass|drum n bass|drum & bass|dnb|jungle", "드럼 앤 베이스", Word(style=Style.ELECTRONIC, bpm=174)),
    ("trap|phonk|drill", "트랩", Word(style=Style.ELECTRONIC, bpm=140, program=38, roles=(Role.BASS,))),
    ("synthwave|retrowave|vaporwave|80s|eighties|outrun", "신스웨이브|레트로",
     Word(style=Style.ELECTRONIC, bpm=100, program=81, roles=(Role.LEAD,))),
    ("chiptune|8 bit|8bit|video game|retro game|arcade", "칩튠|8비트|게임 음악|게임음악",
     Word(style=Style.ELECTRONIC, bpm=140, program=80, roles=(Role.LEAD,))),
    ("disco|funk|funky", "디스코|펑크|펑키", Word(style=Style.ELECTRONIC, bpm=116, program=33, roles=(Role.BASS,))),
    ("hip hop|boom bap|r&b|rnb|r & b|r and b|soul|neo soul", "힙합|알앤비|소울", Word(style=Style.LOFI, bpm=88)),
    ("rock|rocky|rock and roll|rock n roll|alternative rock|grunge", "록|락 음악",
     Word(style=Style.TRAILER, bpm=126, program=29, roles=(Role.COMP,))),
    ("metal|heavy metal|punk|hardcore", "메탈|펑크 록",
     Word(style=Style.TRAILER, bpm=160, program=30, roles=(Role.COMP,))),
    ("pop|k pop|kpop|indie pop", "팝|케이팝", Word(style=Style.CORPORATE, bpm=116)),
    ("country|bluegrass|western", "컨트리", Word(style=Style.ACOUSTIC, bpm=112, program=25, roles=(Role.COMP,))),
    ("reggae|tropical|hawaiian|beach|summer|island", "레게|하와이|트로피컬|여름",
     Word(style=Style.ACOUSTIC, bpm=92, program=24, roles=(Role.COMP,))),
    ("celtic|irish|medieval|fantasy", "켈트|중세|판타지", Word(style=Style.ACOUSTIC, program=73, roles=(Role.LEAD,))),
    ("orchestral|orchestra|symphonic|classical|symphony|chamber music|film score|movie score|cinematic",
    "오케스트라|교향|관현악|클래식|시네마틱|영화 음악|영화음악",
     Word(style=Style.ORCHESTRAL, program=48, roles=(Role.PAD,), family=_STRINGS)),
    ("march|marching|military|parade", "행진곡|행진|군대", Word(style=Style.ORCHESTRAL, bpm=112, meter=(4, 4))),
    ("waltz", "왈츠", Word(style=Style.ORCHESTRAL, usual=True, meter=(3, 4))),
    ("lullaby|nursery", "자장가",
     Word(style=Style.AMBIENT, usual=True, meter=(3, 4), bpm=72, program=10, roles=(Role.ARP,), loudness=-1)),
    ("tango", "탱고", Word(style=Style.ORCHESTRAL, bpm=120, program=40, roles=(Role.LEAD,))),
    ("jig", "", Word(style=Style.ACOUSTIC, usual=True, meter=(6, 8), bpm=116, program=40, roles=(Role.LEAD,))),
    ("christmas|xmas|holiday", "크리스마스|성탄",
     Word(style=Style.ORCHESTRAL, usual=True, program=9, roles=(Role.LEAD,), emotion=Emotion.JOY)),
    ("spy|noir|detective|heist", "스파이|탐정|느와르", Word(style=Style.JAZZ, usual=True, mode="minor")),
    ("chill|chilled|chillout|chill out|laid back|lazy|mellow", "칠|느긋|나른",
     Word(style=Style.LOFI, usual=True, density=-1, loudness=-1)),
)  # fmt: skip
NAMED_MOODS: tuple[Row, ...] = tuple(
    (names.english, names.korean, Word(emotion=emotion, density=names.density, loudness=names.loudness))
    for emotion, card in MOODS.items()
    for names in card.names
)
LEANS: tuple[Row, ...] = (
    ("slow|slowly|slower|slow tempo|unhurried|downtempo|down tempo|leisurely|take it slow|drag",
    "느린|느리|천천히|느릿", Word(tempo=-1)),
    ("fast|faster|quick|quickly|quicker|fast tempo|uptempo|up tempo|speedy|rapid|high tempo|fast paced|"
    "racing", "빠른|빠르|신속|속도감", Word(tempo=1)),
    ("half time|halftime", "하프 타임", Word(tempo=-2.41)),
    ("double time|doubletime", "더블 타임", Word(tempo=2.41)),
    ("largo", "라르고", Word(bpm=52)), ("adagio", "아다지오", Word(bpm=68)), ("andante", "안단테", Word(bpm=84)),
    ("moderato|mid tempo|midtempo|medium tempo|moderate|moderate tempo", "모데라토|보통 빠르기", Word(bpm=100)),
    ("allegro", "알레그로", Word(bpm=132)), ("vivace", "비바체", Word(bpm=152)), ("presto", "프레스토",
     Word(bpm=174)),
    ("minimal|minimalist|minimalistic|sparse|sparser|simple|simpler|empty|bare|thin|stripped|"
    "stripped back|stripped down|open|spacious|airy|understated|uncluttered",
    "미니멀|단순|간단|비어|여백|심플", Word(density=-1)),
    ("busy|busier|dense|denser|full|fuller|rich|richer|complex|layered|lush", "바쁜|바쁘|풍성|복잡|꽉 찬|가득",
     Word(density=1)),
    ("calm|calmer|calming|relaxed|relaxing|relax|peaceful|serene|tranquil|soothing|restful|sleepy|cozy|"
    "cosy|quiet and calm",
    "잔잔|차분|평화|편안|고요|포근|평온", Word(density=-1, loudness=-1)),
    ("energetic|energy|energising|energizing|driving|powerful|dynamic|high energy|pumping|punchy|hype|"
    "exciting|excited|thrilling|sporty|workout|gym",
    "활기|에너지|역동|힘찬|파워|운동|신바람", Word(density=1, loudness=1, intensity=0.5)),
    ("low energy", "", Word(density=-1, loudness=-1)),
    ("soft|softer|softly|gentle|gently|gentler|quiet|quieter|quietly|tender|delicate|light|lighter|mild|muted|hushed",
    "부드러|부드럽|조용|은근|여린|가벼운|가볍", Word(loudness=-1)),
    ("loud|louder|loudly|heavy|heavier|hard|harder|big|bigger|strong|stronger|massive|huge|pounding|"
    "booming|hard hitting|grand",
    "큰 소리|크게|강렬|강한|강하|세게|묵직|무거운|거대", Word(loudness=1)),
    ("intense|intensity|passionate|extreme|urgent", "강도|격정|절박", Word(intensity=1, loudness=0.5)),
    ("dark|darker|deep|deeper|low|lower|low pitched|moody|brooding", "어두|어둡|낮은|낮게|깊은", Word(register=-1)),
    ("bright|brighter|high|higher|high pitched|shimmering|crisp", "밝은|밝게|높은|높게|반짝", Word(register=1)),
    ("warm|warmer|warmth", "따뜻|따스|훈훈", Word(register=-0.5, loudness=-0.5)),
    ("minor|minor key|in a minor key|minor mode|aeolian|dorian|phrygian", "단조|마이너", Word(mode="minor")),
    ("major|major key|in a major key|major mode|ionian|lydian|mixolydian", "장조|메이저", Word(mode="major")),
)  # fmt: skip
FORM: tuple[Row, ...] = (
    ("solo|unaccompanied", "독주|솔로", Word(solo=True)),
    ("build up|builds up|building up|build|builds|building|buildup|slow build|slowly building|"
    "slowly build up|slowly builds|slowly build|build slowly|builds slowly|gradually build|gradually builds|"
    "gradually building|"
    "crescendo|rising|rise|growing|grows|grow|growing energy|swell|swelling|climax|build to a climax|"
      "gets bigger|getting bigger|gets louder|intensifying|build tension|building tension",
    "점점 고조|점점 커|점점 크|점점 강|점점 웅장|점차 고조|고조|빌드 업|크레셴도|클라이맥스", Word(build_up=True)),
    ("end softly|ends softly|ending softly|end soft|soft ending|soft end|gentle ending|gentle end|"
    "quiet ending|end quietly|ends quietly|end gently|ends gently|calm ending|end calmly|"
    "fade out|fades out|fading out|fadeout|fade away|fades away|slow fade|fade|fade at the end|"
      "finish softly|finish quietly|finish gently|let it ring out|decrescendo|diminuendo",
    "부드럽게 끝|조용히 끝|조용하게 끝|잔잔하게 끝|페이드 아웃|서서히 끝|차분하게 끝|부드러운 마무리|"
    "부드럽게 마무리", Word(soft_ending=True)),
    ("big ending|big finish|end big|grand finale|finale|strong ending|end strong|end with a bang|"
    "loud ending|hard stop|abrupt ending|end loudly|powerful ending",
    "크게 끝|강하게 끝|화려하게 끝|웅장하게 끝|피날레", Word(soft_ending=False)),
)  # fmt: skip

NOT = (
    "no|not|not any|without|without any|w/o|remove|removing|exclude|excluding|except|avoid|minus|never|"
    "nothing|don't|don't use|dont|dont use|"
    "do not|do not use|don't want|do not want|no more|isn't|not a|instead of|rather than|skip|mute|drop|"
    "leave out|lose|hold the|zero|cut the|"
    "take out|get rid of|stop|anything but|lacking|nor|neither"
)
NOT_KO = "안|노"
NOT_AFTER = "off|removed"
NOT_AFTER_KO = "없이|없는|없게|없음|없었|없으|빼고|빼|뺀|말고|제외|않|아닌|아니|금지|싫"
ONLY = "only|just|nothing but|alone|by itself|on its own|purely"
ONLY_KO = "오직|만으로|혼자"
BREAKS = "but|with|plus|then|while|though|however|instead|use|add|also|yet"
BREAKS_KO = "하지만|그런데|그러나|대신"
AND = "and|&|n"
AND_KO = "그리고|및"
OR = "or"
OR_KO = "또는|혹은|이나"
DEGREES: tuple[tuple[str, str, float], ...] = (
    ("very|really|super|extremely|so|much|way|highly|incredibly|ultra|a lot|a lot more|much more|far more|"
    "totally", "아주|매우|정말|엄청|굉장히|훨씬|진짜", 1.5),
    ("more|extra|lots of|a lot of|plenty of|increase|add more|raise", "더|더욱|많이|많은", 1.0),
    ("slightly|a bit|a little|a little bit|a bit more|a little more|somewhat|kind of|kinda|a touch|a tad|"
    "quite|fairly|rather|moderately", "조금|약간|살짝|조금 더|좀 더", 0.5),
    ("less|fewer|reduce|much less|decrease|way less|tone down|not as much|not so much|not that", "덜", -1.0),
    ("a bit less|a little less|slightly less|not too|not so|not very|not too much|not that much|"
    "not overly|not really", "조금 덜|너무 많지|별로", -0.5),
    ("too|too much|too many|overly", "너무", -1.0),
)  # fmt: skip
"""What a lean is multiplied by: "too fast" is a complaint, "not too fast" half of one."""
SPEECH = (
    r"(?:under|underneath|during|behind|below|beneath|over|while|when|whenever|as|where|for)\s+"
    r"(?:(?:the|my|our|his|her|their|a|any|some|someone(?:'s| is)?|somebody(?:'s| is)?|anyone(?:'s| is)?|"
    r"people(?: are)?|i(?:'m| am)?|he(?:'s| is)?|she(?:'s| is)?|they(?:'re| are)?|we(?:'re| are)?|there(?:'s| is)|"
    r"speakers?(?: is| are)?|narrator(?: is)?)\s+){0,3}"
    r"(?:speech|speaking|speaks?|talking|talks?|voice ?-?over|voices?|narrat(?:ion|ing|es)|dialog(?:ue)?|"
    r"words are spoken|spoken words|speaker)\b"
)
SPEECH_KO = (
    r"(?:말(?:할|하는|하고 있을|소리)|목소리|대사|내레이션|나레이션|음성|대화)[^,.\n]{0,6}?(?:때|동안|중|아래|밑|위)"
    r"(?:에는|에서|에선|에|엔|는|은)?"
)
FILLERS = (
    "a|an|the|of|for|to|in|on|at|by|from|it|its|it's|is|are|be|been|being|was|this|that|these|those|"
    "there|here|my|our|your|their|his|her|me|us|you|i|i'm|we|they|"
    "i'd|i'll|please|pls|thanks|thank|some|any|music|song|track|sound|soundtrack|audio|background|"
    "background music|bgm|score|piece|instrumental|something|someting|"
    "like|kind|sort|type|feel|feeling|vibe|mood|style|genre|tone|touch|character|want|wants|am|would|"
    "need|needs|make|makes|made|making|let|let's|give|keep|get|have|has|having|had|"
    "put|play|playing|played|plays|using|used|featuring|feature|include|including|based|driven|led|can|"
    "could|should|will|may|might|do|does|maybe|perhaps|also|as|"
    "which|who|what|how|bit|little|lot|lots|nice|good|great|beautiful|pretty|cool|best|perfect|suitable|"
    "fitting|appropriate|overall|general|generally|mostly|mainly|"
    "video|clip|scene|segment|part|section|section's|here's|into|onto|over|under|through|throughout|"
    "around|about|than|if|when|where|up|out|all|every|"
    "one|two|single|few|several|set|instrument|instrumentation|tempo|speed|key|meter|time|time signature|"
    "signature|bpm|beats per minute|rhythm|groove|feels|"
    "really|well|own|such|same|other|others|another|tempo of|level|volume|quality|element|new|main|again|"
    "now|at all|end|ending|start|beginning|middle|intro|outro|elsewhere|else"
)  # fmt: skip
FILLERS_KO = (
    "음악|느낌|분위기|배경|좀|주세요|줘|해줘|해 주세요|해주세요|만들어|넣어|으로|로|있는|같은|같이|그냥|이런|그런|"
    "저런|하게|하고|해|나는|저는|원해|원하|부탁|곡|스타일|풍|템포|소리|"
    "들어간|들어가|사용|연주|악기|영상|비디오|장면|조|박자|위주|중심|의|한|할|것|거|게|되게|되는|듯한|듯|속도|리듬|"
    "톤|계열|버전|가|이|은|는|을|를|와|과|도|에|에서|"
    "합니다|해요|입니다|있어|있게|주|함께|나오"
)  # fmt: skip


def rows() -> Iterator[Row]:
    """The whole vocabulary."""
    for table in (INSTRUMENTS, SECTIONS, STYLES, NAMED_MOODS, LEANS, FORM):
        yield from table
