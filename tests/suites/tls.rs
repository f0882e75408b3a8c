//! TLS on both sides: rustls only, certificates are always checked.

use crate::support::{CHAT, CHAT_REPLY, chat};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use sluice_tests::{
    client::Request,
    gateway::{Config, KEY},
    upstream::{Answer, Upstream},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

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

    let mut roots = RootCertStore::empty();
    roots.add(certificate.der.clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(gateway.api).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
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
