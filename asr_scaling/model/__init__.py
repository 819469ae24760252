"""What a model is, and where its weights come from."""
