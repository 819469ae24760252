"""How two measured points differ: paired on the same speech, with intervals and verdicts."""

from asr_scaling.analysis.comparison.verdict import Comparison, Row, compare

__all__ = ["Comparison", "Row", "compare"]
