"""Which servers pman trusts, and what it shows them."""

import base64
import ssl
from pathlib import Path

import pytest
from k8s_certificates import Certificate
from k8s_standin import ask, said, standin, yes

from pman_core.contract.errors import EngineUnavailableError
from pman_k8s.backend import KubernetesBackend


def test_a_server_is_trusted_by_its_authority(tmp_path: Path, addressed: Certificate) -> None:
    known = {"certificate-authority": str(addressed.certificate)}
    with standin(tmp_path, yes, tls=addressed.context(), cluster=known) as server:
        assert ask(KubernetesBackend(server.environ())) == "v1.36.2"


def test_the_name_of_a_server_may_be_another_than_its_address(
    tmp_path: Path, named: Certificate
) -> None:
    known = {"certificate-authority": str(named.certificate), "tls-server-name": "api.example"}
    with standin(tmp_path, yes, tls=named.context(), cluster=known) as server:
        assert ask(KubernetesBackend(server.environ())) == "v1.36.2"


@pytest.mark.parametrize(
    "known",
    [
        pytest.param({"tls-server-name": "api.example"}, id="no authority"),
        pytest.param({"certificate-authority": "DNS:api.example.crt"}, id="another name"),
        pytest.param(
            {"certificate-authority": "DNS:api.example.crt", "tls-server-name": "other.example"},
            id="another name than the one expected",
        ),
        pytest.param(
            {"certificate-authority": "IP:127.0.0.1.crt", "tls-server-name": "api.example"},
            id="another authority",
        ),
    ],
)
def test_a_server_that_cannot_prove_its_name_gets_no_token(
    tmp_path: Path, named: Certificate, addressed: Certificate, known: dict[str, str]
) -> None:
    if "certificate-authority" in known:
        known = {**known, "certificate-authority": str(tmp_path / known["certificate-authority"])}
    with standin(tmp_path, yes, tls=named.context(), cluster=known) as server:
        with pytest.raises(EngineUnavailableError, match="certificate"):
            ask(KubernetesBackend(server.environ()))
        assert not server.asked


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_who_asks_for_no_verification_gets_none(tmp_path: Path, named: Certificate) -> None:
    known = {"insecure-skip-tls-verify": True}
    with standin(tmp_path, yes, tls=named.context(), cluster=known) as server:
        assert ask(KubernetesBackend(server.environ())) == "v1.36.2"


def test_a_client_certificate_is_shown(tmp_path: Path, addressed: Certificate) -> None:
    context = addressed.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(addressed.certificate)
    known = {"certificate-authority": str(addressed.certificate)}
    user = {
        "client-certificate-data": base64.b64encode(addressed.certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(addressed.key.read_bytes()).decode(),
    }
    with standin(tmp_path, yes, tls=context, user=user, cluster=known) as server:
        assert ask(KubernetesBackend(server.environ())) == "v1.36.2"
        assert server.asked[0].authorization == ""


def test_no_token_goes_where_a_redirection_leads(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with standin(tmp_path / "other", yes) as other:
        away = said(302, "", Location=f"{other.address}/version")
        with (
            standin(tmp_path, lambda request: away) as server,
            pytest.raises(EngineUnavailableError, match="redirect"),
        ):
            ask(KubernetesBackend(server.environ()))
        assert not other.asked
