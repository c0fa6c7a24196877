"""The web as every service shows it: languages, pages, problems, limits and lists."""
