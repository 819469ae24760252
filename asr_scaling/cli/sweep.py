"""The sweep, ``python -m asr_scaling key=value …``: what is not another verb is Hydra's."""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from asr_scaling.analysis.recommendation.reproduce import text
from asr_scaling.cli.arguments import either, near
from asr_scaling.core.option_checks import at_home
from asr_scaling.errors import AsrScalingError, ConfigError, one_line
from asr_scaling.sweep import callback, config_guard
from asr_scaling.sweep.plan import key_and_value
from asr_scaling.sweep.sweep_run import current
from asr_scaling.sweep.switches import replaced
from asr_scaling.util.config_dir import conf_dir
from asr_scaling.util.quoting import quoted
from asr_scaling.util.redact import redact

config_guard.guard()  # on import: a launcher's processes import this module for _app
_HOME = re.compile(r"(?<![^,\[(:])(?:sqlite:///)?~(?:\$\{[^}]*\}|[^,\])}])*")
"""A path in a home folder, alone or in a list."""
_WORD = re.compile(r"[A-Za-z_]\w*")
_COMPOSERS = ("hydra", "omegaconf", "antlr4")
"""Packages that stumble, with errors of any kind, over arguments that nobody foresaw."""
_REFUSED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
_REFUSED |= {errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP}
"""What writing below the output folder raises."""
_SWEEP_FUNCTIONS = {"choice", "range", "interval", "sort", "shuffle", "int", "float"}
_SWEEP_ARGUMENTS = {"start", "stop", "step"}


def batch_shorthand(argument: str) -> str:
    """``batch=1,8,16`` as ``batch.size=1,8,16``; a strategy, as in ``batch=max``, stays as it is.

    Hydra takes ``batch`` for a config group, whose choices can't be integers.
    """
    key, value = key_and_value(argument)
    if key != "batch":
        return argument
    bare = re.sub(r"['\"]", "", value).strip()
    words = set(_WORD.findall(bare)) - _SWEEP_FUNCTIONS - _SWEEP_ARGUMENTS
    return f"batch.size={bare}" if bare and not words else argument


def home_shorthand(argument: str) -> str:
    """``tracking.path=~/r.jsonl`` with the home folder written out, in quotes.

    Hydra's grammar knows no ``~`` in a value, and shells replace it at a word's beginning only.
    """
    key, value = key_and_value(argument)
    if "~" not in value or set(value) & set("'\"\\"):
        return argument
    return f"{key}={_HOME.sub(lambda match: quoted(at_home(match[0])), value)}"


def bound_shorthand(argument: str) -> str:
    """``scenario.bound=p99<2s,errors=0`` with its value in quotes: one text, commas and all.

    Hydra's grammar knows no ``<`` in a value.
    """
    key, value = key_and_value(argument)
    if "<" not in value or set(value) & set("'\"\\"):
        return argument
    return f"{key}={quoted(value)}"


def flags_first(arguments: Sequence[str]) -> list[str]:
    """``arguments`` with the options behind the flags, since Hydra does not take them mixed.

    Raises ConfigError for a flag that there is not, or that lacks its value.
    """
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise ConfigError(f"{message}; see  python -m asr_scaling --help.")

    parser.error = refuse  # type: ignore[method-assign]
    options: list[str] = parser.parse_intermixed_args(arguments).overrides
    flags = list(arguments)
    for option in options:
        flags.remove(option)
    return [*flags, *options]


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def _app(config: DictConfig) -> None:
    callback.point(config)


def main() -> None:
    """Run, and leave with 0 when every point is ok, 1 when one failed, 130 after Ctrl-C."""
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here instead of being printed by Hydra
    try:
        config_guard.check_arguments(sys.argv[1:])
        for shorthand in (batch_shorthand, home_shorthand, bound_shorthand):
            sys.argv[1:] = [shorthand(argument) for argument in sys.argv[1:]]
        sys.argv[1:] = flags_first(sys.argv[1:])
        _app()
    except KeyboardInterrupt:
        current().finish("KILLED")
        sys.exit(130)
    except Exception as error:
        sentence = None if wants_traceback else explained(error)
        if sentence is None:
            raise
        current().finish("FAILED")
        sys.stderr.write(f"error: {sentence}\n")
        sys.exit(1)
    sys.exit(1 if current().failed else 0)


def explained(error: Exception) -> str | None:
    """What is wrong with the arguments and how to mend it, in one sentence.

    None for an error that does not come from the arguments.
    """
    if isinstance(error, AsrScalingError | HydraException | OmegaConfBaseException):
        return one_line(redact(_sentence(error)))
    message = one_line(redact(str(error)))
    if isinstance(error, OSError) and error.errno in _REFUSED:
        where = f"{error.filename} can't be written" if error.filename else "The disk can't be used"
        return one_line(
            redact(
                f"{where} ({error.strerror}): make room there, or set hydra.sweep.dir or "
                "hydra.run.dir; sweep.resume=true goes on with what was measured."
            )
        )
    if isinstance(error, ValueError) and message.startswith("Config group override"):
        # Hydra's own, for tracking=null
        return f"{message}: leave a group out with ~, as in  ~tracking, or name one of its choices."
    *_, (last, _) = traceback.walk_tb(error.__traceback__)
    if last.f_globals.get("__name__", "").partition(".")[0] in _COMPOSERS:
        reason = f"{type(error).__name__}: {message}"
        return f"Hydra can't use these arguments ({reason}): check their spelling."
    return None


def _sentence(error: BaseException) -> str:
    """What Hydra objects to, in one sentence that says how to mend it."""
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override), str(error).splitlines())
    file, options = None, None
    if isinstance(error, MissingConfigException):
        file, options = error.missing_cfg_file, error.options
    if file is None and (match := re.search(r"Could not load '([^']+)'", str(error))):
        file = match[1]
    group, _, choice = (file or "").rpartition("/")
    options = options or [path.stem for path in (conf_dir() / group).glob("*.yaml")]
    if group and options:
        return f"There is no {group} '{choice}'{near(choice, options)}; choose {either(options)}."
    if match := re.match(r"Could not override '([^']+)'", str(error)):
        return replaced(match[1]) or (
            f"There is no option '{match[1]}'; "
            "list the options with  python -m asr_scaling --cfg job."
        )
    lines = [line.strip() for line in (str(error) or str(error.__cause__)).splitlines()]
    details = ("full_key:", "object_type=", "See https", "Config search", "provider=")
    return " ".join(line for line in lines if line and not line.startswith(details))


def _unreadable(argument: str, told: Sequence[str]) -> str:
    """An argument that Hydra's grammar can't take: its name, and how to quote its value.

    told: the lines of Hydra's message, the last of which is about its documentation.
    """
    key, value = key_and_value(argument)
    if not value:
        return f"'{argument}' is no option: write key=value, as in batch.size=8."
    plain = not set(value) & set("'\"\\$")
    quoted = f'{key}="{value}"' if plain else f"{key}={text(value)}"
    try:
        OverridesParser.create().parse_override(quoted)
    except HydraException:
        return f"'{key}' is no name of an option: list them with  python -m asr_scaling --cfg job."
    why = "" if "LexerNoViableAlt" in told[0] or not told[0] else f" ({told[0]})"
    return (
        f"The value of {key} can't be read as Hydra writes values{why}: put a text in quotes of "
        f"its own, as in  {shlex.quote(quoted)}."
    )
