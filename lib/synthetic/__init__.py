"""Rendered talking faces as small corpora in the layouts of CREMA-D and RAVDESS.

``dials`` holds what makes them hard, ``actors`` who plays, ``anatomy``, ``portrait`` and ``muscles`` a head,
``motion`` a take, ``stage`` and ``render`` its pictures, ``clips`` which there are, ``corpus`` the files.
"""

from lib.synthetic.clips import Clip, plan
from lib.synthetic.corpus import FPS, frames_of, render_clip, render_corpus, write_video
from lib.synthetic.dials import DIALS, Dials

__all__ = ["DIALS", "FPS", "Clip", "Dials", "frames_of", "plan", "render_clip", "render_corpus", "write_video"]
