"""What a Job, its pods and their events say, as the status of a job: pure translation.

``current`` starts from a whole Job and its pods, and ends in a ``state``. ``job``, ``pods``,
``containers`` and ``events`` each read one kind of object. ``pending`` says what a job waits for,
``ends`` how it ended.
"""
