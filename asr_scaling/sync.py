"""``python -m asr_scaling.sync``: another name of ``asr-scaling sync``."""

import sys

from asr_scaling.cli.sync import main

if __name__ == "__main__":
    sys.exit(main())
