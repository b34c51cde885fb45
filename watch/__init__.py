"""The dead man's watch: a function of its own, which ships without common/ and rotators/."""
