"""The stack of template.yaml, deployed to an emulator of AWS by the commands that a user types."""
