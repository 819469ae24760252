"""``python -m asr_scaling.compare``: another name of ``asr-scaling compare``."""

import sys

from asr_scaling.cli.compare import main

if __name__ == "__main__":
    sys.exit(main())
