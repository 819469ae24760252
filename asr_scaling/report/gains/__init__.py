"""What engines and optimisations bring: each point against the plain one of its model, on the same speech."""
