"""What operators do to a whole deployment: keep it in a file, bring it back from one, look whether it is well."""
