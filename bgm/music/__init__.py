"""Segment → take."""
