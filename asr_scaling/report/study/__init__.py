"""A study's tables for this machine, its published figures beside ours."""
