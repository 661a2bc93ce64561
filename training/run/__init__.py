"""A training run: staged bars, a plan of jobs, the queue that workers pull from, and the driver."""
