"""Mock galaxies with a known past, and the surveys an observer inside them would make."""
