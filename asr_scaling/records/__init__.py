"""Records found again: read from folders and files, and the rounds of a point made whole."""
