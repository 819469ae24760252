"""Speech cut to an exact length, but not its references: docs/results.md shows what that costs.

python scripts/cut_references.py SOURCE TARGET --seconds 5: utterances of SOURCE, a folder with a
manifest as for dataset=folder, that are longer are cut at that second into TARGET; each keeps the
reference of the whole.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import soundfile

from asr_scaling.dataset.folder import Folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source")
    parser.add_argument("target", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    options.target.mkdir(parents=True)
    rows = []
    for utterance in Folder(path=options.source).load(None).utterances:
        if utterance.duration_s <= options.seconds:
            continue
        name = f"{utterance.id}.flac"
        soundfile.write(
            options.target / name, utterance.audio[: round(options.seconds * 16_000)], 16_000
        )
        rows.append(json.dumps({"id": utterance.id, "audio": name, "text": utterance.reference}))
    (options.target / "manifest.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
