"""Bytes that operators move, each against a count by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.fakes import ScriptedSystem, make_session, utterances
from torch.utils.flop_counter import FlopCounterMode

from asr_scaling.profiler._bytes_moved import byte_counter
from asr_scaling.profiler.flops import Flops

F = 4
"""Bytes of a float32."""


def moved(work: Callable[[], Any], **modules: torch.nn.Module) -> tuple[int, int]:
    """All bytes and those of weights."""
    with torch.no_grad(), byte_counter(modules) as counter:
        work()
    return counter.moved, counter.weights


class TestBytes:
    def test_of_a_linear_layer(self):
        """5 rows of 4 in, 3 out: reads 20 values, 12 of the weight and 3 of the bias, writes 15."""
        layer, x = torch.nn.Linear(4, 3), torch.ones(5, 4)
        assert moved(lambda: layer(x), layer=layer) == (F * (20 + 12 + 3 + 15), F * (12 + 3))

    def test_weights_are_those_of_the_modules_given(self):
        layer, x = torch.nn.Linear(4, 3), torch.ones(5, 4)
        assert moved(lambda: layer(x), other=torch.nn.Linear(4, 3)) == (F * 50, 0)

    def test_weights_do_not_grow_with_the_batch(self):
        layer = torch.nn.Linear(4, 3)
        one, ten = (moved(lambda n=n: layer(torch.empty(n, 4)), layer=layer) for n in (1, 10))
        assert one[1] == ten[1] == F * 15
        assert ten[0] - ten[1] == 10 * (one[0] - one[1])

    def test_buffers_are_weights(self):
        layer = torch.nn.BatchNorm1d(3).eval()
        assert moved(lambda: layer(torch.empty(5, 3)), layer=layer) == (F * (30 + 12), F * 12)

    @pytest.mark.parametrize(
        "view",
        [
            lambda x: x.transpose(0, 1),
            lambda x: x.reshape(12),
            lambda x: x.contiguous(),
            lambda x: x.split(1),
            lambda x: x[1:, ::2],
            lambda x: x.expand(5, 2, 6),
            lambda x: x.detach(),
            lambda x: x.unsqueeze_(0),
            lambda x: x.to(torch.float32),
            lambda x: torch.ops.aten._unsafe_view(x, [3, 4]),
            torch.empty_like,
            lambda x: x.new_empty(100),
            lambda x: x.is_contiguous(),
        ],
    )
    def test_what_moves_nothing(self, view: Callable[[torch.Tensor], Any]):
        x = torch.ones(2, 6)
        assert moved(lambda: view(x)) == (0, 0)

    @pytest.mark.parametrize(
        ("work", "elements"),
        [
            (lambda x, y: x + y, 36),
            (lambda x, y: x + x, 24),  # read once
            (lambda x, y: x + 1, 24),
            (lambda x, y: x.add_(y), 36),
            (lambda x, y: x.copy_(y), 24),  # x is not read
            (lambda x, y: x.zero_(), 12),
            (lambda x, y: torch.add(x, 1, out=y), 24),
            (lambda x, y: torch.cat([x, y]), 48),
            (lambda x, y: x.t().contiguous(), 24),
            (lambda x, y: x[:1] + y, 6 + 12 + 12),
            (
                lambda x, y: x[:1].expand(2, 6) + y,
                6 + 12 + 12,
            ),  # a broadcast row is one row of memory
            (lambda x, y: x.view(12).unfold(0, 4, 1) + 0, 12 + 36),  # so are overlapping windows
            (lambda x, y: torch.zeros(2, 6), 12),
            (lambda x, y: x.sum(), 12 + 1),
            (lambda x, y: x @ y.t(), 12 + 12 + 4),
        ],
    )
    def test_by_hand(self, work: Callable[[torch.Tensor, torch.Tensor], Any], elements: int):
        x, y = torch.ones(2, 6), torch.ones(2, 6)
        assert moved(lambda: work(x, y)) == (F * elements, 0)

    def test_a_table_is_read_where_it_is_looked_up(self):
        """3 ids of 8 bytes, 3 rows of 5 read and written, of a table of 1000 rows."""
        table, ids = torch.nn.Embedding(1000, 5), torch.tensor([1, 2, 3])
        assert moved(lambda: table(ids), table=table) == (3 * 8 + 2 * 3 * 5 * F, 0)
        assert moved(lambda: table.weight[ids]) == (3 * 8 + 2 * 3 * 5 * F, 0)

    def test_a_cache_is_written_where_it_is_filled(self):
        cache, at, row = torch.zeros(1000, 5), torch.tensor([7]), torch.ones(1, 5)
        assert moved(lambda: cache.index_copy_(0, at, row)) == (8 + 2 * 5 * F, 0)

        def put() -> None:
            cache[at] = row

        assert moved(put) == (8 + 2 * 5 * F, 0)

    def test_what_is_computed_from_weights_alone_is_weights(self):
        """Half the weight, then a product with it:
        6 + 6 for the half, 2 + 6 + 3 for the product."""
        layer, x = torch.nn.Linear(2, 3, bias=False), torch.ones(1, 2)
        assert moved(lambda: x @ (layer.weight / 2).t(), layer=layer) == (
            F * (12 + 11),
            F * (12 + 6),
        )

    def test_memory_of_such_a_result_is_forgotten_when_it_is_freed(self):
        layer = torch.nn.Linear(64, 64, bias=False)
        half = 64 * 64 * F

        def work() -> None:
            for _ in range(50):
                _ = (
                    layer.weight / 2
                )  # freed at once, so that the activation below may lie at its address
                del _
                _ = torch.ones(64, 64)
                del _

        assert moved(work, layer=layer) == (50 * 3 * half, 50 * 2 * half)

    @pytest.mark.parametrize("outside", [True, False])
    def test_flops_are_the_same_with_it(self, outside: bool):
        model = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).train()
        x = torch.ones(2, 5, 16)

        def flops(counting: bool) -> int:
            outer, inner = byte_counter({"model": model}), FlopCounterMode(display=False)
            with torch.no_grad():
                if not counting:
                    with inner:
                        model(x)
                elif outside:
                    with outer, inner:
                        model(x)
                else:
                    with inner, outer:
                        model(x)
            return inner.get_total_flops()

        assert flops(True) == flops(False) > 0

    def test_of_stages_and_steps(self):
        """An encoder of 8 → 4; a decoder that projects 4 → 6 once and takes 4 → 3 at every step."""
        encoder, once, each = (
            torch.nn.Linear(a, b, bias=False) for a, b in ((8, 4), (4, 6), (4, 3))
        )

        def script(batch: Any, probe: Any) -> None:
            probe.stage("encoder")
            hidden = encoder(torch.empty(5, 8))
            probe.stage("decoder")
            once(hidden)
            for _ in range(3):
                each(hidden[:1])
                probe.token()

        model = torch.nn.ModuleList([encoder, once, each])
        with torch.no_grad():
            found = Flops().measure(
                make_session(
                    ScriptedSystem(script, {"encoder": encoder, "model": model}), utterances([1.0])
                )
            )
        got = {
            metric.name: metric.value
            for metric in found.metrics
            if metric.name.startswith("bytes/")
        }
        step, first = F * (4 + 12 + 3), F * (20 + 24 + 30)
        assert got == {
            "bytes/encoder": F * (40 + 32 + 20),
            "bytes/encoder_weights": F * 32,
            "bytes/decoder_first": first + step,
            "bytes/decoder_first_weights": F * (24 + 12),
            "bytes/decoder_step": step,
            "bytes/decoder_step_weights": F * 12,
        }

    def test_of_several_windows(self):
        """Each window has an encoder, a first step, and steps after it; only these are averaged."""
        layer = torch.nn.Linear(4, 4, bias=False)
        one = F * (4 + 16 + 4)

        def script(batch: Any, probe: Any) -> None:
            for steps in (2, 3):
                probe.stage("encoder")
                layer(torch.empty(1, 4))
                probe.stage("decoder")
                for i in range(steps):
                    for _ in range(5 if i == 0 else 1):
                        layer(torch.empty(1, 4))
                    probe.token()

        with torch.no_grad():
            found = Flops().measure(
                make_session(ScriptedSystem(script, {"encoder": layer}), utterances([1.0]))
            )
        got = {metric.name: (metric.value, metric.n) for metric in found.metrics}
        assert got["bytes/encoder"] == (2 * one, 1)
        assert got["bytes/decoder_first"] == (2 * 5 * one, 1)
        assert got["bytes/decoder_step"] == (one, 1 + 2)
        assert got["flops/decoder_first"] == (2 * 5 * 32, 1)
        assert got["flops/decoder_step"] == (32, 1 + 2)
