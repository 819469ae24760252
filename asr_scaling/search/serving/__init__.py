"""The search for the way to serve a model that holds most requests a second."""
