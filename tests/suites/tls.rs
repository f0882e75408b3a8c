//! TLS on both sides: rustls only, certificates are always checked.

use crate::support::{CHAT, CHAT_REPLY, chat};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use sluice_tests::{
    client::Request,
    eventually_async,
    gateway::{Config, KEY},
    replica::Replica,
    upstream::{Answer, Upstream},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

/// A certificate for `localhost` that signed itself, as files and for a server.
pub struct Certificate {
    folder: TempDir,
    der: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Certificate {
    pub fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        Self { folder, der: made.cert.der().clone(), key }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts another one in its files; what knows the old one trusts it no more.
    fn renewed(self) -> Self {
        let new = Self::new();
        for name in ["cert.pem", "key.pem"] {
            std::fs::copy(new.file(name), self.file(name)).unwrap();
        }
        Self { folder: self.folder, ..new }
    }

    /// Speaks TLS as a client that trusts this certificate and no other.
    async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// An upstream behind TLS that answers every request alike; it ends with the returned set.
pub async fn tls_upstream(certificate: &Certificate) -> (SocketAddr, JoinSet<()>) {
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der.clone()], certificate.key.clone_key())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = vec![0; 64 * 1024];
            let _ = stream.read(&mut request).await;
            let length = CHAT_REPLY.len();
            let head =
                format!("content-type: application/json\r\nconnection: close\r\ncontent-length: {length}");
            let _ =
                stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{CHAT_REPLY}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, server)
}

#[tokio::test]
async fn self_signed_upstream_is_502() {
    let (address, _server) = tls_upstream(&Certificate::new()).await;
    let gateway = Config::to_url(&format!("https://localhost:{}/v1", address.port())).start().await;
    let answer = gateway.post(CHAT, chat()).await.expect(502);
    assert!(!answer.text().contains("localhost"), "{}", answer.text());
}

#[tokio::test]
async fn upstream_of_a_configured_authority_is_trusted_under_its_own_name_only() {
    let certificate = Certificate::new();
    let (address, _server) = tls_upstream(&certificate).await;
    let trusting = |host: &str| {
        Config::to_url(&format!("https://{host}:{}/v1", address.port()))
            .provider(&format!("ca_file: \"{}\"", certificate.file("cert.pem").display()))
    };
    let gateway = trusting("localhost").start().await;
    assert_eq!(gateway.post(CHAT, chat()).await.expect(200).text(), CHAT_REPLY);
    let other_name = trusting("127.0.0.1").start().await;
    let _ = other_name.post(CHAT, chat()).await.expect(502);
}

#[tokio::test]
async fn listener_with_a_certificate_speaks_tls_and_nothing_else() {
    let certificate = Certificate::new();
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let (cert, key) = (certificate.file("cert.pem"), certificate.file("key.pem"));
    let tls = format!("tls: {{cert: \"{}\", key: \"{}\"}}", cert.display(), key.display());
    let gateway = Config::to(&upstream).listener(&tls).start().await;

    let mut stream = certificate.connect(gateway.api).await.unwrap();
    let request = Request::post(CHAT, chat()).bearer(KEY).set("connection", "close");
    stream.write_all(&request.wire()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(CHAT_REPLY), "{answer}");

    let mut plain = sluice_tests::client::Client::connect(gateway.api).await;
    plain.send(&request.wire()).await;
    plain.closed().await;
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_certificate_that_is_renewed_in_its_place_is_shown_to_new_connections() {
    let certificate = Certificate::new();
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let (cert, key) = (certificate.file("cert.pem"), certificate.file("key.pem"));
    let tls = format!("tls: {{cert: \"{}\", key: \"{}\"}}", cert.display(), key.display());
    let sluice = Replica::start(&Config::to(&upstream).listener(&tls)).await;
    let mut old = certificate.connect(sluice.api).await.unwrap();

    // A half of a pair is refused, and the old pair goes on being shown.
    std::fs::copy(Certificate::new().file("key.pem"), &key).unwrap();
    sluice.says("reload rejected").await;
    assert!(certificate.connect(sluice.api).await.is_ok());

    let renewed = certificate.renewed();
    eventually_async("the new certificate", async || renewed.connect(sluice.api).await.is_ok()).await;
    sluice.says("~ listeners.api.tls.cert: the file holds something else").await;
    // Who is connected already stays so.
    let request = Request::post(CHAT, chat()).bearer(KEY).set("connection", "close");
    old.write_all(&request.wire()).await.unwrap();
    let mut answer = String::new();
    let _ = old.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn an_authority_that_is_replaced_in_its_place_is_trusted_at_the_next_reload() {
    let certificate = Certificate::new();
    let (first, _server) = tls_upstream(&certificate).await;
    let ca = certificate.file("ca.pem");
    std::fs::copy(certificate.file("cert.pem"), &ca).unwrap();
    let config = Config::to_url(&format!("https://localhost:{}/v1", first.port()))
        .provider(&format!("ca_file: \"{}\"", ca.display()));
    let sluice = Replica::start(&config).await;
    let ask = async || Request::post(CHAT, chat()).bearer(KEY).send(sluice.api).await.status();
    assert_eq!(ask().await, 200);
    std::fs::copy(Certificate::new().file("cert.pem"), &ca).unwrap();
    eventually_async("no trust in the old one", async || ask().await == 502).await;
}
