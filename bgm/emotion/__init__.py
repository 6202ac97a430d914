"""Utterances → scores → timeline."""
