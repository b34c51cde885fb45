"""`make demo TARGET=api_key`: keys that a service issues, rotated while an application uses them."""
