"""Riffusion on a remote GPU over HTTP: spectrograms in, progress and spectrograms out; no files, no names."""
