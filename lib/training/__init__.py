"""From sequences to a trained network: layers, network, training loop, checkpoints."""
