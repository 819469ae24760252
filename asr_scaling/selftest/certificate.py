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
from asr_scaling.core.schema import build, read
from asr_scaling.machine.environment import environment
from asr_scaling.selftest.checks import Check, overall
from asr_scaling.util.cache import cache_dir, write_atomic

Certificate = Mapping[str, Any]
SCHEMA = 1
FILE = "certificate.json"
MAX_AGE_S = 24 * 3600.0
TIMEOUT_S = 180.0
_KEY = ("host", "cpu", "python", "versions", "commit")
"""Facts of the environment that a certificate is valid for."""
_VERBS = {"fail": "failed", "warn": "warns"}
_AGAIN = "python -m asr_scaling selftest"


def certificate(checks: Sequence[Check], seconds: float) -> Certificate:
    """What the checks found, now and here, as plain JSON values."""
    found = {
        "schema": SCHEMA,
        "at": _now(),
        "status": overall(checks),
        "seconds": seconds,
        "of": _of(),
    }
    return found | {"checks": [asdict(check) for check in checks]}


def keep(found: Certificate) -> None:
    """Write ``found`` where later sweeps look for it. Raises OSError."""
    write_atomic(_path(), to_bytes(found))


def to_bytes(found: Certificate) -> bytes:
    """``found`` as a JSON file, with a checksum."""
    return json.dumps(signed(found), indent=1, allow_nan=False, ensure_ascii=False).encode()


def fresh() -> Certificate | None:
    """This machine's kept certificate; None when missing, damaged or older than a day."""
    try:
        found = _read(_path())
        age_s = (datetime.now(UTC) - datetime.fromisoformat(found["at"])).total_seconds()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found["of"] == _of() and 0 <= age_s <= MAX_AGE_S else None


def obtain(say: Callable[[str], None], make: Callable[[Path], str] | None = None) -> Certificate:
    """The fresh certificate, or a new one.

    say: prints a line for the user.
    make: writes a certificate to a path or returns why it could not; by default in a new process,
        so that this one's memory stays clean.

    When none can be made, a failed certificate with the reason is returned.
    """
    if (found := fresh()) is not None:
        return found
    say("self-test (once a day, about 20 s) …")
    made = _made(make or _make)
    if not isinstance(made, str):
        return made
    return {
        "schema": SCHEMA,
        "at": _now(),
        "status": "fail",
        "of": _of(),
        "reason": made,
        "checks": [],
    }


def _made(make: Callable[[Path], str]) -> Certificate | str:
    with tempfile.TemporaryDirectory(prefix="asr_scaling-") as scratch:
        path = Path(scratch) / FILE
        try:
            said = make(path)
            return _read(path) if path.exists() else said
        except subprocess.TimeoutExpired:
            return f"it did not end within {TIMEOUT_S:g} s"
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"{type(error).__name__}: {error}"


def summary(found: Certificate) -> dict[str, Any]:
    """What records keep of a certificate: status, time, host and the noise floor if measured."""
    brief = {"status": found["status"], "at": found["at"], "host": found["of"]["host"]}
    floors = [
        values["noise_floor"]
        for check in found["checks"]
        if "noise_floor" in (values := check["values"])
    ]
    return brief | ({"noise_floor": floors[0]} if floors else {})


def remarks(found: Certificate) -> list[str]:
    """One line about what did not pass; none when everything did."""
    if "reason" in found:
        return [f"The self-test could not be run ({found['reason']}): try  {_AGAIN}"]
    bad = [c for status in ("fail", "warn") for c in found["checks"] if c["status"] == status]
    if not bad:
        return []
    said = "; ".join(f"{c['name']} {_VERBS[c['status']]} ({c['figure']})" for c in bad)
    return [
        f"Self-test of {found['at'][:16].replace('T', ' ')} UTC: {said}. Advice, and a new one:  {_AGAIN}"
    ]


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
    found = read(path)
    if not isinstance(found, dict):
        raise ValueError("not a certificate")  # noqa: TRY004 (as JSON's own errors)
    found = verified(found)
    if found["schema"] != SCHEMA:
        raise ValueError(f"certificate schema {found['schema']}")
    checks = [build(Check, check) for check in found["checks"]]
    if (
        found["status"] != overall(checks)
        or not found["of"]
        or not datetime.fromisoformat(found["at"]).tzinfo
    ):
        raise ValueError("a damaged certificate")
    return dict(found)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _of() -> dict[str, Any]:
    facts = environment()
    return {key: facts[key] for key in _KEY}


def _path() -> Path:
    key = hashlib.sha256(json.dumps(_of(), sort_keys=True).encode()).hexdigest()[:16]
    return cache_dir("selftest") / f"{key}.json"
