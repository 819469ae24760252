"""The self-test's result as a certificate of one machine and installation, kept for a day."""

from __future__ import annotations

import hashlib
import json
import math
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
PASSING: Mapping[str, float] = {
    "known sleeps": 0.0,
    "A/A noise": 0.0,
    "other processes": 0.0,
    between.NAME: 3600.0,
}
"""Check whose result may be of the moment → seconds after which a bad one is looked at again. The
last takes the longest, and on a shared machine what it finds mostly stays."""
_VERBS = {"fail": "failed", "warn": "warns"}
_AGAIN = "python -m asr_scaling selftest"


def certificate(checks: Sequence[Check], seconds: float) -> Certificate:
    """What the checks found on this machine now, as JSON values.

    seconds: that the checks took.
    """
    return _dated(overall(checks), seconds=seconds, checks=[asdict(check) for check in checks])


def _dated(status: Status, **rest: Any) -> Certificate:
    return {"schema": SCHEMA, "at": _now(), "status": status, "of": _of(), **rest}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def renewed(kept: Certificate, checks: Sequence[Check]) -> Certificate:
    """The ``kept`` certificate with ``checks`` that were made again now; the rest stands."""
    made = {check.name: asdict(check) for check in checks}
    rows = [made.get(row["name"], row) for row in kept["checks"]]
    again = {**kept.get("again", {}), **dict.fromkeys(made, _now())}
    result = {**kept, "checks": rows, "again": again}
    return {**result, "status": overall(checks_of(result))}


def passing(kept: Certificate) -> list[str]:
    """Names of checks that did not pass and may pass now: they are to be made again."""
    now = datetime.now(UTC)

    def age_s(name: str) -> float:
        return (now - datetime.fromisoformat(_made_at(kept, name))).total_seconds()

    return [
        row["name"]
        for row in kept["checks"]
        if row["status"] in _VERBS and age_s(row["name"]) >= PASSING.get(row["name"], math.inf)
    ]


def _made_at(result: Certificate, name: str) -> str:
    """When the check ``name`` was made."""
    return str(result.get("again", {}).get(name, result["at"]))


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

    Of a fresh one, checks that did not pass and may pass now are made again. Where that can't be
    done it is used as it is. When none can be made, a failed one with the reason is returned.
    """
    kept = fresh()
    due = passing(kept) if kept is not None else []
    if kept is not None and not due:
        return kept
    say(f"self-test again ({', '.join(due)}) …" if due else "self-test (once a day, about 30 s) …")
    made = _made(make or _make)
    if not isinstance(made, str):
        return made
    if kept is None:
        return _dated("fail", reason=made, checks=[])
    say(f"The self-test could not be run again ({made}): the kept one of {kept['at']} is used.")
    return kept


def _made(make: Callable[[Path], str]) -> Certificate | str:
    """What ``make`` wrote, or why there is nothing."""
    with tempfile.TemporaryDirectory(prefix="asr_scaling-") as scratch:
        path = Path(scratch) / FILE
        try:
            reason = make(path)
            return _read(path) if path.exists() else reason
        except subprocess.TimeoutExpired:
            return f"it did not end within {TIMEOUT_S:g} s"
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"{type(error).__name__}: {error}"


def summary(result: Certificate) -> dict[str, Any]:
    """What records keep of a certificate: status, time, host, and what was measured.

    That is the noise floor, the spread between processes and the machine's usual state. The time
    is that of the checks that were made last.
    """
    at = max([result["at"], *result.get("again", {}).values()], key=datetime.fromisoformat)
    brief = {"status": result["status"], "at": at, "host": result["of"]["host"]}
    measured = [check["values"] for check in result["checks"] if "noise_floor" in check["values"]]
    floor = {"noise_floor": measured[0]["noise_floor"]} if measured else {}
    return brief | floor | _between(result)


def _between(result: Certificate) -> dict[str, Any]:
    """Spread between processes and usual state; empty where the check measured none."""
    for check in result["checks"]:
        if check["name"] == between.NAME and between.SPREAD in check["values"]:
            stated, at = between.stated(check["values"]), _made_at(result, between.NAME)
            return {**stated, "between_processes": {**stated["between_processes"], "at": at}}
    return {}


def remarks(result: Certificate) -> list[str]:
    """One line about what did not pass; none when everything did."""
    if "reason" in result:
        return [f"The self-test could not be run ({result['reason']}): try  {_AGAIN}"]
    bad: dict[str, list[str]] = {}
    for status, verb in _VERBS.items():
        for check in result["checks"]:
            if check["status"] == status:
                found = f"{check['name']} {verb} ({check['figure']})"
                bad.setdefault(_minute(_made_at(result, check["name"])), []).append(found)
    said = " ".join(f"Self-test of {at} UTC: {'; '.join(bad[at])}." for at in sorted(bad))
    return [f"{said} Advice, and a new one:  {_AGAIN}"] if said else []


def _minute(at: str) -> str:
    return at[:16].replace("T", " ")


def _make(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "asr_scaling", "selftest", "--again", "--json", str(path)],
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
    times = [result["at"], *dict(result.get("again", {})).values()]
    zones = all(datetime.fromisoformat(at).tzinfo for at in times)
    if result["status"] != overall(checks_of(result)) or not result["of"] or not zones:
        raise ValueError("a damaged certificate")
    return result


def checks_of(result: Certificate) -> list[Check]:
    """The checks of a certificate. Raises TypeError when one is no check."""
    return [build(Check, row) for row in result["checks"]]


def _of() -> dict[str, Any]:
    facts = environment()
    return {key: facts[key] for key in _KEY}


def _path() -> Path:
    key = hashlib.sha256(json.dumps(_of(), sort_keys=True).encode()).hexdigest()[:16]
    return cache_dir("selftest") / f"{key}.json"
