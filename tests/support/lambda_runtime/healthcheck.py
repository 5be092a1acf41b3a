"""In the function's test image: status 0 while the endpoint listens."""

import os
import socket

with socket.create_connection(("127.0.0.1", int(os.environ["FUNCTION_PORT"])), 2):
    pass
