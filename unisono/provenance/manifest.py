"""C2PA manifests: who made a picture and how, signed and kept inside its file.

A signature needs a certificate. Where the operator names none, the first start makes a development
certificate in the user's folder. It proves only that the file is as this installation signed it: no authority
vouches for it, so checkers say "valid" and not "trusted".
"""

import contextlib
import datetime
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unisono
from unisono.core.errors import UserError
from unisono.core.home import atomic_write, home

INSTALL = "pip install 'unisono[provenance]'"
MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
GENERATOR = "Unisono"
AUTHORITY = "Unisono development certificate (not trusted by anyone)"
YEARS = 5
SETTINGS = {"builder": {"thumbnail": {"enabled": False}}}  # a drawing is no larger than its thumbnail


def missing() -> str | None:
    """Why no manifest can be written or read here; None where both can."""
    try:
        import c2pa  # noqa: F401
        import cryptography  # noqa: F401
    except (ImportError, OSError) as error:
        return f"C2PA needs the packages c2pa-python and cryptography ({error}); {INSTALL}"
    return None


class Signer:
    """Signs pictures. `certificate`: a PEM file with the chain, the signer's first; `key`: its private key,
    PEM, ES256 (P-256). None: the development certificate.
    """

    def __init__(self, certificate: str | Path | None = None, key: str | Path | None = None) -> None:
        if (reason := missing()) is not None:
            raise UserError(reason)
        if bool(certificate) != bool(key):
            raise UserError("a certificate for C2PA needs its key too: --c2pa-cert FILE --c2pa-key FILE")
        self.is_development = not certificate
        paths = (Path(certificate), Path(key)) if certificate and key else development_certificate()
        try:
            self.chain, self.key = (path.read_text(encoding="ascii") for path in paths)
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read the certificate for C2PA: {error}; expected PEM files") from None
        try:
            self.sign(_smallest(), "png")
        except Exception as error:  # the library has a class for each fault, all of them private
            raise UserError(
                f"{paths[0]} and {paths[1]} cannot sign C2PA manifests ({_short(error)}); expected a chain "
                "of certificates for signing (emailProtection or document signing) and its P-256 key, in PEM"
            ) from None

    def sign(self, content: bytes, format: str, *, is_composite: bool = False) -> bytes:
        """A PNG, JPEG or WebP file -> the same picture with a signed manifest. is_composite: parts of the
        picture were not made by the network.
        """
        import c2pa

        info = c2pa.C2paSignerInfo(
            alg=b"es256", sign_cert=self.chain.encode(), private_key=self.key.encode(), ta_url=None
        )
        made, told = io.BytesIO(), json.dumps(_manifest(is_composite))
        with (
            c2pa.Context.from_dict(SETTINGS) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(told, context=context) as builder,
        ):
            builder.sign(signer, f"image/{format}", io.BytesIO(content), made)
        return made.getvalue()


def _manifest(is_composite: bool) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    action = {
        "action": "c2pa.created",
        "digitalSourceType": COMPOSITE if is_composite else MADE,
        "when": now,
        "softwareAgent": {"name": GENERATOR, "version": unisono.__version__},
    }
    return {
        "claim_generator_info": [{"name": GENERATOR, "version": unisono.__version__}],
        "title": "Drawing",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }


@dataclass(frozen=True)
class Manifest:
    """What a manifest says. `state`: trusted, valid (signed and unchanged, by somebody whom no list names) or
    invalid (changed since, or badly signed).
    """

    state: str
    generator: str
    issuer: str | None
    generated_at: str | None
    is_generated: bool  # it calls itself made by a trained network, wholly or in part

    @property
    def is_ours(self) -> bool:
        """Whether it says, and proves, that Unisono made the picture."""
        return self.state != "invalid" and self.generator.startswith(GENERATOR)

    @property
    def shown(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "state": self.state,
            "generator": self.generator,
            "issuer": self.issuer,
            "generated_at": self.generated_at,
            "is_generated": self.is_generated,
        }


def read_manifest(content: bytes, mime: str) -> Manifest | None:
    """A file and its MIME type -> its manifest; None where it has none. UserError without c2pa-python."""
    if (reason := missing()) is not None:
        raise UserError(reason)
    import c2pa

    try:
        with c2pa.Reader(mime, io.BytesIO(content)) as reader:
            told = json.loads(reader.json())
    except c2pa.C2paError as error:
        if "ManifestNotFound" in str(error) or "NotSupported" in str(error):
            return None
        return Manifest("invalid", "", None, None, False)
    found = told.get("manifests", {}).get(told.get("active_manifest"), {})
    actions = [
        action
        for assertion in found.get("assertions", [])
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", [])
    ]
    infos: list[dict[str, str]] = found.get("claim_generator_info") or [{}]
    generator = infos[0].get("name", found.get("claim_generator", ""))
    signature = found.get("signature_info") or {}
    return Manifest(
        state=str(told.get("validation_state", "invalid")).lower(),
        generator=str(generator),
        issuer=signature.get("issuer") or signature.get("common_name"),
        generated_at=signature.get("time") or next((one["when"] for one in actions if "when" in one), None),
        is_generated=any(one.get("digitalSourceType") in (MADE, COMPOSITE) for one in actions),
    )


# ---- the development certificate ----


def folder() -> Path:
    """Where the development certificate lies."""
    return home() / "provenance"


def development_certificate() -> tuple[Path, Path]:
    """The paths of the chain and the key in the user's folder, made where they are not there yet."""
    chain, key = folder() / "certificates.pem", folder() / "key.pem"
    if not (chain.is_file() and key.is_file()):
        folder().mkdir(parents=True, exist_ok=True)
        certificates, secret = _made_certificates()
        atomic_write(key, lambda part: part.write_bytes(secret))
        with contextlib.suppress(OSError):
            os.chmod(key, 0o600)
        atomic_write(chain, lambda part: part.write_bytes(certificates))
    return chain, key


def _made_certificates() -> tuple[bytes, bytes]:
    """-> PEM of the signer's certificate and its authority's, PEM of the signer's key. C2PA takes no signer
    that vouches for itself, so there are two.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = _name(f"{AUTHORITY}: root"), _name(AUTHORITY)
    root = _certificate(root_name, root_name, root_key.public_key(), root_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    root = root.add_extension(_usage(signs_certificates=True), critical=True).sign(root_key, hashes.SHA256())
    leaf = _certificate(name, root_name, key.public_key(), root_key).add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    leaf = leaf.add_extension(_usage(signs_certificates=False), critical=True)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    leaf = leaf.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
    ).sign(root_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return leaf.public_bytes(pem) + root.public_bytes(pem), secret


def _name(text: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, GENERATOR),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


def _certificate(subject: Any, issuer: Any, public_key: Any, issuer_key: Any) -> Any:
    """-> a builder with what both certificates have in common."""
    from cryptography import x509

    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(signs_certificates: bool) -> Any:
    from cryptography import x509

    flags = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"),
        False,
    )
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        decipher_only=False,
        **flags,
    )


def _smallest() -> bytes:
    """A picture to try a certificate on."""
    from PIL import Image as Pictures

    file = io.BytesIO()
    Pictures.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


def _short(error: BaseException) -> str:
    return str(error).split("\n")[0][:120] or type(error).__name__
