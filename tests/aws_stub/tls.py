"""A certificate for the stub, so that TLS and the reading of root certificates cost what they cost."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

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
