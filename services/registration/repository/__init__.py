"""Every query of registration, set-wise: a statement does for a thousand what it does for one."""
