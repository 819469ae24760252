"""What a search for the way to serve found, and ``serving.json``, where reports read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.typed_json import build, read
from asr_scaling.errors import DataError
from asr_scaling.search.serving.ways import Way
from asr_scaling.util.cache import write_atomic

OUTCOME_FILE = "serving.json"


@dataclass(frozen=True)
class Seen:
    """What one point showed of a way.

    per_s: requests a second that it served where clients always wait, or holds under the bound;
        None where that is not known.
    sure_per_s: of a search, the low end of that rate's interval; 0 where it is not known.
    wer: of its texts; None without one.
    problem: why nothing is known, in a sentence; empty where something is.
    """

    per_s: float | None
    sure_per_s: float = 0.0
    wer: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Trial:
    """A way, and what one point showed of it."""

    way: Way
    seen: Seen


@dataclass(frozen=True)
class Left:
    """A way whose highest rate was not searched, or not found, and why in a sentence."""

    way: Way
    why: str


@dataclass(frozen=True)
class Outcome:
    """What was searched, and what was not.

    minutes: the time budget.
    spent_s: wall seconds of everything.
    ceilings, highest: what was measured, in that order.
    left: the ways whose highest rate is not known.
    """

    minutes: float
    spent_s: float
    ceilings: tuple[Trial, ...]
    highest: tuple[Trial, ...]
    left: tuple[Left, ...]

    def write(self, folder: Path) -> None:
        """Into ``folder``, whole or not at all."""
        text = json.dumps(signed(asdict(self)), indent=1, ensure_ascii=False)
        write_atomic(folder / OUTCOME_FILE, text.encode())


def searched_ways(sources: Sequence[str]) -> Outcome | None:
    """What the search of a single source found; None where the source is no such search.

    Raises DataError when its file can't be read.
    """
    if len(sources) != 1 or not (path := Path(sources[0]) / OUTCOME_FILE).is_file():
        return None
    try:
        content = verified(read(path))
        return build(Outcome, {each.name: content[each.name] for each in fields(Outcome)})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} can't be read ({error}): search anew.") from error
