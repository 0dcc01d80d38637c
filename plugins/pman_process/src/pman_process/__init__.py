"""The pman backend ``process``: jobs as plain processes of the machine that pman runs on.

Each job has a folder (:mod:`~pman_kit.job_folder`) inside the state folder
(:mod:`~pman_kit.store`), which is the engine of this backend, and a supervisor
(:mod:`~pman_kit.supervisor`) that outlives pman. One lock file per job holds it all
together. Whoever holds it owns the job: first the pman that creates the folder, which hands
it on to the supervisor that it starts; the kernel frees it with the end of its last holder.
Whoever then finds it free knows, without looking at any process id, that nobody takes care of
this job, and settles what is to be done (:mod:`~pman_process.reconcile`).
"""
