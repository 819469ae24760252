"""Greedy decoding of windows of any length up to 30 s, which ``generate`` can't do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from asr_scaling.engine._shared.whisper import hear
from asr_scaling.engine.transformers._decoder import Cache, Decoder
from asr_scaling.model.whisper import Prompts

if TYPE_CHECKING:
    import torch

    Choose = Callable[[torch.Tensor, bool], torch.Tensor]
    """``(logits [rows, vocabulary], whether they are of the first token) → tokens [rows]``."""


@dataclass(frozen=True)
class Rules:
    """What the library's ``generate`` obeys with the same model.

    ``prompts``: tokens before the first one chosen, by language.
    ``never``: tokens that are never chosen.
    ``not_first``: tokens that are not chosen first.
    ``end``: the end of text.
    """

    prompts: Prompts
    never: tuple[int, ...]
    not_first: tuple[int, ...]
    end: int

    @classmethod
    def of(cls, model: Any, prompts: Prompts) -> Rules:
        """From the model's generation configuration."""
        config = model.generation_config
        end = config.eos_token_id
        return cls(
            prompts=prompts,
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
        self.most = self.decoder.longest - rules.prompts.tokens
        self.device = device
        self._prompts: dict[str | None, torch.Tensor] = {}
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
        languages: list[str | None] | None = None,
    ) -> list[list[int]]:
        """Tokens of every utterance of ``encoded [utterances, frames, width]``.

        ``most``: most tokens of each utterance.
        ``stepped``: called after every step.
        ``ends``: False for random weights, which decode ``most`` tokens.
        ``languages``: of each utterance. None, for one that the model is to recognise, is replaced
        by what it recognises.
        """
        languages = [None] * len(most) if languages is None else languages
        rows: list[list[int]] = [[] for _ in most]
        limits = [min(n, self.most) for n in most]
        steps = self.start(encoded, self.rules.prompts.tokens + max(limits), languages)
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

    def start(
        self,
        encoded: torch.Tensor,
        positions: int,
        languages: list[str | None],
        choose: Choose | None = None,
    ) -> Steps:
        """Begin to decode ``encoded``.

        ``positions``: most tokens, the prompt among them.
        ``choose``: chooses tokens in place of ``self.choose``.
        """
        cache = self.decoder.start(encoded, positions)
        return _Shrinking(self, cache, self.prompt(cache, languages), choose or self.choose)

    def prompt(self, cache: Cache, languages: list[str | None]) -> torch.Tensor:
        """The prompt of every utterance: (utterances, tokens). ``languages``: as for ``decode``."""
        import torch

        if self.rules.prompts.languages:
            hear(languages, partial(self._recognised, cache))
        for code in set(languages) - set(self._prompts):
            self._prompts[code] = torch.tensor([self.rules.prompts.of(code)], device=self.device)
        if len(set(languages)) == 1:
            return self._prompts[languages[0]].expand(cache.rows, -1)
        return torch.cat([self._prompts[code] for code in languages])

    def _recognised(self, cache: Cache) -> list[str]:
        """The most likely language of every utterance, by a step on the first token alone."""
        import torch

        prompts = self.rules.prompts
        start = torch.full((cache.rows, 1), prompts.start, device=self.device)
        logits = self.decoder.step(start, 0, cache)[:, list(prompts.languages.values())]
        codes = list(prompts.languages)
        return [codes[i] for i in logits.argmax(-1).tolist()]

    def no_speech(self, encoded: torch.Tensor) -> float:
        """The probability of the token for "no speech" in ``encoded [1, frames, width]``."""
        import torch

        prompts = self.rules.prompts
        start = torch.full((1, 1), prompts.start, device=self.device)
        logits = self.decoder.step(start, 0, self.decoder.start(encoded, 1))
        return float(logits[0].float().softmax(-1)[prompts.no_speech])

    def choose(self, logits: torch.Tensor, first: bool) -> torch.Tensor:
        """The most likely token that is allowed, for each row of ``logits``, which are changed."""
        return self.allowed(logits, first).argmax(-1)

    def allowed(self, logits: torch.Tensor, first: bool) -> torch.Tensor:
        """``logits``, which are changed: minus infinity for tokens that may not be chosen."""
        banned = self._not_first if first else self._never
        return logits.index_fill_(1, banned, float("-inf"))


class _Shrinking:
    """Utterances that have ended leave the batch; the one in the last slot takes the place."""

    def __init__(self, greedy: Greedy, cache: Cache, prompts: torch.Tensor, choose: Choose) -> None:
        self._greedy, self._position = greedy, 0
        self._cache, self._tokens = cache, prompts
        self._choose = choose
        self.alive = {i: i for i in range(self._cache.rows)}

    def step(self) -> Sequence[int]:
        """The next token of every slot."""
        logits = self._greedy.decoder.step(self._tokens, self._position, self._cache)
        chosen = self._choose(logits, self._position == 0)
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
