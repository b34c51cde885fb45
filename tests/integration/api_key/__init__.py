"""Services that issue keys, or take ours."""
