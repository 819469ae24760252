"""What any program could use: caches, files, web addresses, secrets, where the configuration is.

Imports nothing else of this package.
"""
