"""Real servers as children of ours, which leave nothing behind."""
