"""Probe, decode, remux: everything that touches containers and codecs."""
