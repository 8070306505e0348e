"""Rendered talking faces as small corpora in the layouts of CREMA-D and RAVDESS.

``dials``: difficulty; ``actors``: the drawn people; ``anatomy``, ``portrait``, ``muscles``: a head; ``motion``: a take;
``stage``, ``render``: its pictures; ``clips``: the list of clips; ``corpus``: the files.
"""

from lib.synthetic.clips import Clip, plan
from lib.synthetic.corpus import FPS, frames_of, render_clip, render_corpus, write_video
from lib.synthetic.dials import DIALS, Dials

__all__ = ["DIALS", "FPS", "Clip", "Dials", "frames_of", "plan", "render_clip", "render_corpus", "write_video"]
