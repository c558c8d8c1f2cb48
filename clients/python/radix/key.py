"""A key of this process, by which one endpoint knows it."""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What every certificate in Radix is called: it is the key that counts, never the name.
TLS_NAME = "radix"


class Key:
    """A P-256 key and its self-signed certificate, made here and kept in memory only.

    `id` is what it is known by: the SHA-256 of the public key, 64 hex digits. `private_pem` and `certificate_pem` are
    what gRPC takes.
    """

    def __init__(self):
        private = ec.generate_private_key(ec.SECP256R1())
        public = private.public_key()
        spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(spki).hexdigest()
        self.private_pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, TLS_NAME)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            # Clocks of datacenters that power up are wrong, so dates say nothing.
            .not_valid_before(datetime.datetime(1970, 1, 1))
            .not_valid_after(datetime.datetime(9999, 12, 31, 23, 59, 59))
            .sign(private, hashes.SHA256())
        )
        self.certificate_pem = certificate.public_bytes(serialization.Encoding.PEM)
