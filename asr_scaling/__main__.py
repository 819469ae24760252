"""``python -m asr_scaling``."""

from asr_scaling.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
