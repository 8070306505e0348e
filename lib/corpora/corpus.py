"""What every corpus has in common."""

from __future__ import annotations

#: Frames a second of both corpora.
FPS = 30000 / 1001
