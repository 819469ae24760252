"""``python -m asr_scaling.sync``: the old name of ``python -m asr_scaling sync``."""

from asr_scaling.cli.sync import main

if __name__ == "__main__":
    raise SystemExit(main())
