"""Models of a user's own or of a zoo: found by name, given inputs, compared, judged."""
