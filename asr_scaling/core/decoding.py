"""How a text is searched for among all that a model could say: greedily, by beams, by samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from asr_scaling.core.looping import COMPRESSION, compression_ratio
from asr_scaling.core.option_checks import must_be


@dataclass(frozen=True)
class Decoding:
    """One rule for every engine: what is decoded first, what is decoded again, and how.

    ``beam``: hypotheses of the beam search at temperature 0; 1 is greedy.
    ``temperatures``: tried in turn for as long as a hypothesis fails; 0 alone decodes once.
    ``best_of``: texts that are drawn at a temperature above 0; the most probable one counts.
    ``compression_ratio``: a text that zlib makes smaller than by this fails; None: none does.
    ``log_probability``: a text whose mean log-probability of a token is lower fails; None: none
    does.
    ``no_speech``: a text of so low a probability is silence where the model gives its token for
    "no speech" more than this probability; None: nothing is silence.

    The last three count only where there are several temperatures. The rule and its numbers are
    those of openai/whisper, transcribe.py. Raises ConfigError for values that make no sense.
    """

    beam: int = 1
    temperatures: Sequence[float] = (0.0,)
    best_of: int = 5
    compression_ratio: float | None = COMPRESSION
    log_probability: float | None = -1.0
    no_speech: float | None = 0.6

    def __post_init__(self) -> None:
        object.__setattr__(self, "temperatures", _numbers(self.temperatures))
        rising = all(a < b for a, b in zip(self.temperatures, self.temperatures[1:], strict=False))
        begins = self.temperatures[:1] == (0.0,) and self.temperatures[-1] <= 1
        shown, bound = list(self.temperatures), "a list of rising numbers, the first 0, none over 1"
        must_be("decoding.temperatures", shown, rising and begins, bound)
        for name in ("beam", "best_of"):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            must_be(f"decoding.{name}", value, whole, "a whole number, at least 1")
        for name, low, high, bound in _BOUNDS:
            value = getattr(self, name)
            fits = value is None or (_number(value) and low <= value <= high)
            must_be(f"decoding.{name}", value, fits, f"{bound}, or null")

    @property
    def falls_back(self) -> bool:
        """True when what fails is decoded again at a higher temperature."""
        return len(self.temperatures) > 1

    @property
    def greedy(self) -> bool:
        """True when the most likely token is taken at every step, once."""
        return self.beam == 1 and not self.falls_back

    @property
    def name(self) -> str:
        """ "greedy", "beam", "fallback" or "beam_fallback", as the YAMLs are called."""
        words = ["beam"] * (self.beam > 1) + ["fallback"] * self.falls_back
        return "_".join(words) or "greedy"

    def repeats(self, text: str) -> bool:
        """True when ``text`` is too repetitive."""
        bound = self.compression_ratio
        return bound is not None and compression_ratio(text) > bound

    def improbable(self, mean: float | None) -> bool:
        """True when ``mean``, the log-probability of a token, is too low; unknown is not."""
        bound = self.log_probability
        return bound is not None and mean is not None and mean < bound

    def to_json(self) -> dict[str, Any]:
        """Name and options; those that do nothing here are left out."""
        options = asdict(self) | {"temperatures": list(self.temperatures)}
        if not self.falls_back:
            options = {"beam": self.beam}
        return {"name": self.name, **options}


def decoding_name(system: Mapping[str, Any], choices: Mapping[str, str]) -> str:
    """The decoding of a record by name: as chosen, else by what it does.

    ``system``: the record's. ``choices``: group → the name that was chosen in it.
    Records that don't say were decoded greedily.
    """
    told = system.get("decoding")
    name = told.get("name") if isinstance(told, Mapping) else None
    return str(choices.get("decoding") or name or GREEDY.name)


def with_decoding(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a record as they are called now: older ones have ``engine.beam``."""
    engine = config.get("engine")
    if not isinstance(engine, Mapping) or "beam" not in engine:
        return config
    moved = {**config, "engine": {key: own for key, own in engine.items() if key != "beam"}}
    if engine["beam"] == 1 or "decoding" in config:
        return moved
    hydra = dict(config.get("hydra") or {})
    choices = {**(hydra.get("choices") or {}), "decoding": "beam"}
    options = {"beam": engine["beam"], "temperatures": list(GREEDY.temperatures)}
    return {**moved, "decoding": options, "hydra": {**hydra, "choices": choices}}


_BOUNDS = (
    ("compression_ratio", 0.0, 1e6, "at least 0"),
    ("log_probability", -1e6, 0.0, "at most 0"),
    ("no_speech", 0.0, 1.0, "from 0 to 1"),
)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _numbers(values: Any) -> tuple[float, ...]:
    """Empty where ``values`` is no list of numbers."""
    numbers = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
    return tuple(map(float, numbers)) if all(map(_number, numbers)) else ()


GREEDY = Decoding()
"""What is decoded where nobody says anything."""
