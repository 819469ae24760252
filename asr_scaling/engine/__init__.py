"""Software that runs models: one module an engine."""
