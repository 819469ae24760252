"""The error tree. Every message is one sentence that says what is wrong and how to mend it.

AsrScalingError          anything this package raises on purpose
├── ConfigError          an option has a value that can't work
├── DataError            speech or transcripts that can't be used
├── WeightsError         no weights where the user demanded them
├── MissingExtraError    an optional package is not installed
├── DeviceError          the device asked for is not on this machine
├── EngineError          the engine can't run this model, or failed while running it
│   └── OutOfMemoryError the workload does not fit; a result, not an accident
├── FreshProcessError    a process that has only the system in it could not do its work
└── TrackingError        the tracking store can't be reached or written

PointInterruptedError    SIGTERM arrived during a point; like KeyboardInterrupt it ends run()
                         once the point is recorded
"""

from __future__ import annotations

from asr_scaling.util.redact import redact

_LONGEST = 2000


class AsrScalingError(Exception):
    """Anything this package raises on purpose.

    ``str()`` of it is one line without secrets and control characters, cut when it is very long,
    because messages quote names and texts of others.
    """

    def __str__(self) -> str:
        return one_line(redact(super().__str__()))


def one_line(message: str) -> str:
    """``message`` without line ends and control characters, cut when it is very long."""
    line = message if message.isprintable() else "".join(map(_plain, message))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"


def _plain(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else character.encode("unicode_escape").decode("ascii")


class ConfigError(AsrScalingError):
    """An option has a value that can't work."""


class DataError(AsrScalingError):
    """Speech or transcripts that can't be used."""


class WeightsError(AsrScalingError):
    """No weights were found where the user demanded them."""


class MissingExtraError(AsrScalingError):
    """A package that an option needs is not installed.

    extra: the extra of this project that installs it, if any.
    """

    def __init__(self, package: str, extra: str | None = None) -> None:
        wanted = f"'asr-scaling[{extra}]'" if extra else package
        super().__init__(f"'{package}' is not installed: run  pip install {wanted}  and try again.")


class DeviceError(AsrScalingError):
    """The device asked for is not on this machine."""


class EngineError(AsrScalingError):
    """The engine can't run this model, or failed while running it."""


class OutOfMemoryError(EngineError):
    """The workload does not fit in memory."""


class FreshProcessError(AsrScalingError):
    """A process that has only the system in it could not do its work."""


class TrackingError(AsrScalingError):
    """The tracking store can't be reached or written."""


class PointInterruptedError(BaseException):
    """SIGTERM arrived while a point was being measured."""
