"""``python -m asr_scaling.recommend``: the old name of ``python -m asr_scaling recommend``."""

from asr_scaling.cli.recommend import main

if __name__ == "__main__":
    raise SystemExit(main())
