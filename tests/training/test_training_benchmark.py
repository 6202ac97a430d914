"""The command for a GPU says in one sentence that there is none, and its latents can be learned from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import training


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert training.main([]) == 1
    assert capsys.readouterr().out.count("\n") == 1


def test_each_caption_of_its_latents_has_a_picture_of_its_own() -> None:
    latents = training._latents()
    means = latents.spread[:, 0].astype(np.float32).reshape(70, -1)
    alike = np.corrcoef(means)
    same = np.array([[a == b for b in latents.texts] for a in latents.texts])
    assert latents.columns == 512 and alike[same].min() > 0.5 > np.abs(alike[~same]).max()
