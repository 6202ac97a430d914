"""BGM Studio: a video in, the same video with music made for it out.

``bgm.studio`` is the only conductor; the page, the shell and the tests call it. Importing this package costs nothing:
heavy libraries are imported inside the engine that needs them.
"""

__version__ = "0.1.0"
