"""Pictures with known text, legible and broken in known ways, by which the legibility gate is judged."""
