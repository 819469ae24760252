"""Where the time goes, what bounds it, and what to optimise first."""
