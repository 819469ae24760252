"""Weights come from the first place that has them,
and a user is told in one sentence when none has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import errors
from support.hub_folders import change_json, describe, toy_spec

from asr_scaling.errors import WeightsError
from asr_scaling.model import weight_packages, weights
from asr_scaling.model.weights import Weights, hub_reachable, resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"
pytestmark = pytest.mark.usefixtures("nowhere")


def fill(
    folder: Path, *, tokenizer: bool = True, weights_file: bool = True, model_type: str = "whisper"
) -> Path:
    from safetensors.numpy import save_file

    describe(folder, toy_spec(), tokenizer=tokenizer)
    change_json(folder / "config.json", model_type=model_type)
    if weights_file:
        save_file({"x": np.zeros(3, np.float32)}, folder / "model.safetensors")
    return folder


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def cached(tmp_path: Path, **options: bool) -> Path:
    """The snapshot of the toy in a hub cache."""
    repository = tmp_path / "hub" / "models--toys--whisper"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text(COMMIT)
    return fill(repository / "snapshots" / COMMIT, **options)


def hub_with(monkeypatch, download) -> list[list[str]]:
    """A hub that is up and whose downloads are ``download(patterns)``;
    returns the patterns asked for."""
    asked: list[list[str]] = []

    def snapshot_download(hub_id, *, revision, allow_patterns, ignore_patterns):
        assert (hub_id, revision, ignore_patterns) == ("toys/whisper", "main", ["*/*"])
        asked.append(allow_patterns)
        return str(download(allow_patterns))

    monkeypatch.setenv(weights.HUB_VARIABLE, "up")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return asked


def http_error(kind: type[errors.HfHubHTTPError], status: int) -> errors.HfHubHTTPError:
    error = kind.__new__(kind)
    Exception.__init__(error, "a long\nmessage")
    error.response = SimpleNamespace(status_code=status)
    return error


def test_random_asks_nowhere(spec, tmp_path):
    found = resolve(spec(weights="random", path=str(tmp_path / "nowhere")))
    assert (found.kind, found.source, found.folder, found.revision) == (
        "random",
        "random",
        None,
        None,
    )
    assert found.reason


@pytest.mark.parametrize("mode", ["auto", "pretrained"])
def test_a_path_wins_over_everything(spec, tmp_path, package, mode):
    cached(tmp_path)
    folder = fill(tmp_path / "mine")
    assert resolve(spec(weights=mode, path=str(folder))) == Weights(
        "pretrained", f"path {folder}", folder
    )


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: None, "is not a folder"),
        (lambda folder: folder.mkdir(), "is an empty folder"),
        (
            lambda folder: fill(folder, model_type="wav2vec2"),
            "holds a 'wav2vec2' model where 'whisper' is needed",
        ),
        (lambda folder: fill(folder, weights_file=False), "has neither model.safetensors nor"),
        (
            lambda folder: (fill(folder) / "model.safetensors").write_bytes(
                b"version https://git-lfs"
            ),
            "cut off",
        ),
        (lambda folder: append(fill(folder) / "model.safetensors"), "cut off"),
        (
            lambda folder: (fill(folder) / "config.json").write_text("{"),
            "has no config.json that can be read",
        ),
    ],
)
def test_a_bad_path_is_an_error_even_for_auto(spec, tmp_path, damage, said):
    damage(tmp_path / "mine")
    with pytest.raises(WeightsError, match=said):
        resolve(spec(path=str(tmp_path / "mine")))


def test_sharded_weights_need_every_shard(spec, tmp_path):
    folder = fill(tmp_path / "mine")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(
        WeightsError, match=r"model.safetensors.index.json that is cut off or lacks a part"
    ):
        resolve(spec(path=str(folder)))
    (folder / names["b"]).write_bytes((folder / names["a"]).read_bytes())
    assert resolve(spec(path=str(folder))).kind == "pretrained"


def test_the_hubs_cache_comes_next_with_its_commit(spec, tmp_path, package, monkeypatch):
    folder = cached(tmp_path)
    asked = hub_with(monkeypatch, lambda patterns: folder)
    assert resolve(spec()) == Weights(
        "pretrained", "hub cache toys/whisper", folder, revision=COMMIT
    )
    assert resolve(spec(revision=COMMIT)).revision == COMMIT
    assert asked == []


def test_a_revision_that_the_cache_lacks_is_said_with_those_it_has(spec, tmp_path):
    cached(tmp_path)
    found = resolve(spec(revision="v2"))
    assert "the hub's cache has it at main and not at revision 'v2'" in found.reason


@pytest.mark.parametrize("mode", ["auto", "pretrained"])
def test_another_model_in_the_hubs_cache_is_never_replaced_by_chance(spec, tmp_path, mode):
    folder = cached(tmp_path)
    change_json(folder / "config.json", d_model=32)
    with pytest.raises(WeightsError, match=r"'toys/whisper' on the hub holds weights of other "):
        resolve(spec(weights=mode))


@pytest.mark.parametrize("lacking", ["tokenizer", "weights_file"])
def test_an_incomplete_cache_is_completed_from_the_hub(spec, tmp_path, monkeypatch, lacking):
    cached(tmp_path, **{lacking: False})
    asked = hub_with(monkeypatch, lambda patterns: cached(tmp_path))
    found = resolve(spec(weights="pretrained"))
    assert (found.source, found.revision) == ("hub toys/whisper", COMMIT)
    assert len(asked) == 1
    assert not any(
        "bin" in pattern or "msgpack" in pattern or "h5" in pattern for pattern in asked[0]
    )


def test_bin_weights_are_fetched_only_where_there_are_no_safetensors(spec, tmp_path, monkeypatch):
    def download(patterns):
        folder = cached(tmp_path, weights_file=False)
        if "pytorch_model.bin" in patterns:
            (folder / "pytorch_model.bin").write_bytes(b"a zip file in real life")
        return folder

    asked = hub_with(monkeypatch, download)
    assert resolve(spec(weights="pretrained")).source == "hub toys/whisper"
    assert ["pytorch_model.bin" in patterns for patterns in asked] == [False, True]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            http_error(errors.GatedRepoError, 403),
            "the hub guards it, so a token is needed .*HF_TOKEN.*hf auth login",
        ),
        (
            http_error(errors.RepositoryNotFoundError, 401),
            "does not show it, so if it is private a token is needed",
        ),
        (
            http_error(errors.HfHubHTTPError, 401),
            "does not show it, so if it is private a token is needed",
        ),
        (http_error(errors.RevisionNotFoundError, 404), "the hub has no revision 'main' of it"),
        (
            OSError(28, "No space left"),
            r"the download from https://huggingface.co failed \(OSError\)",
        ),
    ],
)
def test_what_the_hub_refuses_is_explained(spec, monkeypatch, error, said):
    def download(patterns):
        raise error

    hub_with(monkeypatch, download)
    with pytest.raises(WeightsError, match=said) as caught:
        resolve(spec(weights="pretrained"))
    assert "\n" not in str(caught.value)
    assert hub_reachable()


def test_a_hub_that_stops_answering_is_not_asked_again(spec, monkeypatch):
    def download(patterns):
        raise errors.LocalEntryNotFoundError("no connection")

    asked = hub_with(monkeypatch, download)
    assert resolve(spec()).kind == resolve(spec()).kind == "random"
    assert len(asked) == 1
    assert not hub_reachable()


def test_without_weights_auto_is_random_and_pretrained_an_error(spec):
    found = resolve(spec())
    assert (found.kind, found.folder) == ("random", None)
    tried = [
        "the hub's cache does not hold it",
        "https://huggingface.co can't be reached",
        "no installed package",
    ]
    assert all(words in found.reason for words in tried)
    with pytest.raises(
        WeightsError, match=r"set model\.path .* or use model\.weights=random\."
    ) as caught:
        resolve(spec(weights="pretrained"))
    assert all(words in str(caught.value) for words in tried)
    assert "install" not in str(caught.value).replace("no installed", "")


def test_the_extra_is_named_where_it_would_help(spec, package, monkeypatch):
    def missing(name):
        raise weight_packages.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(weight_packages.metadata, "distribution", missing)
    with pytest.raises(WeightsError, match=r"install 'asr-scaling\[offline\]'"):
        resolve(spec(weights="pretrained"))


def test_importing_it_imports_no_framework():
    code = (
        "import sys; import asr_scaling.model.weights; print(sorted({'torch', "
        "'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
