"""A GPU that paints for others over HTTP: pictures go in, progress and pictures come out, no files and no names."""
