"""Sign-in with e-mail and password: the part of Supabase Auth that a front end with ready-made users needs."""
