"""What levers left of the time of stages in committed results: the facts that advice rests on.

Written by ``python benchmarks/advice.py learn``; a test computes them from ``SOURCES`` again.
"""

from __future__ import annotations

from collections.abc import Mapping

SOURCES: Mapping[str, str] = {
    "amd-epyc-2-cores/records.jsonl.gz": "avx512_bf16",
    "amd-epyc-2-cores-encoder/records.jsonl.gz": "avx512_bf16",
    "amd-epyc-2-cores-optimisations/records.jsonl.gz": "avx512_bf16",
}
"""File below docs/results → class of its processor (machine/instructions.py), which older records
don't have."""
_HEAP: Mapping[tuple[str, str, str, str], Mapping[str, tuple[float, float, int]]] = {
    ("keep_heap", "transformers", "whisper", "avx512_bf16"): {"every stage": (-1.13, 0.19, 5)},
    ("keep_heap", "faster_whisper", "whisper", "avx512_bf16"): {"every stage": (-1.55, 0.11, 5)},
}
"""By amd-epyc-2-cores/why-processes-differ-kept-heap.jsonl: the median call of each utterance in
processes that keep their heap over that in others, for a million page faults a second."""
EFFECTS: Mapping[tuple[str, str, str, str], Mapping[str, tuple[float, float, int]]] = {
    **_HEAP,
    ("16", "transformers", "ctc", "avx512_bf16"): {
        "encoder": (0.079, 0.044, 5),
    },
    ("16", "transformers", "whisper", "avx512_bf16"): {
        "features": (0.083, 0.235, 4),
        "encoder": (0.065, 0.075, 24),
        "decoder": (-0.477, 0.112, 24),
    },
    ("bf16", "transformers", "whisper", "avx512_bf16"): {
        "encoder": (-0.404, 0.028, 2),
        "decoder": (-0.301, 0.194, 2),
    },
    ("decode_loop", "transformers", "whisper", "avx512_bf16"): {
        "decoder": (-0.139, 0.154, 2),
    },
    ("dynamic_window", "faster_whisper", "whisper", "avx512_bf16"): {
        "features": (-0.345, 0.116, 3),
        "encoder": (-1.545, 0.277, 4),
        "decoder": (-0.061, 0.057, 4),
    },
    ("dynamic_window", "onnxruntime", "whisper", "avx512_bf16"): {
        "features": (-0.849, 0.28, 4),
        "encoder": (-1.055, 0.115, 4),
        "decoder": (-0.101, 0.102, 4),
    },
    ("dynamic_window", "openvino", "whisper", "avx512_bf16"): {
        "features": (-0.638, 0.276, 3),
        "encoder": (-1.145, 0.137, 4),
        "decoder": (-0.243, 0.135, 4),
    },
    ("dynamic_window", "transformers", "whisper", "avx512_bf16"): {
        "encoder": (-1.174, 0.134, 4),
        "decoder": (-0.076, 0.105, 4),
    },
    ("dynamic_window", "whisper_cpp", "whisper", "avx512_bf16"): {
        "features": (0.047, 0.093, 4),
        "encoder": (-0.992, 0.09, 4),
        "decoder": (-0.245, 0.094, 4),
    },
    ("faster_whisper", "transformers", "whisper", "avx512_bf16"): {
        "features": (-0.203, 0.15, 1),
        "encoder": (0.18, 0.077, 2),
        "decoder": (-0.641, 0.161, 2),
    },
    ("int8", "faster_whisper", "whisper", "avx512_bf16"): {
        "encoder": (-0.447, 0.174, 4),
        "decoder": (-0.486, 0.118, 4),
    },
    ("int8", "onnxruntime", "whisper", "avx512_bf16"): {
        "encoder": (-0.46, 0.058, 4),
        "decoder": (-0.567, 0.077, 4),
    },
    ("int8", "openvino", "whisper", "avx512_bf16"): {
        "encoder": (-0.432, 0.135, 4),
        "decoder": (-0.613, 0.137, 4),
    },
    ("int8", "transformers", "whisper", "avx512_bf16"): {
        "encoder": (-0.591, 0.086, 6),
        "decoder": (-1.105, 0.245, 6),
    },
    ("int8", "whisper_cpp", "whisper", "avx512_bf16"): {
        "encoder": (-0.03, 0.086, 4),
        "decoder": (-0.143, 0.102, 4),
    },
    ("onnxruntime", "transformers", "whisper", "avx512_bf16"): {
        "features": (0.822, 0.15, 1),
        "encoder": (-0.01, 0.088, 2),
        "decoder": (-1.101, 0.118, 2),
    },
    ("openvino", "transformers", "whisper", "avx512_bf16"): {
        "features": (-0.402, 0.15, 1),
        "encoder": (-0.115, 0.12, 2),
        "decoder": (-1.014, 0.087, 2),
    },
}
"""Lever, engine, family of the model, class of processor → stage → mean and standard deviation of
the logarithm of what is left of its time, for each unit of the lever's amount, and how many pairs
of records they are of."""
