"""In which language each utterance was transcribed, who said so, and whether that is plausible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.language import language_name, named
from asr_scaling.core.language_guess import forget, looks_like_another
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Session
from asr_scaling.core.record import Findings
from asr_scaling.core.workload import Utterance

GIVEN = "given"
STATED = "stated by the dataset"
RECOGNISED = "recognised by the model"
ONLY = "the only one of the model"
UNTOLD = "left to the model, which takes none and tells none"
_FEW = 5
"""So many languages of a model are listed."""


def spoken_language(session: Session, scored: bool) -> Findings:
    """The languages as tags, and cautions where they are not those of the speech.

    ``scored``: hypotheses are compared with references, so that their language matters.
    """
    model = session.model
    transcribed = [u for u in session.workload.utterances if u.id in session.hypotheses]
    languages = Counter(_language(session, u) or "not told" for u in transcribed)
    sources = Counter(_source(model, u, bool(session.languages)) for u in transcribed)
    if not transcribed:
        return Findings()
    tags = {"language": _counted(languages), "language/source": _counted(sources)}
    if not scored or session.system.facts.random:
        return Findings(tags=tags)
    cautions = tuple(_cautions(session))
    forget()
    return Findings(cautions=cautions, tags=tags)


def _language(session: Session, utterance: Utterance) -> str | None:
    """What an utterance was transcribed in; None where the model does not tell it."""
    if len(session.model.codes) == 1:
        return session.model.codes[0]
    return session.languages.get(utterance.id)


def _source(model: ModelSpec, utterance: Utterance, told: bool) -> str:
    if len(model.languages) == 1:
        return ONLY
    if not told:
        return UNTOLD
    if model.asked_for(utterance.language) is None:
        return RECOGNISED
    return GIVEN if model.language is not None else STATED


def _counted(names: Counter[str]) -> str:
    """ "de", or "de 14, nl 2"."""
    if len(names) == 1:
        return next(iter(names))
    return ", ".join(f"{name} {count}" for name, count in names.most_common())


def _cautions(session: Session) -> Iterator[Caution]:
    """One for each language that utterances were transcribed in and that was another one."""
    groups: dict[str | None, list[Utterance]] = {}
    for utterance in session.workload.utterances:
        groups.setdefault(_language(session, utterance), []).append(utterance)
    for language, group in groups.items():
        references = tuple(utterance.reference for utterance in group)
        expected = session.model.codes if language is None else [language]
        looks = looks_like_another(references, expected)
        others = {u.language for u in group if u.language and u.language not in expected}
        if looks is not None:
            seen = f"their references look like {language_name(looks)}"
        elif others and expected:
            seen = f"the dataset states {named(sorted(others))}"
        else:
            continue
        really = {looks} if looks else others
        yield _caution(session, group, language, seen, known=really <= set(session.model.codes))


def _caution(
    session: Session, group: list[Utterance], language: str | None, seen: str, known: bool
) -> Caution:
    model = session.model
    facts = {"count": len(group), "all": len(session.workload.utterances), "seen": seen}
    if known or not model.codes:
        source = _counted(Counter(_source(model, u, bool(session.languages)) for u in group))
        spoken = "a language" if language is None else language_name(language)
        return caution("LanguageMismatch", **facts, language=spoken, source=source)
    few = len(model.codes) <= _FEW
    knows = named(model.codes) if few else f"{len(model.codes)} other languages"
    return caution("LanguageUnknownToModel", **facts, model=model.name, knows=knows)
