"""The bus: what is committed is sent, what is received has its effect once, what cannot be taken is kept."""
