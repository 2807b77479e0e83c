"""Training models from principles: supervised, reward model, preferences, and online."""
