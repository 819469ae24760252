"""The part of a report on requests that arrive: what this machine holds, and what limits it."""
