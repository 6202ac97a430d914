"""BGM Studio: a video in, the same video with music composed for it out.

``bgm.studio`` orchestrates everything; the page, the shell and the tests call it. Importing this package is cheap:
heavy libraries are imported inside the engines that need them.
"""

__version__ = "0.1.0"
