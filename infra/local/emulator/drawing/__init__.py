"""Draws pictures from a prompt's words: background, part, the text asked for, a caption that says what drew it."""
