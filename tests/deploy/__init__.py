"""The stack as its users deploy it: its policies, its functions under an emulator of AWS."""
