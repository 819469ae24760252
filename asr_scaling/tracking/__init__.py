"""Where records go: one module a store. Other parts get a store here, by its options or address.

May import util, errors, core, machine, load, model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asr_scaling.core.ports import RunStore
from asr_scaling.tracking._tracked import STORE_IF_NONE as STORE_IF_NONE
from asr_scaling.tracking._tracked import as_tracked as as_tracked
from asr_scaling.tracking._tracked import store_address as store_address
from asr_scaling.tracking._tracked import untracked as untracked

_TARGET = "asr_scaling.tracking.mlflow.Mlflow"


def store_at(uri: str | None) -> RunStore:
    """The store at an address, or where no other is named for None.

    Raises ConfigError for an address with a password in it.
    """
    from asr_scaling.tracking.mlflow import Mlflow

    return Mlflow(uri or store_address())


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
