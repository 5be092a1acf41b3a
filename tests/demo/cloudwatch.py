"""The stand-in for CloudWatch as a process: moto's server on a free port, without its chatter."""

import logging
import signal

from moto.server import ThreadedMotoServer


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    ended = {signal.SIGTERM, signal.SIGINT}
    # Before the server's threads exist, which inherit it: the signal is for sigwait alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, ended)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"cloudwatch: http://{host}:{port}", flush=True)
    signal.sigwait(ended)


if __name__ == "__main__":
    main()
