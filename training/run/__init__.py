"""A training run: bars staged in blocks, a plan of jobs, a queue that workers pull from, and the driver."""
