"""What models are fitted on: examples, windows, designs and feature buffers."""
