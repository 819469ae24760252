"""How cost grows with length, batch and size, and memory with batch."""
