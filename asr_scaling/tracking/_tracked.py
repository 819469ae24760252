"""Whether a record says that its store has it, and the store where none is named."""

from __future__ import annotations

import os
from dataclasses import replace

from asr_scaling.core.cautions import NOT_TRACKED
from asr_scaling.core.record import RunRecord

STORE = "sqlite:///mlflow.db"
"""MLflow's store where none is named: a database in the current folder."""


VARIABLE = "MLFLOW_TRACKING_URI"
"""By it every client of MLflow names a store."""
STORE_IF_NONE = f"${VARIABLE}, else {STORE}"
"""The store where none is named, for help texts."""


def store_address() -> str:
    """Address of MLflow's store where none is given."""
    return os.environ.get(VARIABLE) or STORE


def untracked(record: RunRecord) -> bool:
    """Whether the record has the caution that the store lacks it."""
    return any(caution.kind == NOT_TRACKED for caution in record.cautions)


def as_tracked(record: RunRecord) -> RunRecord:
    """The record without the caution that the store lacks it."""
    cautions = tuple(caution for caution in record.cautions if caution.kind != NOT_TRACKED)
    return replace(record, cautions=cautions)
