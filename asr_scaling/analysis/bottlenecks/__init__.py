"""What bounds a point, where its time goes, and what to optimise first."""
