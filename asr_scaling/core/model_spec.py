"""ModelSpec: what the user wrote about a model in ``conf/model/<name>.yaml``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_scaling.core.language import AUTO, check_language, language_code
from asr_scaling.core.option_checks import must_be, one_of
from asr_scaling.errors import ConfigError
from asr_scaling.util.config_dir import conf_dir

WEIGHTS = ("auto", "pretrained", "random")
LONGEST_NAME = 100
"""Characters of a model's name, so that a folder and a row of a table can be called after it."""
_NO_SIZES = {
    "auto_map",
    "trust_remote_code",
    "attn_implementation",
    "_attn_implementation",
    "_name_or_path",
    "quantization_config",
    "use_kernels",
}
"""Keys of a transformers configuration that make it load code or files from elsewhere."""


@dataclass(frozen=True)
class ModelSpec:
    """One model, as data.

    name: the name of the YAML.
    hub_id: repository on the Hugging Face hub.
    revision: commit of that repository.
    licence: of the weights.
    family: how it is decoded: whisper, ctc, tdt or moonshine; also the engine's adapter module.
    model_type: transformers' name of the architecture.
    parameters: published number of parameters; tied tensors count once.
    architecture: keyword arguments of the transformers configuration, with the exact sizes, so
        that random weights have the shapes of the published ones.
    features: ``feature_extractor_type`` (a transformers class) and its keyword arguments.
    window_s: seconds of audio the encoder always sees (Whisper: 30); None if it varies.
    tokens_per_s: decoded tokens per second of English speech, which fixes the decoding length of
        random weights; None if the decoding length does not depend on the text (CTC).
    multilingual: whether it is asked for a language (Whisper), or knows several.
    languages: codes of the languages that it was trained to transcribe, as its authors write them;
        empty where they are not known.
    language: what it is asked to transcribe: a code, "auto" to have every utterance's language
        recognised, or None for what an utterance states, else "auto". False is YAML's reading
        of "no", which is Norwegian.
    published: the parameter count as its authors print it ("39 M"), or empty.
    weights: "auto", "pretrained" or "random".
    path: folder with weights in the hub's layout, preferred over any other place; or None.
    trust_remote_code: whether transformers may run code that comes with the weights.
    """

    name: str
    hub_id: str
    revision: str
    licence: str
    family: str
    model_type: str
    parameters: int
    architecture: Mapping[str, Any]
    features: Mapping[str, Any]
    window_s: float | None = None
    tokens_per_s: float | None = None
    multilingual: bool = False
    languages: Sequence[str] = ()
    language: str | bool | None = None
    published: str = ""
    weights: str = "auto"
    path: str | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        fits = len(str(self.name).strip()) > 0 and len(str(self.name)) <= LONGEST_NAME
        name = f"{str(self.name)[:20]}…" if len(str(self.name)) > LONGEST_NAME else self.name
        must_be("model.name", f"'{name}'", fits, f"a name of 1 to {LONGEST_NAME} characters")
        one_of("model.weights", self.weights, WEIGHTS)
        if self.parameters <= 0:
            raise ConfigError(f"model.parameters of '{self.name}' must be a positive number.")
        if not isinstance(self.trust_remote_code, bool):
            raise ConfigError(
                f"model.trust_remote_code must be true or false; got '{self.trust_remote_code}'."
            )
        if refused := sorted(_NO_SIZES & set(self.architecture)):
            raise ConfigError(f"model.architecture is for sizes: leave out {', '.join(refused)}.")
        check_language(self.name, self.language, self.languages)

    @property
    def codes(self) -> list[str]:
        """``languages`` as ``core/language.py`` writes them."""
        return [language_code(own) or own for own in self.languages]

    def asked_for(self, stated: str | None) -> str | None:
        """The language that an utterance is transcribed in; None where it is to be recognised.

        stated: what the utterance states, as a code of ``core/language.py``.
        """
        known = self.codes
        if len(known) == 1:
            return known[0]
        if self.language is not None:
            return None if self.language == AUTO else language_code(self.language)
        return stated if stated in known or not known else None

    def planned_tokens(self, seconds: float) -> int:
        """Tokens in ``seconds`` of speech, at least 1: the decoding length of random weights."""
        return max(1, round(seconds * (self.tokens_per_s or 0.0)))


def load_spec(model: str | Path, **options: Any) -> ModelSpec:
    """The spec in ``conf/model/<model>.yaml``, or in a YAML file.

    model: name of the spec, or path of a file that ends in ".yaml".
    options: field of the spec → value that replaces the file's.

    Raises ConfigError when there is no such file or when it does not describe a model.
    """
    from omegaconf import OmegaConf

    named = conf_dir() / "model" / f"{model}.yaml"
    path = Path(model) if str(model).endswith(".yaml") else named
    if not os.path.isfile(path):
        raise ConfigError(
            f"There is no model '{model}'; choose a YAML of {path.parent} or give a path to one."
        )
    data: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    try:
        return ModelSpec(**{**data, **options})
    except TypeError as error:
        raise ConfigError(f"{path} does not describe a model: {error}.") from error
