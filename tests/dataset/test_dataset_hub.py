"""What is asked of the Hugging Face hub, and what becomes of its answers;
nothing here uses a network."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import datasets
import pytest

from asr_scaling.dataset.gigaspeech import GigaSpeech
from asr_scaling.dataset.librispeech import LibriSpeech


def hub(monkeypatch, reachable):
    module = SimpleNamespace(hub_reachable=lambda: reachable)
    monkeypatch.setitem(sys.modules, "asr_scaling.model.weights", module)


def test_without_a_network_the_hub_is_not_asked(refused, monkeypatch):
    hub(monkeypatch, reachable=False)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_a, **_k: pytest.fail("asked"))
    refused(
        LibriSpeech(),
        "can't be reached",
        "openslr/librispeech_asr",
        "dataset.path",
        "dataset=demo",
        limit=3,
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            datasets.exceptions.DatasetNotFoundError(
                "Dataset 'speechcolab/gigaspeech' is a gated dataset on the Hub. "
                "You must be authenticated."
            ),
            [
                "gated",
                "hf auth login",
                "HF_TOKEN",
                "https://huggingface.co/datasets/speechcolab/gigaspeech",
            ],
        ),
        (
            datasets.exceptions.DatasetNotFoundError(
                "Dataset 'x' doesn't exist on the Hub or cannot be accessed."
            ),
            ["dataset.repository", "dataset.revision"],
        ),
        (
            ValueError("BuilderConfig 'test' not found. Available: ['xs', 'dev']"),
            ["dataset.config", "['xs', 'dev']"],
        ),
        (
            ValueError("Bad split: test. Available splits: ['validation']"),
            ["dataset.split", "['validation']"],
        ),
        (
            RuntimeError("Dataset scripts are no longer supported, but found gigaspeech.py"),
            ["dataset.revision"],
        ),
        (ConnectionError("it\nbroke"), ["it broke", "try again", "dataset.path"]),
        (OSError(), ["OSError"]),
    ],
)
def test_what_the_hub_answers_becomes_one_sentence(refused, monkeypatch, error, words):
    hub(monkeypatch, reachable=True)

    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    refused(GigaSpeech(), *words, limit=3)


def test_what_the_hub_is_asked(monkeypatch, gigaspeech):
    hub(monkeypatch, reachable=True)
    asked, real = [], datasets.load_dataset

    def load_dataset(*args, **kwargs):
        asked.append((args, kwargs))
        return real(
            "parquet", data_files={"train": [str(gigaspeech)]}, split="train", streaming=True
        )

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    info = GigaSpeech().load(2).info
    assert asked == [
        (
            ("speechcolab/gigaspeech", "test"),
            {"split": "test", "revision": "refs/pr/20", "streaming": True},
        )
    ]
    assert (info.source, info.revision) == ("hub:speechcolab/gigaspeech/test", "refs/pr/20")
    assert (info.utterances, info.available) == (2, None)


def test_cached_fragments_need_no_network(refused, monkeypatch, gigaspeech):
    hub(monkeypatch, reachable=True)
    real = datasets.load_dataset
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda *_a, **_k: real(
            "parquet", data_files={"train": [str(gigaspeech)]}, split="train", streaming=True
        ),
    )
    fresh = GigaSpeech(length_s=2).load(1)
    hub(monkeypatch, reachable=False)
    stored = GigaSpeech(length_s=2).load(1)
    assert (fresh.info.digest, stored.info.cached) == (stored.info.digest, True)
    refused(GigaSpeech(length_s=2, revision="main"), "can't be reached", limit=1)
