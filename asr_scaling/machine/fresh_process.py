"""A function in a process of its own, which has nothing in it but what the function needs."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Device, Engine
from asr_scaling.errors import AsrScalingError, FreshProcessError, OutOfMemoryError

_Answer = TypeVar("_Answer")
Read = Callable[[], Any]
"""Gives the next argument; one by one, so that those for later take no memory yet."""
_CHILD = "from asr_scaling.machine.fresh_process import answer; answer()"
_VICTIM = Path("/proc/self/oom_score_adj")
_ASKED, _ANSWERED = "asked", "answered"


def in_fresh_process(
    function: Callable[[Read], _Answer], arguments: Sequence[Any], limit_s: float | None
) -> _Answer:
    """What ``function`` returns in a new Python process, which is started and not forked.

    Function and arguments are pickled. The process has the environment and the module path of this
    one. Where memory gets short, the kernel ends it rather than this one.

    limit_s: seconds after which it is ended; None for no limit.
    Raises OutOfMemoryError when the function did or the kernel ended the process, FreshProcessError
    when it failed otherwise, took too long, or when something can't be pickled.
    """
    with TemporaryDirectory(prefix="asr_scaling-") as folder:
        try:
            with Path(folder, _ASKED).open("wb") as file:
                for item in (function, *arguments):
                    pickle.dump(item, file)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise FreshProcessError(
                f"This system can't be handed to another process ({error}): define its parts at "
                "the top of a module."
            ) from error
        _start(folder, limit_s)
        with Path(folder, _ANSWERED).open("rb") as file:
            answer = pickle.load(file)  # our own file, of our own process
    if isinstance(answer, AsrScalingError):
        raise answer
    return answer  # type: ignore[no-any-return]


def _start(folder: str, limit_s: float | None) -> None:
    """Run the process to its end. Raises as ``in_fresh_process``."""
    with Path(folder, "said").open("wb") as said:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", _CHILD, folder],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise FreshProcessError(
                f"The process of this system alone was ended after {limit_s:g} s."
            ) from None
        except OSError as error:
            raise FreshProcessError(f"No process of its own could be started ({error}).") from error
    if done.returncode == -9:
        raise OutOfMemoryError(
            "The process of this system alone was ended by the kernel (signal 9), as it does where "
            "memory gets short."
        )
    if done.returncode:
        lines = Path(folder, "said").read_text(encoding="utf-8", errors="replace").splitlines()
        last = lines[-1] if lines else "it said nothing"
        raise FreshProcessError(
            f"The process of this system alone ended with status {done.returncode} ({last})."
        )


def environment() -> dict[str, str]:
    """Variables of a new process: those of this one, which finds the same modules."""
    path = os.pathsep.join(place or os.getcwd() for place in sys.path)
    return {**os.environ, "PYTHONPATH": path}


def be_first_to_end() -> None:
    """Let the kernel end this process before others where memory gets short."""
    if _VICTIM.exists():
        _VICTIM.write_text("1000", encoding="ascii")  # proc(5)


def answer() -> None:
    """The other side: runs the function that was asked for, in the new process."""
    folder = Path(sys.argv[1])
    be_first_to_end()
    with folder.joinpath(_ASKED).open("rb") as file:

        def read() -> Any:
            return pickle.load(file)  # our own file, of our own process

        try:
            given = read()(read)
        except (MemoryError, OutOfMemoryError) as error:
            given = OutOfMemoryError(
                str(error) or "The process of this system alone ran out of it."
            )
        except AsrScalingError as error:
            given = FreshProcessError(str(error))
    folder.joinpath(_ANSWERED).write_bytes(pickle.dumps(given))


def prepare(model: ModelSpec, engine: Engine, device: Device) -> None:
    """What ``load_system`` does in a new process before it loads a system.

    Raises what engine and device raise.
    """
    importlib.import_module("hydra")  # reads its YAML
    engine.check(model)
    device.setup()
