"""Linear models and class priors."""
