"""Audio → voice stem."""
