"""How a mail is written: a letter (what is said, and to whom) in, a message ready for SMTP out; no database, no net."""
