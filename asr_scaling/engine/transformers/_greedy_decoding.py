"""Greedy decoding of windows of any length up to 30 s, which ``generate`` can't do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from asr_scaling.engine.transformers._decoder import Decoder

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Rules:
    """What the library's ``generate`` obeys with the same model.

    ``prompt``: tokens before the first one chosen.
    ``never``: tokens that are never chosen.
    ``not_first``: tokens that are not chosen first.
    ``end``: the end of text.
    """

    prompt: tuple[int, ...]
    never: tuple[int, ...]
    not_first: tuple[int, ...]
    end: int

    @classmethod
    def of(cls, model: Any, multilingual: bool) -> Rules:
        """From the model's generation configuration: English, transcribed, without timestamps."""
        config = model.generation_config
        prompt = [config.decoder_start_token_id or model.config.decoder_start_token_id]
        if multilingual:
            prompt += [config.lang_to_id["<|en|>"], config.task_to_id["transcribe"]]
        prompt.append(config.no_timestamps_token_id)
        end = config.eos_token_id
        return cls(
            prompt=tuple(prompt),
            never=tuple(config.suppress_tokens or ()),
            not_first=tuple(config.begin_suppress_tokens or ()),
            end=end[0] if isinstance(end, list) else end,
        )


class Steps(Protocol):
    """The decoding of one batch under way.

    ``alive``: slot → utterance, of those that have not ended.
    """

    alive: dict[int, int]

    def step(self) -> Sequence[int]:
        """The next token of every slot."""
        ...

    def leave(self, over: Sequence[int]) -> None:
        """The utterances in the slots ``over`` have ended."""
        ...


class Greedy:
    """The most likely token at every step, until every utterance has ended.

    ``capture_s``: seconds spent on capturing steps so far; None, since nothing is captured here.
    """

    capture_s: float | None = None

    def __init__(self, model: Any, rules: Rules, device: torch.device) -> None:
        import torch

        self.rules, self.decoder = rules, Decoder(model)
        self.most = self.decoder.longest - len(rules.prompt)
        self._prompt = torch.tensor([rules.prompt], device=device)
        self._never = torch.tensor(rules.never, dtype=torch.long, device=device)
        self._not_first = torch.tensor(
            rules.never + rules.not_first, dtype=torch.long, device=device
        )

    def decode(
        self,
        encoded: torch.Tensor,
        most: Sequence[int],
        stepped: Callable[[], None],
        ends: bool = True,
    ) -> list[list[int]]:
        """Tokens of every utterance of ``encoded [utterances, frames, width]``.

        ``most``: most tokens of each utterance.
        ``stepped``: called after every step.
        ``ends``: False for random weights, which decode ``most`` tokens.
        """
        rows: list[list[int]] = [[] for _ in most]
        limits = [min(n, self.most) for n in most]
        steps = self.start(encoded, len(self.rules.prompt) + max(limits))
        while steps.alive:
            tokens, over = steps.step(), []
            stepped()
            for slot, i in steps.alive.items():
                ended = ends and tokens[slot] == self.rules.end
                if not ended:
                    rows[i].append(tokens[slot])
                if ended or len(rows[i]) == limits[i]:
                    over.append(slot)
            steps.leave(over)
        return rows

    def start(self, encoded: torch.Tensor, positions: int) -> Steps:
        """Begin to decode ``encoded``; ``positions``: most tokens, the prompt among them."""
        return _Shrinking(self, encoded, positions)

    def prompt(self, rows: int) -> torch.Tensor:
        """The prompt of every utterance: (utterances, tokens)."""
        return self._prompt.expand(rows, -1)

    def choose(self, logits: torch.Tensor, first: bool) -> torch.Tensor:
        """The most likely token that is allowed, for each row of ``logits``, which are changed."""
        banned = self._not_first if first else self._never
        return logits.index_fill_(1, banned, float("-inf")).argmax(-1)


class _Shrinking:
    """Utterances that have ended leave the batch; the one in the last slot takes the place."""

    def __init__(self, greedy: Greedy, encoded: torch.Tensor, positions: int) -> None:
        self._greedy, self._position = greedy, 0
        self._cache = greedy.decoder.start(encoded, positions)
        self._tokens = greedy.prompt(self._cache.rows)
        self.alive = {i: i for i in range(self._cache.rows)}

    def step(self) -> Sequence[int]:
        """The next token of every slot."""
        logits = self._greedy.decoder.step(self._tokens, self._position, self._cache)
        chosen = self._greedy.choose(logits, first=self._position == 0)
        self._position += self._tokens.shape[1]
        self._tokens = chosen[:, None]
        return chosen.tolist()

    def leave(self, over: Sequence[int]) -> None:
        """From the last slot to the first, so that what takes a place has not ended itself."""
        for slot in sorted(over, reverse=True):
            self._cache.drop(slot, self._position)
            last = self._cache.rows
            moved = self.alive.pop(last)
            if slot != last:
                self.alive[slot] = moved
                self._tokens[slot] = self._tokens[last]
            self._tokens = self._tokens[:last]
