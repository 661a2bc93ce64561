"""Options of commands: their names and help, and what their values mean."""
