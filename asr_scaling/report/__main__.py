"""``python -m asr_scaling.report``: another name of ``asr-scaling report``."""

import sys

from asr_scaling.cli.report import main

if __name__ == "__main__":
    sys.exit(main())
