"""Synthetic speech that comes with the package, so that a first run needs no network."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.option_checks import must_work
from asr_scaling.core.workload import DatasetInfo, Workload
from asr_scaling.dataset._copies import CHANGES, copies
from asr_scaling.dataset._demo_speech import LICENCE, SOURCE, demo_entries, is_clean
from asr_scaling.dataset._workload import Dataset, check_limit, from_entries, with_copies
from asr_scaling.errors import DataError

CONDITIONS = ("all", "clean", "noisy")


@dataclass(frozen=True, kw_only=True)
class Demo(Dataset):
    """Sentences spoken by a synthesiser, some with noise. WER on them says nothing about people.

    A limit above their number is met by made copies of them (_copies.py), which come after them.
    There are none of noise for clean speech, and none in fragments.

    condition: "clean", "noisy" or "all".
    """

    name: str = "demo"
    condition: str = "all"
    language: str | None = "en"

    def __post_init__(self) -> None:
        fits = self.condition in CONDITIONS
        remedy = f"choose one of {', '.join(CONDITIONS)}"
        must_work("dataset.condition", self.condition, fits, remedy)
        super().__post_init__()

    def load(self, limit: int | None) -> Workload:
        """At most ``limit`` utterances or fragments, the same at every call.

        Those of a smaller limit are among those of a larger one, and come first where the smaller
        one gives them all, or copies.
        """
        check_limit(limit)
        wanted = {"all": (True, False), "clean": (True,), "noisy": (False,)}[self.condition]
        entries = [entry for entry in demo_entries() if is_clean(entry) in wanted]
        if not entries:
            raise DataError(
                f"The demo speech has nothing for condition={self.condition}; use "
                "dataset.condition=all."
            )
        origin = DatasetInfo(self.name, SOURCE, LICENCE, synthetic=True, split=self.condition)
        workload = from_entries(entries, origin, self, limit)
        if limit is None or limit <= len(entries) or self.length_s is not None:
            return workload
        noise_free = self.condition == "clean"
        changes = [c for c in CHANGES if not (noise_free and c.snr_db is not None)]
        more = copies(workload.utterances, changes, self.seed, limit - len(entries))
        return with_copies(workload, more, self)
