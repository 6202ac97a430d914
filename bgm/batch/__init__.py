"""Many videos. Each is one unit of work that may be done anywhere, again, and by two machines at once."""
