"""The web annotation tool: a server, its database and its page (thesis, section 4.1)."""
