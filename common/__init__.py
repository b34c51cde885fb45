"""What is true of every rotation, whatever the server: shipped in every function.

Imports point one way: handler → engine → strategy → target → secret, with `store` (the only module that calls Secrets
Manager) to the side. Nothing here knows a database driver.
"""
