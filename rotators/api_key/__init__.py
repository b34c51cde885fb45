"""API keys, tokens and other credentials of services that speak JSON over HTTPS: what to call is said by provider files."""
