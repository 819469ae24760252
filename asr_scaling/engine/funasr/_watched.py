"""A recogniser of FunASR that says which stage begins, and counts its tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asr_scaling.core.ports import NullProbe, Probe


class Watched:
    """Watches the network and the vocabulary of an ``AutoModel``.

    ``probe``: is told the stages; nobody while it is a NullProbe.
    ``tokens``: number of tokens of each text since it was emptied, in the order of the texts.
    """

    def __init__(self, library: Any) -> None:
        self.probe: Probe = NullProbe()
        self.tokens: list[int] = []
        network = library.model
        self._before(network.encoder, "forward", "encoder")
        if (predictor := getattr(network, "predictor", None)) is not None:  # Paraformer
            self._before(predictor, "forward", "decoder")
            self._after(network.decoder, "forward", "text")
            if hasattr(predictor, "get_upsample_timestamp"):
                self._before(predictor, "get_upsample_timestamp", "times")
                self._after(predictor, "get_upsample_timestamp", "text")
        else:
            self._after(network.ctc, "log_softmax", "text")
        # FunASR keeps a copy of its parts and takes them from there at every call
        tokenizer = library._base_kwargs_map["kwargs"]["tokenizer"]
        self._count(tokenizer, "decode" if hasattr(tokenizer, "bpemodel") else "ids2tokens")

    def _before(self, owner: Any, method: str, stage: str) -> None:
        """The stage begins when the method is called."""
        inner: Callable[..., Any] = getattr(owner, method)

        def called(*arguments: Any, **options: Any) -> Any:
            self.probe.stage(stage)
            return inner(*arguments, **options)

        setattr(owner, method, called)

    def _after(self, owner: Any, method: str, stage: str) -> None:
        """The stage begins when the method is over."""
        inner: Callable[..., Any] = getattr(owner, method)

        def called(*arguments: Any, **options: Any) -> Any:
            found = inner(*arguments, **options)
            self.probe.stage(stage)
            return found

        setattr(owner, method, called)

    def _count(self, tokenizer: Any, method: str) -> None:
        """Each call of the method makes one text of ids."""
        inner: Callable[..., Any] = getattr(tokenizer, method)

        def called(ids: Any, *arguments: Any, **options: Any) -> Any:
            self.tokens.append(len(ids))
            return inner(ids, *arguments, **options)

        setattr(tokenizer, method, called)
