"""What this service does: keeps what others tell, owes notices for it, and sends what is due."""
