"""``python -m asr_scaling.selftest``: another name of ``asr-scaling selftest``."""

import sys

from asr_scaling.cli.selftest import main

if __name__ == "__main__":
    sys.exit(main())
