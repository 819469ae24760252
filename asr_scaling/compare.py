"""``python -m asr_scaling.compare``: the old name of ``python -m asr_scaling compare``."""

from asr_scaling.cli.compare import main

if __name__ == "__main__":
    raise SystemExit(main())
