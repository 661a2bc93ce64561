"""Retraining: which models are trained again and when, and the way back to the former champion."""
