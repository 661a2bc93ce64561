"""Could it be luck: tests of a track record, alone and among all that were tried. Pure functions of returns."""
