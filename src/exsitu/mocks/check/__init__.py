"""Mock galaxies held against the paper: numbers, pictures, a page."""
