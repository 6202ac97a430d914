"""Many videos. Each is one unit of work: idempotent, safe to retry on any machine and to run on two at once."""
