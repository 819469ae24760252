"""From a ModelSpec to transformers objects: configuration, feature extractor, random weights.

Nothing here touches the network: sizes come from ``conf/model/<name>.yaml`` alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import one_of
from asr_scaling.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

AUTO_CLASSES = {
    "whisper": "AutoModelForSpeechSeq2Seq",
    "moonshine": "AutoModelForSpeechSeq2Seq",
    "ctc": "AutoModelForCTC",
    "tdt": "AutoModelForTDT",
}
"""A model's family and the transformers auto class that finds its model class."""

WEIGHT_STD = 0.02
"""Standard deviation of random weights: the default ``initializer_range`` of transformers."""

_HARMLESS = re.compile(
    r"masked_spec_embed|num_batches_tracked|inv_freq|position_ids|quantizer\.|project_(q|hid)\."
    r"|pos_conv_embed|proj_out\.weight"
)
"""Names of tensors that may be missing or left over: of training, or computed, or named anew."""

POOL = 1_048_573
"""Random numbers that are drawn, then repeated; a prime, so no two rows of a matrix are alike."""


def auto_class(spec: ModelSpec) -> Any:
    """The transformers auto class of ``spec.family``.

    Raises ConfigError when there is none.
    """
    import transformers

    one_of("model.family", spec.family, AUTO_CLASSES)
    return getattr(transformers, AUTO_CLASSES[spec.family])


def configuration(spec: ModelSpec) -> Any:
    """The transformers configuration of ``spec.architecture``.

    Raises ConfigError when transformers refuses it.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.for_model(spec.model_type, **plain(spec.architecture))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"model.architecture of '{spec.name}' is not a '{spec.model_type}': {error}"
        ) from error


def feature_extractor(spec: ModelSpec) -> Any:
    """The transformers feature extractor of ``spec.features``, from samples to tensors.

    Raises ConfigError when ``feature_extractor_type`` is missing or names anything else of
    transformers, some of which loads code.
    """
    import transformers

    options = plain(spec.features)
    kind = getattr(transformers, str(options.pop("feature_extractor_type", "")), None)
    if not isinstance(kind, type) or not issubclass(kind, transformers.FeatureExtractionMixin):
        raise ConfigError(
            f"model.features.feature_extractor_type of '{spec.name}' is not a feature extractor "
            "of transformers."
        )
    return kind(**options)


def pretrained(loader: Any, folder: Path | str, spec: ModelSpec, **options: Any) -> Any:
    """What ``loader``, a class of transformers, loads from ``folder``.

    Code that comes with the weights runs only when ``spec.trust_remote_code`` is True. With the
    option ``weights_only`` pickles are read as tensors alone.
    Raises WeightsError when the folder needs more than that or can't be read.
    """
    import pickle  # its error, nothing more

    from safetensors import SafetensorError

    try:
        return loader.from_pretrained(
            str(folder), trust_remote_code=spec.trust_remote_code, **options
        )
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"The weights in {folder} are a pickle that holds more than tensors, and its code "
            "is not run: use model.safetensors, or weights from someone you trust."
        ) from error
    except SafetensorError as error:
        raise WeightsError(
            f"The weights in {folder} are damaged ({error}): copy or download them again."
        ) from error
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise WeightsError(
            f"'{spec.name}' brings code of its own, which is not run unasked: read the code in "
            f"{folder}, then set model.trust_remote_code=true, or choose another model."
        ) from error


def pretrained_model(spec: ModelSpec, folder: Path, dtype: torch.dtype, attention: str) -> Any:
    """The model of ``spec`` with the weights in ``folder``, on the CPU and in evaluation mode.

    Raises WeightsError as ``pretrained`` and ``all_tensors`` do.
    """
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": attention}
    load = partial(pretrained, auto_class(spec), spec=spec, weights_only=True, **options)
    return all_tensors(load, folder).eval()


def all_tensors(load: Callable[..., Any], folder: Path) -> Any:
    """The network that ``load`` makes of ``folder``, each of its tensors from there.

    ``load``: a ``from_pretrained`` of transformers, which would draw missing tensors at random and
    leave out those that it has no place for, and only log it.
    Raises WeightsError then.
    """
    try:
        network, info = load(folder, output_loading_info=True)
    except RuntimeError as error:
        if "ignore_mismatched_sizes" not in str(error):
            raise
        raise WeightsError(
            f"The weights in {folder} have tensors of other sizes than its config.json says: copy "
            "both from the same model."
        ) from error
    for what, kind, mend in (
        ("lack", "missing_keys", "save or copy them whole, with the head that they are used with"),
        ("have more than the model takes:", "unexpected_keys", "choose the model they are of, or "
         "merge adapters before they are saved"),
    ):  # fmt: skip
        names = sorted(name for name in info[kind] if not _HARMLESS.search(name))
        if names:
            more = f" and {len(names) - 2} more" if len(names) > 2 else ""
            raise WeightsError(
                f"The weights in {folder} {what} {', '.join(names[:2])}{more}: {mend}."
            )
    return network


def network_class(spec: ModelSpec) -> Any:
    """The model class of ``spec``, imported.

    Raises ConfigError when transformers has none for it.
    """
    mapping, config = auto_class(spec)._model_mapping, type(configuration(spec))
    if config not in mapping:
        raise ConfigError(
            f"transformers has no model of the family '{spec.family}' for '{spec.model_type}'."
        )
    network = mapping[config]
    return network[0] if isinstance(network, tuple) else network


def random_model(
    spec: ModelSpec, seed: int = 0, dtype: torch.dtype | None = None
) -> torch.nn.Module:
    """A model of ``spec``'s exact shape with random weights, on the CPU and in evaluation mode.

    ``seed``: the same seed and dtype give the same weights; the global random state stays as it
    was.
    ``dtype``: of the weights; None for float32.

    It costs as much to run as the published weights; its texts are noise. transformers would draw
    every number, which takes many times as long as copying. Here matrices are filled from a pool,
    and transformers initialises the rest (norms, biases, rotary frequencies, running statistics,
    sinusoids).
    """
    import torch

    config = configuration(spec)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also reseed the GPUs
        with torch.device("meta"):
            model: Any = auto_class(spec).from_config(config, dtype=dtype or torch.float32)
        model.to_empty(device="cpu")
        model.tie_weights()  # leaving the meta device cut the ties
        fill(model)
        model.initialize_weights()
    return model.eval()  # type: ignore[no-any-return]


def fill(model: torch.nn.Module) -> None:
    """Fills every trainable matrix in place with normal numbers and marks it as initialised."""
    import torch

    pools: dict[torch.dtype, torch.Tensor] = {}
    start = 0
    for weight in model.parameters():
        if weight.ndim < 2 or not weight.requires_grad:
            weight.zero_()  # never leave raw memory behind, should transformers know no better
            continue
        if weight.dtype not in pools:
            pools[weight.dtype] = torch.empty(POOL, dtype=weight.dtype).normal_(std=WEIGHT_STD)
        start = _repeat(pools[weight.dtype], weight.view(-1), start)
        # transformers' own mark for loaded weights
        weight._is_hf_initialized = True  # type: ignore[attr-defined]


def _repeat(pool: torch.Tensor, target: torch.Tensor, start: int) -> int:
    """Copies ``pool`` from ``start`` on, round and round, until ``target`` is full.

    Returns where to go on.
    """
    done = 0
    while done < target.numel():
        count = min(pool.numel() - start, target.numel() - done)
        target[done : done + count].copy_(pool[start : start + count])
        done, start = done + count, (start + count) % pool.numel()
    return start


def plain(value: Any) -> Any:
    """Dicts and lists for whatever mappings and sequences a configuration library hands over."""
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(entry) for entry in value]
    return value
