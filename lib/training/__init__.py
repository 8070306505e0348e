"""From sequences to a trained network."""
