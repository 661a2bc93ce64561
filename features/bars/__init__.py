"""Bars: their schema, and how they are parsed, validated, quarantined and merged."""
