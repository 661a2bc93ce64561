"""Bars: schema, parsing, validation, quarantine, merging and trading calendars."""
