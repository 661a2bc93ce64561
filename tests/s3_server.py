"""An S3 server on loopback (moto's), one request at a time so that conditional writes are atomic; prints its port."""

from moto.server import create_backend_app
from werkzeug.serving import make_server

if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, create_backend_app("s3"), threaded=False)
    print(server.server_port, flush=True)
    server.serve_forever()
