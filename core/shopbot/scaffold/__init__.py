"""What `shopbot new-plugin` writes: a plugin that works, with its tests, to begin with."""
