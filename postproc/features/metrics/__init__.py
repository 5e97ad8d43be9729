"""The fits behind :mod:`postproc.learned_metric`: labelled features in, a :class:`Metric` out, all in float64.

``kissme``, ``xqda``, ``nfst``, ``lfda``, ``sdml``   one method each
``metric_learn``   those of the package metric-learn
``metric``         what a fit gives
``covariance``     sums over pairs of images that are never formed
``principal``      principal directions
``silence``        how the code of other packages is called
"""
