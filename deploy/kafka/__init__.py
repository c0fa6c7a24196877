"""Who may do what on a broker that asks its clients who they are."""
