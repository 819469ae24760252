"""The language of every utterance in the record: who said it, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from support.fakes import FakeClock, make_job, make_spec, noise, workload

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.record import RunRecord
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine.fake import Fake, FakeSystem
from asr_scaling.measure.job import run
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.quality import Quality

ENGLISH = "the weather is fine today and we are going to walk along the river after lunch"
GERMAN = "das Wetter ist heute schön und nach dem Essen gehen wir am Fluss spazieren"


@dataclass(frozen=True)
class Speech:
    """Utterances of (reference, stated language)."""

    said: Sequence[tuple[str, str | None]]
    name: str = "speech"

    def load(self, limit: int | None):
        found = [
            replace(noise(1.0, f"u{i}"), reference=text, language=language)
            for i, (text, language) in enumerate(self.said)
        ]
        return workload(found)


class Hearing(FakeSystem):
    """Recognises the languages that it is told, in turn."""

    heard: tuple[str, ...] = ()

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        asked = [self._model.asked_for(u.language) for u in batch.utterances]
        heard = [self.heard[int(u.id[1:])] for u in batch.utterances]
        told = tuple(code or own for code, own in zip(asked, heard, strict=True))
        return replace(super().transcribe(batch, probe), languages=told)


@dataclass(frozen=True)
class Ears(Fake):
    heard: tuple[str, ...] = ()

    def load(self, model: ModelSpec, device: object) -> Hearing:
        system = Hearing(self, model)
        system.heard = self.heard
        return system


def measured(
    said: Sequence[tuple[str, str | None]],
    heard: tuple[str, ...] = (),
    scored: bool = True,
    **model: object,
) -> RunRecord:
    options = {"multilingual": True, "languages": ("en", "de", "fr", "jw")} | model
    clock = FakeClock()
    engine = (Ears if heard else Fake)(sleep=clock.sleep, **({"heard": heard} if heard else {}))
    profilers = {"latency": Latency()} | ({"quality": Quality()} if scored else {})
    job = make_job(
        clock,
        model=make_spec(**options),
        dataset=Speech(said),
        profiler=profilers,
    )
    record = run(replace(job, system=replace(job.system, engine=engine)))
    assert record.status == "ok", record.reason
    return record


def cautions(record: RunRecord) -> list[str]:
    return [c.message for c in record.cautions if c.kind.startswith("Language")]


def test_what_the_dataset_states_is_asked_for():
    record = measured([(GERMAN, "de"), (ENGLISH, "en")])
    assert record.tags["language"] == "de 1, en 1"
    assert record.tags["language/source"] == "stated by the dataset"
    assert [row["transcribed_in"] for row in record.transcripts] == ["de", "en"]
    assert cautions(record) == []


def test_what_nobody_states_is_recognised():
    record = measured([(GERMAN, None), (ENGLISH, None)], heard=("de", "en"))
    assert record.tags["language/source"] == "recognised by the model"
    assert [row["transcribed_in"] for row in record.transcripts] == ["de", "en"]
    assert cautions(record) == []


@pytest.mark.parametrize("written", ["de", "german", "de-DE"])
def test_what_is_given_is_asked_for_whatever_the_dataset_states(written):
    record = measured([(GERMAN, "de"), (ENGLISH, "en")], language=written)
    assert (record.tags["language"], record.tags["language/source"]) == ("de", "given")
    assert [row["transcribed_in"] for row in record.transcripts] == ["de", "de"]
    assert [row["language"] for row in record.transcripts] == ["de", "en"]


def test_auto_recognises_what_is_stated_too():
    record = measured([(GERMAN, "de")], heard=("fr",), language="auto")
    assert (record.tags["language"], record.tags["language/source"]) == (
        "fr",
        "recognised by the model",
    )
    (message,) = cautions(record)
    assert message == (
        "1 of 1 utterances were transcribed in French (fr), recognised by the model, and their "
        "references look like German (de)."
    )


def test_references_of_another_language_than_the_given_one_are_named():
    (message,) = cautions(measured([(ENGLISH, None), (ENGLISH, None)], language="de"))
    assert message == (
        "2 of 2 utterances were transcribed in German (de), given, and their references look like "
        "English (en)."
    )


def test_a_misheard_utterance_too_short_to_judge_is_named_by_what_the_dataset_states():
    said = [(ENGLISH, "en"), ("yes", "en")]
    (message,) = cautions(measured(said, heard=("en", "jv"), language="auto"))
    assert message == (
        "1 of 2 utterances were transcribed in Javanese (jv), recognised by the model, and the "
        "dataset states English (en)."
    )


def test_an_english_model_on_german_says_that_it_does_not_know_it():
    record = measured([(GERMAN, None)], multilingual=False, languages=("en",))
    (message,) = cautions(record)
    assert message == (
        "'toy' knows English (en), and of 1 of 1 utterances their references look like German (de)."
    )
    assert record.tags["language/source"] == "the only one of the model"
    assert "transcribed_in" not in record.transcripts[0]


def test_a_stated_language_that_the_model_does_not_know_is_recognised_and_named():
    record = measured([("mhm", "fi")], heard=("en",))
    assert record.tags["language/source"] == "recognised by the model"
    (message,) = cautions(record)
    assert message == (
        "'toy' knows English (en), German (de), French (fr), Javanese (jv), and of 1 of 1 "
        "utterances the dataset states Finnish (fi)."
    )


def test_a_model_that_takes_no_language_is_judged_by_all_that_it_knows():
    told = measured([(GERMAN, None)], multilingual=False)
    assert told.tags["language"] == "not told"
    assert told.tags["language/source"] == "left to the model, which takes none and tells none"
    assert cautions(told) == []
    unknown = measured([(GERMAN, None)], multilingual=False, languages=("en", "fr"))
    assert len(cautions(unknown)) == 1


def test_a_model_whose_languages_nobody_wrote_down_is_not_judged():
    assert cautions(measured([(GERMAN, None)], multilingual=False, languages=())) == []


def test_without_a_figure_of_errors_nothing_is_said():
    assert cautions(measured([(ENGLISH, None)], scored=False, language="de")) == []
