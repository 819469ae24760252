"""A callback of Hydra whose errors end the program.

Hydra turns an exception of a callback into a warning and goes on: a sweep would then be measured
without its store or its certificate, and end with exit status 0.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from hydra.experimental.callback import Callback

from asr_scaling.errors import AsrScalingError, one_line
from asr_scaling.util.redact import printable, redact


class StoppingCallback(Callback):
    """Every hook that a class below this one has ends the program with one sentence if it raises.

    The exit status is 1. In a process that only measures, the point is lost with that sentence.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, hook in list(vars(cls).items()):
            if name in vars(Callback) and name.startswith("on_"):
                setattr(cls, name, _stopping(hook))


def _stopping(hook: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(hook)
    def guarded(*given: Any, **named: Any) -> None:
        try:
            hook(*given, **named)
        except AsrScalingError as error:
            stop(str(error))
        except Exception as error:
            stop(f"{hook.__name__} failed with {type(error).__name__}: {error}")

    return guarded


def stop(message: str) -> NoReturn:
    """End the program, or the process that measures a point, with a sentence."""
    sentence = printable(one_line(redact(message)))
    sys.stderr.write(f"error: {sentence}\n")
    end = SystemExit(1)
    end.args = (sentence,)  # whoever launched this process quotes it
    raise end
