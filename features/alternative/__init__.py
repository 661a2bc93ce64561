"""Data that are not bars (macro series, options, text, events, weather), each row with the instant it became known."""
