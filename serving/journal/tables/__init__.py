"""The tables of the journal by group; :mod:`serving.journal.schema` has them all."""
