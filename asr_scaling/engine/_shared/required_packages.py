"""The packages that an engine needs."""

from __future__ import annotations

import importlib

from asr_scaling.errors import MissingExtraError


def need_packages(engine: str, *packages: str) -> None:
    """Imports ``packages``, so that loading is only loading.

    Raises MissingExtraError when one of them, which the extra ``engine`` installs, is missing.
    """
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingExtraError(package, engine) from error
