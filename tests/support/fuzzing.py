"""How fuzz tests draw their cases: how many, a watchdog over each,
and changes made to valid bytes and values.

``ASR_SCALING_FUZZ=10`` draws ten times as many, at random instead of always the same
(``make fuzz``).
"""

from __future__ import annotations

import copy
import faulthandler
import functools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

TIMES = float(os.environ.get("ASR_SCALING_FUZZ", "1"))
CASES = {
    "audio": 3000,
    "wav headers": 800,
    "containers": 1200,
    "channels": 300,
    "short clips": 80,
    "manifest": 1200,
    "manifest bytes": 1300,
    "written manifests": 700,
    "named files": 400,
    "record": 1500,
    "record bytes": 1200,
    "record files": 500,
    "sweep file": 700,
    "arguments": 1200,
    "command lines": 600,
    "overrides": 300,
    "options": 200,
    "parquet": 40,
    "places": 150,
    "cut lines": 60,
    "weights": 400,
    "carried": 40,
    "references": 600,
    "changed words": 200,
    "changed letters": 100,
    "strange texts": 600,
    "values as a shell hands them over": 300,
}
"""Cases drawn in CI, by test."""
LIMIT_S = 5.0
_SETTINGS = settings(
    deadline=None,
    database=None,
    print_blob=True,
    derandomize=TIMES <= 1,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)


class Hang(BaseException):
    """A case that did not end in time; no ``except Exception`` hides it."""


@contextmanager
def watchdog() -> Iterator[None]:
    """Fail a case after 5 s of processor time, which other load doesn't lengthen; end the process
    with a traceback after a minute, for what waits or only native code can hang in."""

    def bark(*_: object) -> None:
        raise Hang(f"not done after {LIMIT_S:g} s")

    before, began = signal.signal(signal.SIGPROF, bark), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    faulthandler.dump_traceback_later(60, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        faulthandler.cancel_dump_traceback_later()
    if time.process_time() - began > LIMIT_S:  # the alarm was swallowed by native code
        bark()


def cases(
    name: str, **drawn: st.SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """A test of ``CASES[name]`` drawn cases, each under the watchdog;
    it fails when fewer were run."""
    wanted = max(1, round(CASES[name] * TIMES))

    def test_of(case: Callable[..., None]) -> Callable[[], None]:
        ran = 0

        @functools.wraps(case)
        def watched(**values: Any) -> None:
            nonlocal ran
            ran += 1
            with watchdog():
                case(**values)

        run = settings(_SETTINGS, max_examples=wanted)(given(**drawn)(watched))

        def test() -> None:
            run()
            assert ran >= wanted, f"only {ran} of {wanted} cases"

        test.__name__, test.__doc__, test.__module__ = case.__name__, case.__doc__, case.__module__
        return test

    return test_of


def sentence(error: BaseException, begin: str = "") -> None:
    """Its text must be one line that begins so and ends as a sentence does."""
    text = str(error)
    assert text.startswith(begin), text
    assert text.endswith("."), text
    assert text.isprintable(), repr(text)
    assert len(text) < 2500


_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_EDIT = st.tuples(
    st.sampled_from("fbcdiuex"),
    st.integers(0, 1 << 16),
    st.integers(0, 1 << 10),
    st.binary(max_size=6),
)


def _edited(data: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    """Bits flipped, bytes set, tails cut, spans deleted, inserted and repeated,
    numbers made extreme."""
    out = bytearray(data)
    for kind, where, length, extra in edits:
        if not out:
            break
        at = (
            where // 2 % (min(128, len(out)) if where % 2 else len(out))
        )  # half of them in the header
        if kind == "f":
            out[at] ^= 1 << length % 8
        elif kind == "b":
            out[at] = length % 256
        elif kind == "c":
            del out[at + 1 :]
        elif kind == "d":
            del out[at : at + 1 + length % 64]
        elif kind == "i":
            out[at:at] = extra
        elif kind == "u":
            out[at:at] = out[at : at + 1 + length]
        else:
            size, order = (4, "little") if kind == "e" else (2, "big")
            extreme = _EXTREMES[length % len(_EXTREMES)] % (1 << 8 * size)
            out[at : at + size] = extreme.to_bytes(size, "little" if order == "little" else "big")
    return bytes(out)


def damaged(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of ``seeds`` after a few edits."""
    return st.builds(_edited, st.sampled_from(seeds), st.lists(_EDIT, min_size=1, max_size=5))


DEEP: Any = functools.reduce(lambda inner, _: [inner], range(300), 1)
JUNK = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        1.0,
        0.5,
        -1e308,
        10**400,
        "",
        "x",
        "ok",
        "1",
        "a\nb",
        "\ud800",
        "y" * 5000,
    ]
)
JUNK |= st.sampled_from(
    [[], {}, [1], ["x"], [None], [[1]], {"a": 1}, {"": None}, {"a": {"b": []}}, DEEP]
)
JUNK |= st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)
_CHANGE = st.tuples(
    st.sampled_from(["put", "delete", "rename", "repeat"]),
    st.lists(st.integers(0, 40), max_size=5),
    JUNK,
)


def _changed(value: Any, changes: list[tuple[str, list[int], Any]]) -> Any:
    value = copy.deepcopy(value)
    for what, steps, junk in changes:
        value = _change(value, what, steps, junk)
    return value


def _change(root: Any, what: str, steps: list[int], junk: Any) -> Any:
    junk, parent, key, here = copy.deepcopy(junk), None, None, root
    for step in steps:
        keys = (
            list(here)
            if isinstance(here, dict)
            else list(range(len(here)))
            if isinstance(here, list)
            else []
        )
        if not keys:
            break
        parent, key = here, keys[step % len(keys)]
        here = parent[key]
    if parent is None:
        return junk if what == "put" else root
    if what == "put":
        parent[key] = junk
    elif what == "delete":
        del parent[key]
    elif isinstance(parent, list):
        parent.insert(key, copy.deepcopy(here))
    else:
        parent[f"{key}2" if what == "repeat" else str(junk)[:20]] = parent.pop(key)
    return root


def changed(values: list[Any]) -> st.SearchStrategy[Any]:
    """One of ``values``, plain JSON, after a few changes to what is in it."""
    return st.builds(_changed, st.sampled_from(values), st.lists(_CHANGE, min_size=1, max_size=3))


def to_bytes(value: Any) -> bytes:
    """As JSON, numbers beyond every float included."""
    return json.dumps(value, ensure_ascii=True).encode()
