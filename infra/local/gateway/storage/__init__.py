"""Buckets and objects: rows in schema `storage`, contents as files on disk."""
