"""A 2stems checkpoint with random weights, written by spleeter's own graph (run with spleeter's environment).

``random_checkpoint.py FOLDER``
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf
from spleeter.model import EstimatorSpecBuilder, InputProviderFactory
from spleeter.utils.configuration import load_configuration

folder = Path(sys.argv[1])
folder.mkdir(parents=True)
tf.compat.v1.disable_eager_execution()
tf.compat.v1.set_random_seed(0)
parameters = load_configuration("spleeter:2stems")
features = InputProviderFactory.get(parameters).get_input_dict_placeholders()
tf.compat.v1.train.get_or_create_global_step()
EstimatorSpecBuilder(features, parameters).build_predict_model()
with tf.compat.v1.Session() as session:
    session.run(tf.compat.v1.global_variables_initializer())
    tf.compat.v1.train.Saver().save(session, str(folder / "model"), write_meta_graph=False)
