"""``python -m bgm.speech.sphinx_worker``: 16-bit mono PCM at 16 kHz on stdin → its words as JSON on stdout.

A process of its own for one stretch of speech: the decoder holds Python's lock for seconds at a time, which would
freeze a page served by the same process, and it can be ended at any moment. The answer is
``[[word, start_s, end_s, probability], …]``.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

FRAMES_PER_SECOND = 100


def main() -> None:
    """Decode what comes in as one utterance: the cepstral mean of the whole is worth half of the errors."""
    from pocketsphinx import Decoder

    pcm = sys.stdin.buffer.read()
    # Weights of the language model below the defaults (6.5, 8.5), found on read and spontaneous speech.
    decoder = Decoder(samprate=16000, lw=5, fwdflatlw=6, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(pcm, no_search=False, full_utt=True)
    decoder.end_utt()
    json.dump([_word(segment) for segment in decoder.seg() or () if _is_spoken(segment.word)], sys.stdout)


def _is_spoken(word: str) -> bool:
    """False for ``<s>``, ``<sil>``, ``[NOISE]``, ``[SPEECH]``."""
    return not word.startswith(("<", "[", "+"))


def _word(segment: Any) -> tuple[str, float, float, float]:
    """``read(2)``, the second way to say it, is ``read``. A segment's last frame belongs to it."""
    text = re.sub(r"\(\d+\)$", "", segment.word)
    start = segment.start_frame / FRAMES_PER_SECOND
    end = (segment.end_frame + 1) / FRAMES_PER_SECOND
    return text, start, end, segment.prob


if __name__ == "__main__":
    main()
