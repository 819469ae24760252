"""The recordings of an AMR file, frame by frame (RFC 4867 section 5)."""

from __future__ import annotations

from typing import BinaryIO

from asr_scaling.dataset._containers import (
    AGAIN,
    Part,
    UnusableError,
    cut_off,
    pieces,
    read_at,
    size_of,
)

_KINDS = {
    b"#!AMR\n": (160, {0: 13, 1: 14, 2: 16, 3: 18, 4: 20, 5: 21, 6: 27, 7: 32, 8: 6, 15: 1}),
    b"#!AMR-WB\n": (
        320,
        {0: 18, 1: 24, 2: 33, 3: 37, 4: 41, 5: 47, 6: 51, 7: 59, 8: 61, 9: 6, 14: 1, 15: 1},
    ),
}
"""By the first bytes of a recording: samples of a frame, and bytes of it by its type."""


def amr_parts(file: BinaryIO) -> list[Part]:
    """The recordings of a file, of which each begins as a file does.

    Raises UnusableError when a frame is cut, or what follows is none.
    """
    at, size = 0, size_of(file)
    parts = list[Part]()
    samples, sizes = _KINDS[b"#!AMR\n"]
    for _ in pieces():
        if at >= size:
            break
        head = read_at(file, at, 9)
        if (begin := next((kind for kind in _KINDS if head.startswith(kind)), None)) is not None:
            samples, sizes = _KINDS[begin]
            parts.append(Part("amr", [(at, at + len(begin))], 0))
            at += len(begin)
            continue
        length = sizes.get(head[0] >> 3 & 15)
        if length is None:
            raise UnusableError(f"is damaged: no frame begins at byte {at}", AGAIN)
        if at + length > size:
            raise cut_off("its last frame is not whole")
        parts[-1].spans = [(parts[-1].spans[0][0], at + length)]
        parts[-1].samples = (parts[-1].samples or 0) + samples
        at += length
    return parts
