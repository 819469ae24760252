"""``python -m asr_scaling transcribe FILE…``: texts of audio files by a recommended system."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence

from asr_scaling.cli.arguments import Parser, run_verb
from asr_scaling.errors import AsrScalingError, one_line
from asr_scaling.sweep.transcriber import Transcriber, load_system
from asr_scaling.util.redact import printable, redact

_ABOUT = """\
Transcribes audio files with the configuration that  python -m asr_scaling recommend  has written,
in batches of its size. Prints a line a file, in the order of the files: the text, and of several
files the file's name, a tab and the text. Files may have any format and sample rate that libsndfile
reads."""
_EXITS = """\
With --json a line is {"file": …, "text": …}, or {"file": …, "error": …} for a file without a text.
Exit status: 0; 1 when a file has no text, with the reason on standard error: the other files are
transcribed all the same."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Transcribe, print a line a file, and return the exit status."""
    return run_verb(parser(), _transcribe, arguments)


def _transcribe(options: argparse.Namespace) -> int:
    status = 0
    with load_system(options.config, options.language) as system:
        for file, text, error in _texts(system, options.files, system.batch_size):
            if error:
                status = 1
                sys.stderr.write(f"error: {printable(file)}: {error}\n")
            _print(file, text, error, as_json=options.json, alone=len(options.files) == 1)
    return status


def _texts(
    system: Transcriber, files: Sequence[str], batch_size: int
) -> Iterator[tuple[str, str, str]]:
    """Each file with its text and the reason why it has none, of which one is empty.

    If a batch fails, its files are transcribed one by one, so that the others still have a text.
    """
    for start in range(0, len(files), batch_size):
        batch = files[start : start + batch_size]
        texts, error = _attempt(system, batch)
        if not error:
            yield from ((file, text, "") for file, text in zip(batch, texts, strict=True))
        elif len(batch) > 1:
            yield from _texts(system, batch, 1)
        else:
            yield batch[0], "", error


def _attempt(system: Transcriber, files: Sequence[str]) -> tuple[list[str], str]:
    """The texts of the files, or none and the reason."""
    try:
        if len(files) == 1:
            return [system.transcribe(files[0])], ""  # its errors say "the audio", not "audio 0"
        return system.transcribe(list(files)), ""
    except AsrScalingError as error:
        return [], str(error)
    except Exception as error:  # an engine's own, of any kind
        return [], one_line(redact(f"{type(error).__name__}: {error}"))


def _print(file: str, text: str, error: str, *, as_json: bool, alone: bool) -> None:
    """One line on standard output, at once; none for an error unless as JSON."""
    if as_json:
        line = json.dumps({"file": file, **({"error": error} if error else {"text": text})})
    elif error:
        return
    else:
        words = printable(" ".join(text.split()))
        line = words if alone else f"{printable(file)}\t{words}"
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def parser() -> Parser:
    """The options of ``transcribe``."""
    parser = Parser("transcribe", _ABOUT, _EXITS)
    parser.add_path("files", metavar="FILE", nargs="+", help="an audio file")
    parser.add_path(
        "--config",
        metavar="YAML",
        default="recommended.yaml",
        help="what recommend has written; default: recommended.yaml",
    )
    parser.add_argument(
        "--language",
        metavar="CODE",
        help="of the speech: a code such as de, or auto to have it recognised; default: what the "
        "configuration says",
    )
    parser.add_argument("--json", action="store_true", help="print each line as JSON")
    return parser
