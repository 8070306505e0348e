"""From a clip to its masked faces of 28x28 pixels."""
