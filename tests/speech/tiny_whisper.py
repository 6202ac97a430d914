"""A tiny Whisper checkpoint in the published format that says what it is told to.

Its blocks add nothing to the residual stream, so that the position alone decides the next token: the positional
embedding of each place is the embedding of the token to say there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import LANGUAGES, get_tokenizer

VOCABULARY = 51865
"""Of the multilingual models up to large-v2."""
PLACES = 448
STATE = 64


def write(path: Path, language: str, text: str, *, end: float = 4.0, decoder_layers: int = 2) -> Path:
    """A model that hears ``language`` and says ``text`` from 0 to ``end`` seconds in every window."""
    tokenizer = get_tokenizer(multilingual=True, num_languages=len(LANGUAGES) - 1, language=language, task="transcribe")
    begin = tokenizer.timestamp_begin
    said = [begin, *tokenizer.encode(text), begin + round(end / 0.02)]
    # The first two places are the language's and the task's; after <|startoftranscript|> the language is heard.
    places = [tokenizer.to_language_token(language), 0, *said]
    places += [tokenizer.eot] * (PLACES - len(places))
    return _write(path, places, decoder_layers)


def _write(path: Path, places: Sequence[int], decoder_layers: int) -> Path:
    torch.manual_seed(0)
    dims = ModelDimensions(80, 1500, STATE, 2, 1, VOCABULARY, PLACES, STATE, 2, decoder_layers)
    net = Whisper(dims)
    with torch.no_grad():
        embedding = torch.nn.functional.normalize(torch.randn(VOCABULARY, STATE))
        net.decoder.token_embedding.weight.copy_(6 * embedding)
        net.decoder.positional_embedding.copy_(60 * embedding[list(places)])
        for block in net.decoder.blocks:
            for layer in (block.attn.out, block.cross_attn.out, block.mlp[2]):
                layer.weight.zero_()
                layer.bias.zero_()
    torch.save({"dims": vars(dims), "model_state_dict": net.state_dict()}, path)
    return path
