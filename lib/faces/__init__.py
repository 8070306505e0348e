"""From a clip to its masked faces of 28 x 28 pixels."""
