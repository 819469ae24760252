"""``python -m asr_scaling``."""

from asr_scaling.cli.sweep import main

if __name__ == "__main__":
    main()
