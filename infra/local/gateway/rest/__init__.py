"""A small part of PostgREST: rows and functions of schema `public` over HTTP, under the caller's own rights.

Served: select (columns, aliases), the filters eq neq gt gte lt lte like ilike in is cs with `not.`, order, limit,
offset and `Range`, counts, insert, upsert, update, delete, and functions by named arguments. Anything else is refused
with a clear error, never ignored.
"""
