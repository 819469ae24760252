"""The package ``funasr``, and how the process around it stays as it was.

It imports hundreds of modules, warns and prints while it does, seeds every random generator, sets
torch's threads at every call, gives the root logger a handler, and tells Hydra to show whole
tracebacks.
"""

from __future__ import annotations

import logging
import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from typing import Any

import numpy as np

from asr_scaling.core.option_checks import imported
from asr_scaling.errors import MissingExtraError
from asr_scaling.machine.threads import tell_torch, torch_threads_kept

EXTRA = "funasr"
"""The extra of this project that installs the package."""
_HYDRA = "HYDRA_FULL_ERROR"


def package() -> Any:
    """The module ``funasr``.

    Raises MissingExtraError without it, or without what computes its features.
    """
    before = os.environ.get(_HYDRA)
    try:
        with quiet_output():
            funasr = imported("funasr", EXTRA)
            backends = ("torchaudio", "kaldi_native_fbank")
            if not any(find_spec(name) for name in backends):
                raise MissingExtraError("kaldi-native-fbank", EXTRA)
            funasr.AutoModel  # noqa: B018 - imports the rest, and torch with it
    finally:
        os.environ.pop(_HYDRA, None)
        if before is not None:
            os.environ[_HYDRA] = before
    tell_torch()
    return funasr


@contextmanager
def quiet_output() -> Iterator[StringIO]:
    """In this block nothing is shown but errors; yields what would have been printed."""
    printed = StringIO()
    with _quiet_loggers(), warnings.catch_warnings(), redirect_stdout(printed):
        warnings.simplefilter("ignore")
        yield printed


@contextmanager
def contained(threads: int) -> Iterator[StringIO]:
    """In this block, where a network is built with ``threads``, nothing is shown but errors.

    After it, torch's threads, the random states and the root logger are what they were before.
    Yields what would have been printed.
    """
    import torch

    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    numbers = np.random.get_state()
    devices = list(range(torch.cuda.device_count()))
    try:
        with running(threads), quiet_output() as printed, torch.random.fork_rng(devices):
            yield printed
    finally:
        np.random.set_state(numbers)
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def running(threads: int) -> Iterator[None]:
    """In this block torch computes with ``threads``, and nothing is shown but errors.

    After it, torch's threads are what they were, and so are the random states that a call draws on:
    Python's names its inputs, and torch's decides about layers that only training leaves out.
    """
    import torch

    python, drawn = random.getstate(), torch.get_rng_state()
    try:
        with torch_threads_kept(), _quiet_loggers(), warnings.catch_warnings():
            torch.set_num_threads(threads)
            warnings.simplefilter("ignore")  # of NumPy about torch, at each piece of speech
            yield
    finally:
        random.setstate(python)
        torch.set_rng_state(drawn)


@contextmanager
def _quiet_loggers() -> Iterator[None]:
    """In this block no logger shows anything below an error; the package uses the root's."""
    manager = logging.getLogger().manager
    before = manager.disable
    try:
        logging.disable(logging.WARNING)
        yield
    finally:
        logging.disable(before)
