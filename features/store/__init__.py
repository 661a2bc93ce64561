"""Where files live: local folders and object stores, and the lake of bars in them."""
