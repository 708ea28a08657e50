"""A small HTTP/1.1 server on loopback, and the certificates for it.

Written down here because the standard library's takes longer for a request than what is to be measured.
"""

import datetime
import ipaddress
import socket
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa


class Server:
    """One thread a connection; connections are kept. `answer(method, path, body)` gives status, headers and body, or
    nothing to close the connection."""

    def __init__(self, answer, tls=None):
        self.answer, self.tls = answer, tls
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while request := read(stream):
                    response = self.answer(*request)
                    if response is None:
                        return
                    status, headers, body = response
                    lines = [f"HTTP/1.1 {status} .", f"content-length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
                    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        except OSError:
            pass  # A process that was killed closes its connections.

    def stop(self):
        # Closing alone does not wake up the thread that waits for a connection.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def read(stream):
    """Method, path and body of the next request; nothing at the end."""
    line = stream.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ", 2)
    length = 0
    while (header := stream.readline()) not in (b"\r\n", b""):
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return method, path, stream.read(length)


# The usual places of the system's root certificates.
BUNDLES = ("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem")


def certificates(folder):
    """A throw-away authority and a server's certificate by it: the server's TLS context, and the path of a bundle that
    has the authority behind all the system's roots, so that loading roots costs what it costs. The server's key is
    RSA with 2048 bits, as that of AWS's endpoints is."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(name, key, issuer, issuer_key, *extensions):
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def named(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = certificate(named("throw-away authority of a benchmark"), authority_key, named("throw-away authority of a benchmark"), authority_key,
                            (x509.BasicConstraints(ca=True, path_length=None), True))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = certificate(named("127.0.0.1"), key, named("throw-away authority of a benchmark"), authority_key,
                       (names, False), (x509.BasicConstraints(ca=False, path_length=None), True))
    folder = Path(folder)
    (folder / "server.pem").write_bytes(leaf + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    system = next((Path(path) for path in BUNDLES if Path(path).is_file()), None)
    if system is None:
        raise SystemExit(f"no root certificates at {', '.join(BUNDLES)}: install ca-certificates")
    bundle = folder / "bundle.pem"
    bundle.write_bytes(system.read_bytes() + authority)
    return context, str(bundle)
