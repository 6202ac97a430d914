"""Scripts that make what we ship: emotion heads, data sets, LoRA."""
