"""``python -m asr_scaling.report``: the old name of ``python -m asr_scaling report``."""

from asr_scaling.cli.report import main

if __name__ == "__main__":
    raise SystemExit(main())
