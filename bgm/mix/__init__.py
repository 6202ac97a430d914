"""Takes and voice → master."""
