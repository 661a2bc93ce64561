"""From scores to honest probabilities: calibration, conformal label sets, and how much a correction has earned."""
