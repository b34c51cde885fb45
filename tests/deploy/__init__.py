"""The stack as its users deploy it: its policies, and its functions in an emulator of AWS, by the commands that a user types."""
