"""The embedded composer: from a cue to a score of notes (:mod:`bgm.music.composer.compose`). It knows no sound."""
