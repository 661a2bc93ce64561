"""What the command line shows: tables, leaderboards and progress."""
