"""What a forecast is worth: metrics with errors clustered by day, baselines, leaderboards, promotion."""
