"""What a forecast is worth: evaluation against baselines, verdicts and promotion."""
