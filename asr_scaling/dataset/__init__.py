"""Speech with transcripts: one module and one YAML per source, and fragments of exact lengths made of any of them."""
