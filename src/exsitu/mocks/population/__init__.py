"""Many galaxies drawn from stated priors, to train on."""
