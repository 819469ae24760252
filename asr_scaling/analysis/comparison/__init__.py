"""How two measured points differ: paired on the same speech, with intervals and verdicts."""

from asr_scaling.analysis.comparison.verdict import Comparison, MetricChange, compare

__all__ = ["Comparison", "MetricChange", "compare"]
