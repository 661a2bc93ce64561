"""Storage of files in local folders and buckets, and the lake of bars in it."""
