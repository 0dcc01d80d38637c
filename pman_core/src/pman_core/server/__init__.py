"""The HTTP server: uvicorn in front, and Flask in a bounded pool of threads behind it.

A connection costs no thread. Only a request that has arrived whole, with its headers and its body,
gets one; so a client that stalls does not keep others from being served.
"""
