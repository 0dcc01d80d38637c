"""What only pman itself uses; it may change in any release.

It finds plugins (``registry``), calls them (``backend``, ``observers``), makes jobs of requests
(``job_builder``, ``jobs``), and puts a pman together from its settings (``startup``).
"""
