"""``python -m asr_scaling serve YAML``: a recommended system behind OpenAI's API."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from asr_scaling.cli.arguments import Parser, run_verb, size
from asr_scaling.core.option_checks import imported
from asr_scaling.errors import ConfigError
from asr_scaling.util.redact import SHORTEST

_EXTRA = "serve"
_PACKAGES = ("starlette", "uvicorn", "python_multipart", "prometheus_client")
_ABOUT = """\
Starts an HTTP server for the system that a YAML describes, as  python -m asr_scaling recommend
writes it, with the choice of the group serving that it names:

  POST /v1/audio/transcriptions   as OpenAI's API: file, model, language, response_format
  GET  /v1/models, /health        what is served; whether it is ready
  GET  /metrics                   figures in Prometheus' form

SIGTERM or Ctrl-C ends it once everything in flight is answered; a second one at once."""
_EXITS = """\
Exit status: 0; 1 when it can't be started, with the reason on standard error, and when a second
signal left requests without an answer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it, and return the exit status."""
    return run_verb(parser(), _serve, arguments)


def _serve(options: argparse.Namespace) -> int:
    for package in _PACKAGES:
        imported(package, _EXTRA)
    from asr_scaling.server.api import Limits
    from asr_scaling.server.listening import is_loopback
    from asr_scaling.server.serve import Place, serve

    key = _key(options.key_env)
    if key is None and not options.open and not is_loopback(options.host):
        raise ConfigError(
            f"Anybody who reaches {options.host} could use this server: name the variable of a key "
            "with --key-env, or say --open."
        )
    place = Place(options.host, options.port, key, options.key_env)
    limits = Limits(upload_bytes=int(options.max_upload), requests=options.max_requests)
    return 0 if serve(Path(options.config), place, limits, options.alias) else 1


def _key(variable: str | None) -> str | None:
    """The key in an environment ``variable``. Raises ConfigError where it is none."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if len(key) < SHORTEST:
        raise ConfigError(
            f"The environment variable {variable} must hold a key of at least {SHORTEST} "
            f"characters: set it, as in  export {variable}=$(openssl rand -hex 24)."
        )
    return key


def parser() -> Parser:
    """The options of ``serve``."""
    parser = Parser("serve", _ABOUT, _EXITS)
    parser.add_path(
        "config",
        metavar="YAML",
        nargs="?",
        default="recommended.yaml",
        help="what recommend has written; default: recommended.yaml",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    parser.add_argument(
        "--port", type=_port, default=8000, help="default: 8000; 0 for one that is free"
    )
    parser.add_argument(
        "--key-env",
        metavar="NAME",
        help="the environment variable that holds the key which requests must carry",
    )
    parser.add_argument(
        "--open", action="store_true", help="listen beyond this machine without a key"
    )
    parser.add_argument(
        "--alias",
        metavar="MODEL",
        action="append",
        default=[],
        help="a further name that requests may give to the model; may be repeated",
    )
    _add_limits(parser)
    return parser


def _add_limits(parser: Parser) -> None:
    parser.add_argument(
        "--max-upload",
        metavar="SIZE",
        type=size,
        default=256e6,
        help="of one; default: 256MB",
    )
    parser.add_argument(
        "--max-requests",
        metavar="N",
        type=_count,
        default=256,
        help="in flight, uploads included; others are turned away; default: 256",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 65535, got '{text}'")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 upwards, got '{text}'")
    return int(text)
