"""What a Job, its pods and their events say, as the status of a job: pure translation.

``decision`` starts from all that was seen of a job, and also says what has to be written.
``current`` makes a ``state`` of its Job and pods; ``job``, ``pods``, ``containers`` and ``events``
each read one kind of object. ``pending`` says what a container or a pod waits for.
"""
