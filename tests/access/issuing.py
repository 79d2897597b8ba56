"""An issuer of tokens, as a real server with real keys."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import sleep, time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "https://stac.example"
DISCOVERY, JWKS = "/.well-known/openid-configuration", "/keys"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
PRIVATE: dict[str, Any] = {"rsa": RSA, "ec": EC, "ed": ED}


def public(kid: str) -> dict[str, Any]:
    """The JWK of a key."""
    algorithm: Any = {"rsa": RSAAlgorithm, "ec": ECAlgorithm, "ed": OKPAlgorithm}[kid]
    jwk: dict[str, Any] = json.loads(algorithm.to_jwk(PRIVATE[kid].public_key()))
    return {"kid": kid, "use": "sig"} | jwk


@dataclass
class Site:
    """`asked` are the paths in the order of the requests; `delay` is in seconds."""

    url: str
    keys: list[dict[str, Any]] = field(default_factory=lambda: [public(kid) for kid in PRIVATE])
    discovery: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    delay: float = 0.0
    asked: list[str] = field(default_factory=list)

    def token(self, key: Any = RSA, algorithm: str = "RS256", kid: str | None = "rsa", **claims: Any) -> str:
        """Claims that are None are left out."""
        said = {"iss": self.url, "aud": AUDIENCE, "exp": time() + 600, "sub": "me"} | claims
        headers = {} if kid is None else {"kid": kid}
        return jwt.encode({n: v for n, v in said.items() if v is not None}, key, algorithm, headers=headers)


@contextmanager
def issuing() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            sleep(site.delay)
            pages = {
                DISCOVERY: {"issuer": site.url, "jwks_uri": site.url + JWKS} | site.discovery,
                JWKS: {"keys": site.keys},
            }
            body = json.dumps(pages.get(self.path, {})).encode()
            self.send_response(site.status if self.path in pages else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
