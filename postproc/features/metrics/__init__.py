"""The fits behind :mod:`postproc.learned_metric`: labelled features in, a :class:`Metric` out, all in float64.

``metric``   what a fit gives;  ``pairs``   sums over pairs of images that are never formed
``kissme``, ``xqda``, ``nfst``, ``lfda``, ``sdml``   one method each;  ``through``   those of metric-learn
``foreign``  how other packages are called;  ``span``   principal directions
"""
