"""A job store and a supervisor, for engines without unique names, labels or memory of their own.

Each job has a folder (:mod:`~pman_kit.job_folder`) in a store (:mod:`~pman_kit.store`) and, once
the engine runs it, a supervisor (:mod:`~pman_kit.supervise`) that outlives pman. A lock file in the
folder says whether a process takes care of the job. If it is free and the job has no end, the next
look does what is due (:mod:`~pman_kit.reconcile`). A plugin calls :mod:`~pman_kit.jobs`, which puts
all of this together. This file imports nothing, since a supervisor imports it.
"""
