"""Fits of laws to measurements, with intervals on coefficients and errors on points held out. See stats.py."""
