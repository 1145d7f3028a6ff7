//! `kael serve --tls`: requests through TLS, a certificate that is replaced, and clients that speak something else.

// Its programs are given limits and ended by signals. On Windows the lane runs `analyze`, `echo` and `load` itself.
#![cfg(unix)]

mod common;

use common::http::{Client, LONG, Site, big, connect};
use rcgen::{CertifiedKey, KeyPair};
use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

/// Writes a new certificate and its key, and returns the certificate.
fn certify(folder: &common::Folder) -> CertificateDer<'static> {
    let made: CertifiedKey<KeyPair> =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("it can be made");
    fs::write(folder.0.join("cert.pem"), made.cert.pem()).expect("it can be written");
    fs::write(folder.0.join("key.pem"), made.signing_key.serialize_pem())
        .expect("it can be written");
    made.cert.der().clone()
}

struct Setup {
    site: Site,
    keys: common::Folder,
    certificate: CertificateDer<'static>,
}

impl Setup {
    fn new(name: &str, options: &str) -> Setup {
        let keys = common::Folder::new(&format!("{name}-keys"));
        let certificate = certify(&keys);
        let (cert, key) = (keys.0.join("cert.pem"), keys.0.join("key.pem"));
        let tls = format!("--tls {} {} {options}", cert.display(), key.display());
        Setup { site: Site::new(name, &tls), keys, certificate }
    }
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn client(
    addr: SocketAddr,
    certificate: &CertificateDer<'static>,
    version: &'static rustls::SupportedProtocolVersion,
) -> Client<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("it is a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("it is supported")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").expect("it is a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("it can begin");
    Client::new(StreamOwned::new(connection, connect(addr)))
}

#[test]
fn requests_through_both_versions() {
    let setup = Setup::new("tls-requests", "");
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let mut client = client(setup.site.server.addr, &setup.certificate, version);
        client.send("GET /hello.txt HTTP/1.1\r\nHost: a");
        assert_eq!(client.answer(false).text(), "hello, world");
        assert_eq!(client.stream.get_ref().conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        client.send("GET /big.bin HTTP/1.1\r\nHost: a");
        assert!(client.answer(false).body == big());
        client.send("GET /big.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=5-4000, 1000000-1100000");
        let answer = client.answer(false);
        assert_eq!(answer.status, 206);
        let part = &big()[1_000_000..=1_100_000];
        assert!(answer.body.windows(part.len()).any(|window| window == part));
        client.raw("GET /empty HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50).as_bytes());
        for _ in 0..50 {
            assert_eq!(client.answer(false).status, 200);
        }
        client.send("GET /hello.txt HTTP/1.1\r\nHost: a\r\nConnection: close");
        assert_eq!(client.answer(false).status, 200);
        // Rustls would call an end without its message an error.
        client.expect_end();
    }
    let end = setup.site.server.interrupt();
    assert!(end.contains("0 without TLS"), "{end}");
}

#[test]
fn a_new_certificate_at_sighup() {
    let Setup { mut site, keys, certificate } = Setup::new("tls-reload", "");
    let mut old = client(site.server.addr, &certificate, &rustls::version::TLS13);
    old.send("GET /hello.txt HTTP/1.1\r\nHost: a");
    assert_eq!(old.answer(false).status, 200);

    let renewed = certify(&keys);
    site.server.signal(Signal::HUP);
    assert!(site.server.line().contains("the certificate was read again"));
    let mut new = client(site.server.addr, &renewed, &rustls::version::TLS13);
    new.send("GET /hello.txt HTTP/1.1\r\nHost: a");
    assert_eq!(new.answer(false).status, 200);
    // Who was connected before goes on.
    old.send("GET /hello.txt HTTP/1.1\r\nHost: a");
    assert_eq!(old.answer(false).status, 200);

    fs::write(keys.0.join("cert.pem"), "nonsense").expect("it can be written");
    site.server.signal(Signal::HUP);
    let line = site.server.line();
    assert!(
        line.contains("the old certificate stays in use") && line.contains("cert.pem"),
        "{line}"
    );
    let mut still = client(site.server.addr, &renewed, &rustls::version::TLS13);
    still.send("GET /hello.txt HTTP/1.1\r\nHost: a");
    assert_eq!(still.answer(false).status, 200);
}

#[test]
fn clients_that_speak_something_else() {
    let setup = Setup::new("tls-noise", "");
    let addr = setup.site.server.addr;
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..100 {
        let mut stream = connect(addr);
        let bytes: Vec<u8> = (0..round * 37)
            .map(|_| {
                noise = noise.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                (noise >> 33) as u8
            })
            .collect();
        // Now and then it begins like a record of the handshake.
        let start: &[u8] =
            if round % 2 == 0 { b"GET / HTTP/1.1\r\n\r\n" } else { b"\x16\x03\x01\x40\x00\x01" };
        let _ = stream.write_all(&[start, &bytes].concat());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut good = client(addr, &setup.certificate, &rustls::version::TLS13);
    good.send("GET /hello.txt HTTP/1.1\r\nHost: a");
    assert_eq!(good.answer(false).status, 200);
}

#[test]
fn a_client_that_says_nothing_is_let_go() {
    let setup = Setup::new("tls-silence", "--header-timeout 0.5");
    let start = Instant::now();
    let _ = connect(setup.site.server.addr).read_to_end(&mut Vec::new());
    assert!(start.elapsed() < LONG);
}

#[test]
fn certificates_that_are_none() {
    let keys = common::Folder::new("tls-bad-keys");
    certify(&keys);
    let (cert, key) = (keys.0.join("cert.pem"), keys.0.join("key.pem"));
    for (chain, private, text) in [
        (&key, &key, "there is no certificate in it"),
        (&cert, &cert, "cert.pem"),
        (&keys.0.join("missing"), &key, "missing"),
    ] {
        let arguments = format!(
            "serve {} --listen 127.0.0.1:0 --tls {} {}",
            keys.0.display(),
            chain.display(),
            private.display()
        );
        let output = common::kael(&arguments);
        let said = common::stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(text), "{said}");
    }
}
