"""Who is decoded again, and how: one mechanism for every engine, batch and optimisation.

A batch is decoded by a plan of steps. The first is at temperature 0. Utterances whose hypothesis
fails, and only these, go on to the next step: from a short window (short_window.py) to the whole
one, then to rising temperatures (core/decoding.py). An engine offers one function that decodes a
batch as a step asks for. Each step runs the encoder anew, as openai/whisper, transcribe.py does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from asr_scaling.core.decoding import Decoding
from asr_scaling.core.ports import Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.short_window import looped, most_tokens, window_s


@dataclass(frozen=True)
class Step:
    """What an engine is asked for.

    ``temperature``: 0 for a search by ``beam`` (1 is greedy), else ``best_of`` samples are drawn
    for each utterance and the most probable one counts.
    ``scored``: whether log-probabilities are asked for.
    ``seed``: of the samples.
    ``window_s``: seconds that the encoder sees; None for its whole window.
    ``most``: most tokens; None for as many as the model can decode.
    """

    temperature: float = 0.0
    beam: int = 1
    best_of: int = 1
    scored: bool = False
    seed: int = 0
    window_s: float | None = None
    most: int | None = None

    @property
    def sampled(self) -> bool:
        """True when texts are drawn."""
        return self.temperature > 0


@dataclass(frozen=True)
class Hypothesis:
    """What an engine heard.

    ``tokens``: number of them that carry the text.
    ``mean``: mean log-probability of its tokens and of the end of text; None if not asked for.
    ``language``: code of its language; None where the model has no choice.
    """

    text: str
    tokens: int
    mean: float | None = None
    language: str | None = None


@dataclass(frozen=True)
class Decoded:
    """A batch after one step.

    ``steps``: passes of the decoder over the whole batch.
    ``no_speech``: gives, for the number of an utterance in the batch, the probability of the token
    for "no speech"; it is only asked where it matters. None for models without such a token.
    """

    hypotheses: Sequence[Hypothesis]
    steps: int
    no_speech: Callable[[int], float] | None = None

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        counts: Sequence[int],
        steps: int,
        means: Sequence[float] | None = None,
        *,
        languages: Sequence[str] = (),
        no_speech: Callable[[int], float] | None = None,
    ) -> Decoded:
        """From one value an utterance, in the batch's order; of ``languages`` one each or none."""
        nothing = [None] * len(texts)
        rows = zip(texts, counts, means or nothing, languages or nothing, strict=True)
        return cls([Hypothesis(*row) for row in rows], steps, no_speech)


Attempt = Callable[[AudioBatch, Step], Decoded]
"""An engine's way to decode a batch as a step asks for."""


@dataclass
class _Utterance:
    """How far the decoding of one utterance is."""

    seconds: float
    best: Hypothesis = field(default_factory=lambda: Hypothesis("", 0))
    temperature: float = 0.0
    decodings: int = 0


@dataclass(frozen=True)
class Plan:
    """How an engine decodes.

    ``decoding``: the rule.
    ``seed``: of samples.
    ``margin_s``: ``window_margin_s`` of the engine's options; None for whole windows.
    ``whole_s``: seconds of the whole window.
    ``guarded``: False for random weights, whose texts mean nothing: nothing is decoded again.
    """

    decoding: Decoding
    seed: int = 0
    margin_s: float | None = None
    whole_s: float = 30.0
    guarded: bool = True

    def steps(self, batch: AudioBatch) -> list[Step]:
        """What is tried in turn, for as long as something fails."""
        rule, short = self.decoding, None
        if self.margin_s is not None:
            short = window_s(batch, self.margin_s, self.whole_s)
        whole = Step(beam=rule.beam, scored=self._judged, seed=self.seed)
        if not self.guarded:
            return [Step(beam=rule.beam, seed=self.seed, window_s=short)]
        first = [] if short is None else [self._short(batch, short)]
        warmer = [
            Step(temperature, 1, rule.best_of, True, self.seed + number)
            for number, temperature in enumerate(rule.temperatures[1:], start=1)
        ]
        return [*first, whole, *warmer]

    @property
    def _judged(self) -> bool:
        return self.guarded and self.decoding.falls_back

    def _short(self, batch: AudioBatch, short: float) -> Step:
        bound = most_tokens(batch.longest_s)
        return Step(
            beam=self.decoding.beam,
            scored=self._judged,
            seed=self.seed,
            window_s=short,
            most=bound,
        )

    def transcribe(self, batch: AudioBatch, attempt: Attempt) -> Transcription:
        """Decode ``batch``, and again what fails."""
        states = [_Utterance(seconds) for seconds in batch.durations_s]
        left, steps = list(range(len(batch))), 0
        planned = self.steps(batch)
        for step in planned:
            failed = list[int]()
            for part in _parts(left, self._at_once(batch, planned[0], step)):
                decoded = attempt(AudioBatch(tuple(batch.utterances[i] for i in part)), step)
                steps += decoded.steps
                for number, i in enumerate(part):
                    state = states[i]
                    state.best, state.temperature = decoded.hypotheses[number], step.temperature
                    state.decodings += 1
                    if self._judge(state, step, decoded, number):
                        failed.append(i)
            left = failed
            if not left:
                break
        return Transcription(
            tuple(state.best.text for state in states),
            tuple(state.best.tokens for state in states),
            batch.durations_s,
            steps,
            sum(state.decodings > 1 for state in states),
            tuple(state.temperature for state in states),
            tuple(state.decodings for state in states),
            tuple(state.best.language for state in states if state.best.language is not None),
        )

    def _at_once(self, batch: AudioBatch, first: Step, step: Step) -> int:
        """Utterances that are decoded at once: no step hears more audio than the first one.

        Twelve windows of 5 s are followed by two whole ones at a time, which bounds memory.
        """
        if first.window_s is None or step.window_s is not None:
            return len(batch)
        return max(1, int(len(batch) * first.window_s / self.whole_s))

    def _judge(self, state: _Utterance, step: Step, decoded: Decoded, number: int) -> bool:
        """True when the hypothesis fails; silence does not, and its text is dropped."""
        heard, rule = state.best, self.decoding
        guard = step.most is not None and looped(heard.text, heard.tokens, state.seconds)
        if not self._judged:
            return guard
        improbable = rule.improbable(heard.mean)
        if improbable and self._silent(decoded, number):
            state.best = replace(heard, text="", tokens=0)
            return False
        return guard or improbable or rule.repeats(heard.text)

    def _silent(self, decoded: Decoded, number: int) -> bool:
        bound, probability = self.decoding.no_speech, decoded.no_speech
        return bound is not None and probability is not None and probability(number) > bound


def _parts(numbers: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    """``most`` of the ``numbers`` at a time, in their order."""
    return (numbers[start : start + most] for start in range(0, len(numbers), most))
