"""One folder for each target."""
