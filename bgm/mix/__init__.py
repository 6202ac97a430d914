"""The mix: takes and voice in, master out."""
