"""What a point leaves changed in its process, and no later point may find."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_OURS = "ASR_SCALING_"
"""Begins the variables that this package sets for later points and for other processes."""


@contextmanager
def process_restored() -> Iterator[None]:
    """Imports torch; after the block, variables and filters of warnings are as before it.

    Libraries set both when they are imported or first used: a variable of torch's compiler, for
    one, would be in the fingerprint of every later point.
    """
    importlib.import_module("torch")  # any measurement may use it: no point pays for the import
    before = dict(os.environ)
    with warnings.catch_warnings():
        try:
            yield
        finally:
            for name in [*os.environ]:
                if name not in before and not name.startswith(_OURS):
                    del os.environ[name]
            for name, value in before.items():
                if os.environ.get(name) != value and not name.startswith(_OURS):
                    os.environ[name] = value
