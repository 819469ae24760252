"""What any program could use: caches, files, redaction of secrets, where the configuration is, the order of layers.

Imports nothing else of this package.
"""
