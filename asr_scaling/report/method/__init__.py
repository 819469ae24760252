"""How it was measured and on what, and what qualifies the figures."""
