"""Codes of languages, from whatever way people and datasets write them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from asr_scaling.core.workload import Utterance
from asr_scaling.errors import ConfigError
from asr_scaling.util.config_dir import conf_dir, read_yaml

AUTO = "auto"
"""Stands for a language that the model recognises."""
_FEW = 3
"""So many languages or models are listed in a message."""
_BOKMAL = {"nb": "no"}
"""Norwegian speech is nearly always Bokmål, and models call it "no"."""
_NONE = ("und", "mul", "mis", "zxx")
"""Valid codes that stand for no single language."""


@functools.cache
def language_code(text: str | bool) -> str | None:
    """The ISO 639-1 code of a language, or its longer code where it has none there ("yue").

    ``text``: a code or tag in any of the usual ways ("de", "de-DE", "de_de", "deu", "cmn_hans_cn"),
    or the English name of a language that Whisper knows ("german").
    Older and regional codes become the usual one: "iw" and "he" are both "he", "jw" is "jv", "nb"
    is "no", "cmn" is "zh".
    YAML reads an unquoted "no" as False, which is Norwegian here.
    None when there is no such language.
    """
    import langcodes

    name = "no" if text is False else str(text).strip().lower()
    try:
        tag = langcodes.standardize_tag(name, macro=True)
        code = langcodes.Language.get(tag).language
    except ValueError:
        code = None
    if code and langcodes.Language.get(code).is_valid():
        return None if code in _NONE else _BOKMAL.get(code, code)
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    named = TO_LANGUAGE_CODE.get(name)
    return language_code(named) if named else None


def language_of(utterance: Utterance, asked: str | bool | None) -> str | None:
    """The language that the dataset or else the user states; None where neither does.

    asked: the model's option ``language``.
    """
    return utterance.language or (None if asked in (None, AUTO) else language_code(asked))


def language_name(code: str) -> str:
    """ "German (de)", or only the code where no name is known."""
    name = english_name(code)
    return f"{name.title()} ({code})" if name else code


def english_name(code: str) -> str | None:
    """ "german" of "de", as Whisper calls it; None where no name is known."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    names = {language_code(own): name for own, name in LANGUAGES.items()}
    return names.get(code)


def check_language(model: str, language: str | bool | None, known: Sequence[str]) -> None:
    """Raises ConfigError unless ``model`` can be asked for ``language``, with those that can.

    ``known``: the languages of the model; empty where they are not known.
    """
    if language is None or language == AUTO:
        return
    code = language_code(language)
    if code is None:
        raise ConfigError(
            f"language={language} is no language: give a code such as en, de or yue (a model's "
            "are in its YAML under languages), an English name such as german, or auto."
        )
    if not known or code in map(language_code, known):
        return
    own = f"only {named(known)}" if len(known) <= _FEW else f"{len(known)} other languages"
    others = [name for name, codes in _models().items() if code in map(language_code, codes)]
    *most, last = get_close_matches(model, others, _FEW, 0) or ["a model that knows it"]
    remedy = f"choose {', '.join(most)} or {last}" if most else f"choose {last}"
    raise ConfigError(
        f"language={language} can't work with '{model}', which knows {own}: {remedy}, or leave "
        "language out."
    )


def named(codes: Iterable[str]) -> str:
    """ "German (de), French (fr)"."""
    return ", ".join(language_name(language_code(code) or code) for code in codes)


def _models() -> dict[str, Sequence[str]]:
    """Name → languages of every model that this package has a YAML of."""
    paths = sorted((conf_dir() / "model").glob("*.yaml"))
    return {path.stem: read_yaml(path).get("languages") or () for path in paths}
