"""What FunASR's modules share: which bytes cross a bus."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from asr_scaling.model.funasr_modules import watch_transfers


def test_only_what_lies_on_an_accelerator_was_moved():
    """Torch's device "meta" stands for one."""
    far, near = torch.zeros(3, 5, device="meta"), torch.zeros(7)
    network = SimpleNamespace(forward=lambda features, lengths, *, cache: (far, [near, far]))
    counts = list[int]()
    watch_transfers(network, "forward", counts.append)
    assert network.forward(far, near, cache={})[0] is far
    assert counts == [3 * 60]
    network.forward(near, near, cache=far.half())
    assert counts[1:] == [2 * 60 + 30]
