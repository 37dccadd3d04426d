"""Who did something, and that it was they: users, signatures, keys."""
