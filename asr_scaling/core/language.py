"""Codes of languages, from whatever way people and datasets write them."""

from __future__ import annotations

import functools

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


def language_name(code: str) -> str:
    """ "German (de)", or only the code where no name is known."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    names = {language_code(own): name for own, name in LANGUAGES.items()}
    return f"{names[code].title()} ({code})" if code in names else code
