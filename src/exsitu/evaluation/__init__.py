"""How good a network is: metrics and figures; arrays in, numbers and pictures out."""
