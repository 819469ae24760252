"""The self-test's result as a certificate of one machine and installation, kept for a day."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.typed_json import build, read
from asr_scaling.machine.environment import environment
from asr_scaling.selftest import between_processes as between
from asr_scaling.selftest.checks import Check, Status, overall
from asr_scaling.util.cache import cache_dir, write_atomic

Certificate = Mapping[str, Any]
SCHEMA = 2
FILE = "certificate.json"
MAX_AGE_S = 24 * 3600.0
TIMEOUT_S = 300.0
_KEY = ("host", "cpu", "python", "versions", "commit")
"""Facts of the environment that a certificate is valid for."""
_VERBS = {"fail": "failed", "warn": "warns"}
_AGAIN = "python -m asr_scaling selftest"


def certificate(checks: Sequence[Check], seconds: float) -> Certificate:
    """What the checks found on this machine now, as JSON values.

    seconds: that the checks took.
    """
    return _dated(overall(checks), seconds=seconds, checks=[asdict(check) for check in checks])


def _dated(status: Status, **rest: Any) -> Certificate:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return {"schema": SCHEMA, "at": at, "status": status, "of": _of(), **rest}


def keep(result: Certificate) -> None:
    """Write a certificate where later sweeps look for it. Raises OSError."""
    write_atomic(_path(), to_bytes(result))


def to_bytes(result: Certificate) -> bytes:
    """A certificate as a JSON file, with a checksum."""
    return json.dumps(signed(result), indent=1, allow_nan=False, ensure_ascii=False).encode()


def fresh() -> Certificate | None:
    """This machine's kept certificate; None when missing, damaged or older than a day."""
    try:
        result = _read(_path())
        age_s = (datetime.now(UTC) - datetime.fromisoformat(result["at"])).total_seconds()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if result["of"] == _of() and 0 <= age_s <= MAX_AGE_S else None


def obtain(say: Callable[[str], None], make: Callable[[Path], str] | None = None) -> Certificate:
    """The fresh certificate, or a new one.

    say: prints a line for the user.
    make: writes a certificate to a path, or returns why it could not. By default in a new process,
        which leaves nothing in this one's memory.

    When none can be made, a failed certificate with the reason is returned.
    """
    if (kept := fresh()) is not None:
        return kept
    say("self-test (once a day, about 30 s) …")
    with tempfile.TemporaryDirectory(prefix="asr_scaling-") as scratch:
        path = Path(scratch) / FILE
        try:
            reason = (make or _make)(path)
            if path.exists():
                return _read(path)
        except subprocess.TimeoutExpired:
            reason = f"it did not end within {TIMEOUT_S:g} s"
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
    return _dated("fail", reason=reason, checks=[])


def summary(result: Certificate) -> dict[str, Any]:
    """What records keep of a certificate: status, time, host, and what was measured.

    That is the noise floor, the spread between processes and the machine's usual state.
    """
    brief = {"status": result["status"], "at": result["at"], "host": result["of"]["host"]}
    measured = [check["values"] for check in result["checks"] if "noise_floor" in check["values"]]
    floor = {"noise_floor": measured[0]["noise_floor"]} if measured else {}
    return brief | floor | _between(result)


def _between(result: Certificate) -> dict[str, Any]:
    """Spread between processes and usual state; empty where the check measured none."""
    for check in result["checks"]:
        if check["name"] == between.NAME and between.SPREAD in check["values"]:
            return between.stated(check["values"])
    return {}


def remarks(result: Certificate) -> list[str]:
    """One line about what did not pass; none when everything did."""
    if "reason" in result:
        return [f"The self-test could not be run ({result['reason']}): try  {_AGAIN}"]
    bad = "; ".join(
        f"{check['name']} {verb} ({check['figure']})"
        for status, verb in _VERBS.items()
        for check in result["checks"]
        if check["status"] == status
    )
    at = result["at"][:16].replace("T", " ")
    return [f"Self-test of {at} UTC: {bad}. Advice, and a new one:  {_AGAIN}"] if bad else []


def _make(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "asr_scaling", "selftest", "--json", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return f"it ended with {done.returncode}: {last}"


def _read(path: Path) -> Certificate:
    """The certificate in ``path``. Raises OSError, ValueError, KeyError or TypeError if damaged."""
    data = read(path)
    if not isinstance(data, dict):
        raise ValueError("not a certificate")  # noqa: TRY004 (as JSON's own errors)
    result = verified(data)
    if result["schema"] != SCHEMA:
        raise ValueError(f"certificate schema {result['schema']}")
    status = overall([build(Check, check) for check in result["checks"]])
    zone = datetime.fromisoformat(result["at"]).tzinfo
    if result["status"] != status or not result["of"] or not zone:
        raise ValueError("a damaged certificate")
    return result


def _of() -> dict[str, Any]:
    facts = environment()
    return {key: facts[key] for key in _KEY}


def _path() -> Path:
    key = hashlib.sha256(json.dumps(_of(), sort_keys=True).encode()).hexdigest()[:16]
    return cache_dir("selftest") / f"{key}.json"
