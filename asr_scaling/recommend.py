"""``python -m asr_scaling.recommend``: another name of ``asr-scaling recommend``."""

import sys

from asr_scaling.cli.recommend import main

if __name__ == "__main__":
    sys.exit(main())
