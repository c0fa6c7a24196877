"""What stands in for a mail server in the embedded stack: it takes every mail, keeps it, and shows it."""
