"""The waterfall: from the baseline's speed to the winner's, a bar for each step, with intervals."""

from __future__ import annotations

import math

from asr_scaling.analysis.comparison.word_loss_text import wer_change
from asr_scaling.report.document import Figure, Keys
from asr_scaling.report.optimise.wording import goal, times, waterfall
from asr_scaling.report.output.bars import FASTER, GAIN, SLOWER, Bar, draw_bars
from asr_scaling.report.output.drawing import FigureBuilder
from asr_scaling.search.outcome import Answer
from asr_scaling.search.speedup import Gain

_BAR_IN, _FRAME_IN = 0.42, 1.3
"""Height of a bar, and of what is around all of them, in inches."""


def bars(answer: Answer, keys: Keys) -> list[Bar]:
    """One for each step, each beginning where the one before it ended, and one for all together."""
    steps, speed = list[Bar](), 1.0
    for step in answer.steps:
        colour = GAIN if step.gain.factor >= 1 else SLOWER
        steps.append(_bar(step.name, step.gain, speed, colour, keys))
        speed = steps[-1].high
    return [*steps, _bar("together", answer.total, 1.0, FASTER, keys)]


def _bar(name: str, gain: Gain, speed: float, colour: str, keys: Keys) -> Bar:
    """``gain`` on top of ``speed``, which is taken as exact."""
    ends = (speed * gain.interval.low, speed * gain.interval.high) if gain.interval else None
    title = f"{name}: {times(gain)}, {wer_change(gain.loss)}"
    return Bar(name, speed, speed * gain.factor, ends, colour, keys, title, times(gain))


def drawn(answer: Answer, keys: Keys) -> Figure:
    """Steps from above; one that slows points left. keys: what the page's filter goes by."""
    steps = bars(answer, keys)
    height = _FRAME_IN + _BAR_IN * len(steps)
    builder = FigureBuilder(f"optimise-waterfall-b{answer.batch}", height=height)
    draw_bars(builder, builder.axes[0], steps)
    baseline = f"{answer.baseline.candidate.label} at batch {answer.batch}"
    builder.titles(builder.axes[0], f"speed, as a multiple of {baseline}", "")
    return builder.figure(
        f"{goal(answer)}: {_caption(answer)}", f"Waterfall of gains in speed: {waterfall(answer)}."
    )


def _caption(answer: Answer) -> str:
    where = "steps by the few utterances of the search, the whole by the final"
    product = math.prod(step.gain.factor for step in answer.steps)
    alike = abs(product / answer.total.factor - 1) < 0.02
    apart = "" if alike else f"; the steps multiply to {product:.2f} ×"
    return f"what each step gained over the one before it, with 95 % intervals; {where}{apart}."
