"""The proofs: every death, every state, chance, load, nonsense, leaks, a thousand rotations. `make proof` runs them whole."""
