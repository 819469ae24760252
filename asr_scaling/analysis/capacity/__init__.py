"""What a service holds: its loads, and a queue that says what other loads would show."""
