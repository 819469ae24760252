"""Where records go: one module a store. Other parts get a store here, by its options or address.

May import util, errors, core, machine, model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asr_scaling.core.cautions import NOT_TRACKED
from asr_scaling.core.ports import RunStore
from asr_scaling.core.record import RunRecord

STORE = "sqlite:///mlflow.db"
"""MLflow's store where none is named: a database in the current folder."""
_TARGET = "asr_scaling.tracking.mlflow.Mlflow"


def store_at(uri: str) -> RunStore:
    """The store at an address. Raises ConfigError for an address with a password in it."""
    from asr_scaling.tracking.mlflow import Mlflow

    return Mlflow(uri)


def store_of(tracking: Mapping[str, Any] | None, uri: str | None = None) -> RunStore | None:
    """The store that a sweep was tracked in; None where it can't be asked, or there is none.

    tracking: the options of the sweep's sink, as its manifest has them.
    uri: an address to use instead of that in the options.
    """
    if tracking is None or tracking.get("_target_") != _TARGET:
        return None
    from asr_scaling.tracking.mlflow import Mlflow

    options = {key: value for key, value in tracking.items() if key != "_target_"}
    return Mlflow(**options | ({"uri": uri} if uri else {}))


def untracked(record: RunRecord) -> bool:
    """Whether the record has the caution that the store lacks it."""
    return any(caution.kind == NOT_TRACKED for caution in record.cautions)


def as_tracked(record: RunRecord) -> RunRecord:
    """The record without the caution that the store lacks it."""
    cautions = tuple(caution for caution in record.cautions if caution.kind != NOT_TRACKED)
    return replace(record, cautions=cautions)
