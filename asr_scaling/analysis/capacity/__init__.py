"""Requests that arrive: how many a system holds, what they cost then, and what limits it."""
