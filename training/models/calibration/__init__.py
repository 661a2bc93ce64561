"""Calibrated probabilities and conformal label sets, and the shrinkage of corrections by their evidence."""
