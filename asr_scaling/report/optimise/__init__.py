"""What a search found: the fastest ways, what each step gained, what was left out."""
