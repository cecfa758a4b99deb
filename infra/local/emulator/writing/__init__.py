"""Writes answers from what is in a prompt: topic, evidence, schema. It never adds a fact."""
