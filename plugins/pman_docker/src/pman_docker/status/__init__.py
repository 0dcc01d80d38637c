"""What the engine says, as the status of a job: pure translation.

``container`` reads one container, ``job`` all objects of a job.
"""
