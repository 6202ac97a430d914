"""Audio → utterances."""
