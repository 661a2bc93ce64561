"""Scorers of news, social posts, filings and central-bank statements, and features over scored texts."""
