"""``python -m asr_scaling.selftest``: the old name of ``python -m asr_scaling selftest``."""

from asr_scaling.cli.selftest import main

if __name__ == "__main__":
    raise SystemExit(main())
