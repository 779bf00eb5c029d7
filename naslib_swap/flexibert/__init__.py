"""flexibert."""
