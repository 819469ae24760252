"""Records made readable: from records and statistics alone."""
