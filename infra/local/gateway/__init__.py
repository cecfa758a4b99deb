"""A small server for the part of Supabase's Auth, Storage and REST interfaces that the `supabase` client uses.

A development stand-in, loopback only. Rights are not decided here: each request runs in the database as the caller's
role with the caller's claims, so row level security decides, as in the cloud.
"""
