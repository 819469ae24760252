"""What to use, what it costs, what to optimise first, and why."""
