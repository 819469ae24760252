"""Cascades: what each module costs, what to change about it, and what that brought."""
