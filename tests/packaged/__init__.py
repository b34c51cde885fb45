"""The functions as `sam build` builds them, alone, as Lambda runs them."""
