"""For whoever writes a target: a faithful Secrets Manager simulator, real servers, certificates.

Nothing of this ships in a function.
"""
