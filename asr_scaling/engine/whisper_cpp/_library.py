"""whisper.cpp's own calls: its files, its options, and the callbacks that tell where it is."""

from __future__ import annotations

from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import _pywhispercpp as cpp

from asr_scaling.core.decoding import Decoding
from asr_scaling.core.language import language_code
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import NullProbe, Probe
from asr_scaling.engine._shared.decoding_steps import Step
from asr_scaling.errors import EngineError
from asr_scaling.model.convert import Converted, converted, example_audio
from asr_scaling.model.ggml import write_ggml
from asr_scaling.model.whisper import CHECKED, check_log_probabilities

CONVERSION = 1
"""Raise it when the file changes, so that older ones in a cache are left alone."""
TOLERANCE = {"float16": 0.2, "int8": 0.3}
"""dtype → how far log-probabilities of the chosen tokens may be from transformers' on average.

whisper.cpp computes features in its own way, GELU from a table in float16, and keeps keys and
values in float16. That shows on noise, where no token is likely. Weights in the wrong place give
differences of several units."""
_FILE = "model.bin"
_NEVER = 2.0
"""A probability is never so large: nothing is dropped as silence."""
_ERROR = 4
"""Level of errors in whisper.cpp's log (ggml.h)."""


def ggml_files(model: ModelSpec, dtype: str, seed: int) -> Converted:
    """A file that whisper.cpp reads, with matrices in ``dtype``."""
    make, version = partial(_convert, model, dtype), metadata.version("pywhispercpp")
    return converted(model, "ggml", make, seed, dtype=dtype, version=version, conversion=CONVERSION)


def _convert(model: ModelSpec, dtype: str, origin: Path, new: Path) -> dict[str, Any]:
    size = write_ggml(origin, new / _FILE, dtype)
    context, audio = load_context(new), example_audio()
    parameters = options(1, suppressing=False, max_tokens=CHECKED)
    cpp.whisper_full(context, parameters, audio, audio.size)
    tokens = [cpp.whisper_full_get_token_data(context, *place) for place in places(context)]
    cpp.whisper_free(context)
    compared = check_log_probabilities(
        origin, model, [token.id for token in tokens], [token.plog for token in tokens]
    )
    if not compared.difference <= TOLERANCE[dtype]:
        raise EngineError(
            f"'{model.name}' converted for engine=whisper_cpp gives log-probabilities that "
            f"differ from those of transformers by {compared.difference:.2g}, where "
            f"{TOLERANCE[dtype]:g} is allowed: use another engine."
        )
    return {
        "bytes": size,
        "parameters": compared.parameters,
        "log_probability_difference": compared.difference,
        "log_probability_tolerance": TOLERANCE[dtype],
        "log_probabilities_compared": len(tokens),
    }


class Steps:
    """Callbacks by which whisper.cpp tells a probe where it is.

    It asks whether to begin a window's encoder, and after the encoder and after every pass of the
    decoder whether to abort.
    """

    def __init__(self) -> None:
        self.watch(NullProbe())

    def watch(self, probe: Probe) -> None:
        """Tell ``probe`` from now on; steps are counted anew."""
        self._probe = probe
        self._encoding, self.count = False, 0

    def attach(self, parameters: Any) -> None:
        """Have ``parameters`` call this."""
        cpp.assign_encoder_begin_callback(parameters, self._begin)
        cpp.assign_abort_callback(parameters, self._passed)

    def detach(self, parameters: Any) -> None:
        """Undo ``attach``."""
        cpp.clear_encoder_begin_callback(parameters)
        cpp.clear_abort_callback(parameters)
        self._probe = NullProbe()

    def _begin(self, *_: Any) -> bool:
        self._encoding = True
        self._probe.stage("encoder")
        return True

    def _passed(self, *_: Any) -> bool:
        if self._encoding:
            self._encoding = False
            self._probe.stage("decoder")
        else:
            self.count += 1
            self._probe.token()
        return False


def load_context(folder: Path) -> Any:
    """A context of whisper.cpp; what it logs meanwhile is not shown."""
    parameters = cpp.whisper_context_default_params()
    parameters.use_gpu = False
    failed = list[str]()

    def listen(level: int, line: str) -> None:
        if level >= _ERROR:
            failed.append(line.strip())

    cpp.whisper_log_set(listen)
    try:
        context = cpp.whisper_init_from_file_with_params(str(folder / _FILE), parameters)
    finally:
        cpp.whisper_log_set(None)  # a callback that outlives the interpreter crashes it
    if failed:  # the context would be one that crashes
        raise EngineError(
            f"whisper.cpp can't load {folder / _FILE} ({failed[0]}): use another engine."
        )
    return context


def options(threads: int, suppressing: bool = True, **more: Any) -> Any:
    """transformers' policy: decoded once, no window sees the text of the one before.

    ``suppressing``: suppress a blank at the beginning and tokens that are no speech.
    ``more``: options that replace these.
    """
    greedy = cpp.whisper_sampling_strategy.WHISPER_SAMPLING_GREEDY
    parameters = cpp.whisper_full_default_params(greedy)
    policy = {
        "n_threads": threads,
        "language": "en",  # replaced for every utterance
        "temperature_inc": 0.0,
        "no_speech_thold": _NEVER,
        "no_context": True,
        "suppress_blank": suppressing,
        "suppress_nst": suppressing,
        "no_timestamps": True,
        "single_segment": True,
        "print_progress": False,
        "print_realtime": False,
        "print_timestamps": False,
    }
    for name, value in {**policy, **more}.items():
        setattr(parameters, name, value)
    return parameters


def own_codes() -> dict[str, str]:
    """Code of a language → whisper.cpp's code of it."""
    own = (cpp.whisper_lang_str(i) for i in range(cpp.whisper_lang_max_id() + 1))
    return {str(language_code(code)): code for code in own}


def set_search(parameters: Any, step: Step, rule: Decoding) -> None:
    """Have ``parameters`` search as ``step`` asks for; whisper.cpp's own fallback stays off.

    What it drops as silence is what ``rule`` says, where the step is judged by it.
    """
    kinds = cpp.whisper_sampling_strategy
    beams = step.beam > 1 and not step.sampled
    kind = kinds.WHISPER_SAMPLING_BEAM_SEARCH if beams else kinds.WHISPER_SAMPLING_GREEDY
    judged = step.scored and rule.no_speech is not None and rule.log_probability is not None
    parameters.strategy = kind
    parameters.temperature = step.temperature
    parameters.greedy = {"best_of": step.best_of}
    parameters.beam_search = {"beam_size": step.beam, "patience": -1.0}
    parameters.no_speech_thold = rule.no_speech if judged else _NEVER
    parameters.logprob_thold = rule.log_probability if judged else -1.0
    parameters.entropy_thold = 0.0 if step.scored else 2.4


def places(context: Any) -> list[tuple[int, int]]:
    """(segment, token) of all that was decoded."""
    segments = range(cpp.whisper_full_n_segments(context))
    return [(i, j) for i in segments for j in range(cpp.whisper_full_n_tokens(context, i))]
