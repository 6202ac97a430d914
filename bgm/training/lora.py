"""Fine-tune Riffusion: ``python -m bgm.training.lora SET --base riffusion/riffusion-model-v1 -o lora.safetensors``.

Trains low-rank adapters (LoRA: Hu et al. 2021, arXiv 2106.09685) of the U-Net's attention on SET, which is built by
bgm.training.spectrograms; --base is a hub id or a folder. The file loads with `--lora FILE` and in diffusers. The
folder lora.training/ next to it has log.jsonl, samples, and the state from which the same command resumes after a stop
or a kill, ending with the same file. Latents are computed once and cached in SET.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bgm import console
from bgm.device import pick
from bgm.digest import digest
from bgm.errors import BadInput
from bgm.files import beside, sweep, sweep_target, write_text
from bgm.music.riffusion.model import BASE_SAMPLE, quiet
from bgm.music.riffusion.spectrogram import Pixels, SpectrogramParams, save_image
from bgm.progress import Progress, part
from bgm.training import diffusion, examples
from bgm.training.diffusion import JUDGED_TIMES, Base, Batch, Objective
from bgm.training.examples import Example, Latents

if TYPE_CHECKING:
    import torch

DEFAULT_BASE = "riffusion/riffusion-model-v1"
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
"""The linear layers of every attention block."""
LEAST_PICTURES = 2
MOST_JUDGED = 64
"""Validation images, each evaluated at all JUDGED_TIMES."""
CLIP_NORM = 1.0
WEIGHT_DECAY = 1e-2
_STATE, _LOG, _SAMPLES = "state.pt", "log.jsonl", "samples"
_ENCODED = 0.05
"""Share of the work."""


@dataclass(frozen=True, slots=True)
class Options:
    """All but ``every``, ``samples`` and ``checkpointing`` determine the result."""

    rank: int = 16
    alpha: int | None = None
    """The update is scaled by alpha / rank. None means the rank, for loaders that ignore alpha."""
    steps: int = 2000
    batch: int = 4
    rate: float = 1e-4
    warmup: int = 100
    gamma: float = 5.0
    """Of min-SNR weighting."""
    dropout: float = 0.1
    """Share of captions dropped, for classifier-free guidance."""
    seed: int = 0
    every: int = 250
    """Steps between validations, samples and saves."""
    samples: int = 7
    checkpointing: bool = True

    @property
    def deciding(self) -> list[Any]:
        known = asdict(self)
        return [value for name, value in known.items() if name not in ("every", "samples", "checkpointing")]

    def check(self) -> None:
        """Raises BadInput for values out of range."""
        if min(self.rank, self.steps, self.batch, self.every) < 1 or self.samples < 0 or self.warmup < 0:
            raise BadInput("--rank, --steps, --batch and --every must be 1 or more, --samples and --warmup 0 or more")
        if not 0 < self.rate < 1 or self.gamma <= 0 or not 0 <= self.dropout < 1 or (self.alpha or 1) < 1:
            raise BadInput(
                "--rate must be above 0 and below 1, --gamma and --alpha above 0, --dropout from 0 to below 1"
            )


def main(argv: Sequence[str] | None = None) -> int:
    usual = Options()
    parser = argparse.ArgumentParser(
        prog="python -m bgm.training.lora", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", type=Path, metavar="SET")
    parser.add_argument("-o", "--out", type=Path, default=Path("lora.safetensors"), metavar="FILE.safetensors")
    parser.add_argument("--base", default=DEFAULT_BASE, metavar="HUB_ID|DIR", help="default: %(default)s")
    for name in ("rank", "steps", "batch", "rate", "warmup", "gamma", "dropout", "seed", "every", "samples"):
        value = getattr(usual, name)
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"default: {value:g}")
    parser.add_argument("--alpha", type=int, help="default: the rank")
    parser.add_argument("--checkpointing", action=argparse.BooleanOptionalAction, default=True, help="less GPU memory")
    parser.add_argument("--device", default="auto", help="auto, cuda, cpu or mps")
    parser.add_argument("--offline", action="store_true", help="make no network call")
    return console.run(parser, "train", _from_arguments, argv)


def _from_arguments(arguments: argparse.Namespace, progress: Progress) -> str:
    if arguments.out.suffix != ".safetensors":
        raise BadInput(f"{arguments.out} must end in .safetensors")
    if not arguments.out.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {arguments.out.absolute().parent}")
    options = Options(**{name: getattr(arguments, name) for name in Options.__slots__})
    options.check()
    data = Data.of(arguments.set)
    loading = part(progress, 0.0, _ENCODED)
    base = diffusion.load(arguments.base, pick(arguments.device), loading, offline=arguments.offline)
    last = train(data, base, arguments.out, options, progress)
    return (
        f"{arguments.out}: {options.steps} steps, validation loss {last['before']} before, {last['validation']} after"
    )


@dataclass(frozen=True, slots=True)
class Data:
    """A set to train on."""

    folder: Path
    licence: str
    train: list[Example]
    validation: list[Example]

    @classmethod
    def of(cls, folder: Path) -> Data:
        """Raises BadInput if the folder is no set, or too small."""
        found = [examples.read(folder, "train", LEAST_PICTURES), examples.read(folder, "validation")]
        return cls(folder, examples.licence_of(folder), *found)

    def one_of_each(self, most: int) -> list[Example]:
        """For samples: the first image of each emotion, or of each caption if unlabelled."""
        kinds = {example.emotion or example.text: example for example in reversed(self.validation)}
        return sorted(kinds.values(), key=lambda e: (e.emotion, e.text))[:most]


def train(data: Data, base: Base, out: Path, options: Options, progress: Progress) -> dict[str, Any]:
    """Train, resuming an earlier run if there is one, and write ``out``; returns the last line of the log.

    Step ``n`` draws images, noise and timesteps from the seed and ``n`` alone, so resuming changes nothing. Raises
    BadInput if the loss is NaN, and for the state of another training.
    """
    import torch

    pipeline = base.pipeline
    store, encoding = data.folder / ".latents", part(progress, _ENCODED, 2 * _ENCODED)
    both = [examples.latents(some, pipeline.vae, store, encoding) for some in (data.train, data.validation)]
    unet = with_adapter(pipeline.unet, options)
    optimizer = torch.optim.AdamW(
        trained(unet), lr=options.rate, weight_decay=WEIGHT_DECAY, fused=base.device == "cuda"
    )
    run = Run(out, digest(options.deciding, base.source, base.sample, [some.identity for some in both]))
    objective, first = Objective(pipeline, options.gamma), run.resume(unet, optimizer)
    if not first:
        run.say({"step": 0, "validation": judged(objective, both[1], options.batch)})
    work, began, losses = part(progress, 2 * _ENCODED, 1.0), time.monotonic(), list[float]()
    for step in range(first, options.steps):
        optimizer.param_groups[0]["lr"] = rate(options, step)
        losses.append(stepped(objective, optimizer, drawn(both[0], options, step), step))
        work((step + 1) / options.steps, f"step {step + 1} of {options.steps}, loss {losses[-1]:.4f}")
        if (step + 1) % options.every and step + 1 < options.steps:
            continue
        took, memory = (time.monotonic() - began) / len(losses), peak_memory(base.device)
        line = {"step": step + 1, "loss": round(float(np.mean(losses)), 5), "seconds_a_step": round(took, 4), **memory}
        write_adapter(out, unet, metadata(base, data, options))
        run.keep(unet, optimizer, {**line, "validation": judged(objective, both[1], options.batch)})
        run.show(pipeline, data.one_of_each(options.samples), both[0].columns, step + 1)
        began, losses = time.monotonic(), []
    write_adapter(out, unet, metadata(base, data, options))
    return {**run.log()[-1], "before": run.log()[0]["validation"]}


def stepped(objective: Objective, optimizer: Any, batch: Batch, step: int) -> float:
    """One optimizer step; returns its loss. Raises BadInput before any update if the loss isn't finite."""
    import torch

    loss = objective.loss(batch)
    # Before backward(): the weights and AdamW's moments are still whole, so what was saved stays usable.
    if not math.isfinite(found := loss.item()):
        raise BadInput(
            f"step {step + 1}: the loss is no number (NaN): lower --rate, or the base or a picture is damaged; "
            "what was saved before is whole"
        )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], CLIP_NORM)
    optimizer.step()
    return found


def drawn(latents: Latents, options: Options, step: int) -> Batch:
    """The batch of step ``step``."""
    import torch

    # A generator for each step, seeded by its number: a run that is resumed at step 700 draws what an unbroken one
    # would, and no state of a generator has to be kept. The factor keeps the streams of neighbouring seeds apart.
    chance = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
    index = torch.randint(len(latents.texts), (options.batch,), generator=chance).tolist()
    times = torch.randint(1000, (options.batch,), generator=chance)
    mean, deviation = torch.from_numpy(np.stack([latents.spread[i] for i in index])).float().unbind(1)
    # 1. The latent is drawn anew from the VAE's distribution each time it is seen, as in the model's own training. 2.
    # Noise and time for the denoising loss. 3. Some captions are dropped: classifier-free guidance needs the model
    # without words too (Ho and Salimans 2022, arXiv 2207.12598).
    noise, spread = (torch.randn(mean.shape, generator=chance) for _ in range(2))
    dropped = torch.rand(options.batch, generator=chance) < options.dropout
    texts = ["" if drop else latents.texts[i] for i, drop in zip(index, dropped.tolist(), strict=True)]
    return Batch(mean + deviation * spread, noise, times, texts)


def judged(objective: Objective, latents: Latents, batch: int) -> float:
    """Unweighted validation loss on up to MOST_JUDGED images, with the same noise and timesteps every time."""
    import torch

    # The same noise and times at every validation: the loss of one draw varies more than a training changes it.
    chance, errors = torch.Generator().manual_seed(1), list[float]()
    chosen = np.unique(np.linspace(0, len(latents.texts) - 1, min(MOST_JUDGED, len(latents.texts))).astype(int))
    pairs = [(int(i), time_) for i in chosen for time_ in JUDGED_TIMES]
    with torch.no_grad():
        for first in range(0, len(pairs), batch):
            some = pairs[first : first + batch]
            means = torch.from_numpy(np.stack([latents.spread[i, 0] for i, _ in some])).float()
            noise, times = torch.randn(means.shape, generator=chance), torch.tensor([time_ for _, time_ in some])
            errors += objective.errors(Batch(means, noise, times, [latents.texts[i] for i, _ in some])).tolist()
    return round(float(np.mean(errors)), 5)


def rate(options: Options, step: int) -> float:
    """Linear warm-up, then cosine decay to zero."""
    # A short run must not end in its warm-up.
    warm = min(options.warmup, options.steps // 10)
    if step < warm:
        return options.rate * (step + 1) / warm
    return options.rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, options.steps - warm)))


def with_adapter(unet: Any, options: Options) -> Any:
    """The U-Net with a trainable float32 adapter; everything else stays frozen."""
    import torch
    from peft import LoraConfig

    torch.manual_seed(options.seed)
    # The rank as alpha makes the scale 1, which loaders that ignore alpha assume.
    alpha = options.alpha or options.rank
    unet.add_adapter(
        LoraConfig(r=options.rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=[*TARGETS])
    )
    for parameter in trained(unet):  # bfloat16 would round small updates away
        parameter.data = parameter.data.float()
    if options.checkpointing and unet.device.type == "cuda":
        unet.enable_gradient_checkpointing()
    return unet.train()


def trained(unet: Any) -> list[torch.nn.Parameter]:
    """The adapter's weights."""
    return [parameter for parameter in unet.parameters() if parameter.requires_grad]


class Run:
    """The folder next to the output file: log, samples, and the state to resume from."""

    def __init__(self, out: Path, identity: str) -> None:
        self._folder = out.with_suffix(".training")
        self._identity = identity
        self._folder.mkdir(exist_ok=True)
        sweep(self._folder)
        sweep_target(out)

    def log(self) -> list[dict[str, Any]]:
        """The lines of log.jsonl."""
        file = self._folder / _LOG
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []

    def say(self, line: dict[str, Any]) -> None:
        """Append a line, replacing an earlier run's lines of this step and later ones."""
        # A run that was killed after its last save has logged steps that are made again now.
        kept = [earlier for earlier in self.log() if earlier["step"] < line["step"]]
        write_text(self._folder / _LOG, "".join(json.dumps(one) + "\n" for one in [*kept, line]))

    def keep(self, unet: Any, optimizer: Any, line: dict[str, Any]) -> None:
        """Write log line and state after a step, atomically: the previous state stays until the new one is complete."""
        import torch

        self.say(line)
        state = {"identity": self._identity, "step": line["step"], "optimizer": optimizer.state_dict()}
        state["adapter"] = {name: p.detach().cpu() for name, p in unet.named_parameters() if p.requires_grad}
        with beside(self._folder / _STATE) as unfinished:
            torch.save(state, unfinished)

    def resume(self, unet: Any, optimizer: Any) -> int:
        """The step to resume from, 0 without a state. Raises BadInput for another training's state."""
        import pickle

        import torch

        file = self._folder / _STATE
        if not file.is_file():
            return 0
        try:
            # weights_only: a pickle from elsewhere could run anything.
            state = torch.load(file, map_location="cpu", weights_only=True)
            same = state["identity"] == self._identity
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise BadInput(f"{file} is damaged: delete {self._folder} to begin anew") from error
        if not same:
            raise BadInput(
                f"{self._folder} holds a training of another base, set or options: delete it, or name another file"
            )
        # Not strict: the state has the adapter only; the frozen weights are the base's.
        unet.load_state_dict(state["adapter"], strict=False)
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])

    def show(self, pipeline: Any, wanted: Sequence[Example], columns: int, step: int) -> None:
        """Save one sample per example, in riffusion's image format."""
        folder = self._folder / _SAMPLES
        folder.mkdir(exist_ok=True)
        pictures = diffusion.paint(pipeline, [example.text for example in wanted], columns)
        for example, picture in zip(wanted, pictures, strict=True):
            name = example.emotion or digest(example.text)[:8]
            with beside(folder / f"{step:06d}-{name}.png") as unfinished:
                save_image(_as_image(picture), unfinished)


def write_adapter(target: Path, unet: Any, described: dict[str, str]) -> None:
    """Save the adapter as diffusers does (peft's configuration in the metadata), with ``described`` added.

    The key order in a safetensors header differs from run to run; it is sorted here, so that equal weights give
    identical files.
    """
    from diffusers import StableDiffusionPipeline
    from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    tensors = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
    tensors = {name: tensor.detach().float().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    config = json.loads(json.dumps(unet.peft_config["default"].to_dict(), default=_plain, sort_keys=True))
    with tempfile.TemporaryDirectory(prefix="bgm-lora-") as folder, quiet():
        StableDiffusionPipeline.save_lora_weights(
            folder, unet_lora_layers=tensors, unet_lora_adapter_metadata=config, weight_name="a.safetensors"
        )
        saved = (Path(folder) / "a.safetensors").read_bytes()
    # The format (safetensors): the length of the header in 8 bytes, the header as JSON, the tensors. The padding keeps
    # the tensors aligned to 8 bytes, as the format asks.
    size = int.from_bytes(saved[:8], "little")
    header = json.loads(saved[8 : 8 + size])
    header["__metadata__"] |= described
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    with beside(target) as unfinished:
        unfinished.write_bytes(len(text).to_bytes(8, "little") + text + saved[8 + size :])


def metadata(base: Base, data: Data, options: Options) -> dict[str, str]:
    """The file's metadata, under the keys of Stability AI's ModelSpec 1.0 where one exists."""
    card = (data.folder / examples.CARD).read_text(encoding="utf-8")
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": f"LoRA for {base.source}",
        "modelspec.license": f"base: {base.licence}; set: {data.licence}",
        "base_model": base.source,
        BASE_SAMPLE: json.dumps(base.sample),
        "base_model_licence": base.licence,
        "data_licence": data.licence,
        "data_card": card,
        "training": json.dumps(asdict(options), sort_keys=True),
    }


def _plain(value: Any) -> Any:
    """JSON fallback for sets and enums in peft's configuration."""
    return sorted(value) if isinstance(value, set) else str(value)


def _as_image(picture: Pixels) -> Any:
    from PIL import Image

    image = Image.fromarray(np.stack([picture] * 3, axis=-1))
    image.getexif().update(SpectrogramParams().to_exif())
    return image


def peak_memory(device: str) -> dict[str, float]:
    """Peak memory allocated on CUDA so far, in GB; empty elsewhere."""
    import torch

    return {"peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2)} if device == "cuda" else {}


if __name__ == "__main__":
    sys.exit(main())
