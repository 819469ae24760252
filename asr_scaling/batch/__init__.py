"""How utterances become batches: one module a strategy."""
