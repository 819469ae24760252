"""Texts before they are scored: one Unicode form, scripts, and normalisers by language."""
