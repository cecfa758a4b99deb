"""Measurements of this system, beside the engines that a user would pick instead: `python -m bench`."""
