"""The part of a report on cascades: which module eats the time, and what to change about it."""
