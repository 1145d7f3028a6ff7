//! TLS: the certificate, and [`Tls`], one connection's state over rustls without buffers of its own: bytes go in and come out,
//! and nothing here waits.

use crate::fail::doing;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What an unfinished record, or message of the handshake, may take. A record has at most 16 KiB and a little.
const MOST_INCOMING: usize = 80 * 1024;
/// What a record adds to its bytes, at most, for all kinds of encryption.
const RECORD_OVERHEAD: usize = 64;
const RECORD_BYTES: usize = 16 * 1024;

/// The certificate in use, which a signal may replace; connections keep the one that they began with.
pub(super) struct Certificate {
    config: Mutex<Arc<ServerConfig>>,
}

impl Certificate {
    pub(super) fn load(chain: &Path, key: &Path) -> io::Result<Certificate> {
        Ok(Certificate { config: Mutex::new(config(chain, key)?) })
    }

    /// Takes what the files have now. If that is no good, what there was stays.
    pub(super) fn reload(&self, chain: &Path, key: &Path) -> io::Result<()> {
        let config = config(chain, key)?;
        *self.config.lock().unwrap_or_else(|error| error.into_inner()) = config;
        Ok(())
    }

    /// A new connection's state.
    pub(super) fn accept(&self) -> io::Result<Tls> {
        let config = self.config.lock().unwrap_or_else(|error| error.into_inner()).clone();
        let connection = UnbufferedServerConnection::new(config).map_err(failed)?;
        Ok(Tls {
            connection,
            incoming: Vec::new(),
            outgoing: Outgoing::default(),
            is_established: false,
            is_ended: false,
        })
    }
}

fn config(chain: &Path, key: &Path) -> io::Result<Arc<ServerConfig>> {
    let in_file = |path: &Path, error: rustls::pki_types::pem::Error| {
        let kind = match &error {
            rustls::pki_types::pem::Error::Io(error) => error.kind(),
            _ => io::ErrorKind::InvalidData,
        };
        doing(path.display())(io::Error::new(kind, error.to_string()))
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .map_err(|error| in_file(chain, error))?;
    if certificates.is_empty() {
        return Err(io::Error::other(format!(
            "{}: there is no certificate in it",
            chain.display()
        )));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| in_file(key, error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, private))
        .map_err(|error| {
            io::Error::other(format!("{} and {}: {error}", chain.display(), key.display()))
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

pub(super) struct Tls {
    connection: UnbufferedServerConnection,
    /// Bytes of records that are not whole yet.
    incoming: Vec<u8>,
    outgoing: Outgoing,
    is_established: bool,
    /// The client has said that it sends no more.
    is_ended: bool,
}

/// What is to be sent, in this order: the first bytes of memory that may have been used before.
#[derive(Default)]
struct Outgoing {
    memory: Vec<u8>,
    len: usize,
}

impl Outgoing {
    /// Room for `n` bytes or more behind what is there.
    fn room(&mut self, n: usize) -> &mut [u8] {
        if self.memory.len() < self.len + n {
            self.memory.resize(self.len + n, 0);
        }
        &mut self.memory[self.len..]
    }

    fn take(&mut self) -> Vec<u8> {
        let mut memory = std::mem::take(&mut self.memory);
        memory.truncate(std::mem::take(&mut self.len));
        memory
    }
}

/// What is to be done once bytes may be sent.
enum Then<'a> {
    Nothing,
    Encrypt(&'a [u8]),
    Close,
}

impl Tls {
    pub(super) fn is_established(&self) -> bool {
        self.is_established
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// What was made to be sent.
    pub(super) fn take_outgoing(&mut self) -> Vec<u8> {
        self.outgoing.take()
    }

    /// What was sent: its memory is for what is made next.
    pub(super) fn reuse(&mut self, sent: Vec<u8>) {
        if self.outgoing.len == 0 {
            self.outgoing.memory = sent;
        }
    }

    /// While nothing is made there is no memory for it.
    pub(super) fn rest(&mut self) {
        if self.outgoing.len == 0 {
            self.outgoing.memory = Vec::new();
        }
    }

    /// Takes what has come, and appends to `clear` what it says.
    pub(super) fn decrypt(&mut self, bytes: &[u8], clear: &mut Vec<u8>) -> io::Result<()> {
        if self.incoming.len() + bytes.len() > MOST_INCOMING {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a TLS record that does not end",
            ));
        }
        self.incoming.extend_from_slice(bytes);
        self.advance(Then::Nothing, clear)
    }

    /// Makes records of `bytes`.
    pub(super) fn encrypt(&mut self, bytes: &[u8], clear: &mut Vec<u8>) -> io::Result<()> {
        self.advance(Then::Encrypt(bytes), clear)
    }

    /// Makes the message that says that no more comes. Where that cannot be, the end itself says so.
    pub(super) fn close(&mut self, clear: &mut Vec<u8>) {
        let _ = self.advance(Then::Close, clear);
    }

    fn advance(&mut self, then: Then<'_>, clear: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut self.incoming);
            let mut over = None;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(failed)?;
                        discard += record.discard;
                        clear.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
                        let room = self.outgoing.room(size.required_size);
                        self.outgoing.len += data.encode(room).map_err(io::Error::other)?;
                    }
                }
                // It is sent before anything else is: what goes out goes out in order.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    self.is_established = true;
                    over = Some(match then {
                        Then::Nothing => Ok(()),
                        Then::Encrypt(bytes) => seal(&mut self.outgoing, bytes.len(), |room| {
                            traffic.encrypt(bytes, room)
                        }),
                        Then::Close => {
                            seal(&mut self.outgoing, 0, |room| traffic.queue_close_notify(room))
                        }
                    });
                }
                Ok(ConnectionState::BlockedHandshake) => {
                    over = Some(match then {
                        Then::Nothing => Ok(()),
                        _ => Err(io::ErrorKind::NotConnected.into()),
                    });
                }
                Ok(ConnectionState::PeerClosed) => self.is_ended = true,
                Ok(ConnectionState::Closed) => {
                    self.is_ended = true;
                    over = Some(match then {
                        Then::Encrypt(_) => Err(io::ErrorKind::NotConnected.into()),
                        _ => Ok(()),
                    });
                }
                // Early data is not asked for.
                Ok(_) => over = Some(Err(io::ErrorKind::InvalidData.into())),
                Err(error) => {
                    self.incoming.clear();
                    self.say_why();
                    return Err(failed(error));
                }
            }
            self.incoming.drain(..discard);
            if let Some(result) = over {
                self.incoming.shrink_to(1024);
                return result;
            }
        }
    }

    /// After an error: the alert that tells the other end.
    fn say_why(&mut self) {
        for _ in 0..4 {
            match self.connection.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
                        let room = self.outgoing.room(size.required_size);
                        // An alert that cannot be made is not sent.
                        self.outgoing.len += data.encode(room).unwrap_or(0);
                    }
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                _ => return,
            }
        }
    }
}

/// Appends what `encrypt` makes of `len` bytes.
fn seal(
    outgoing: &mut Outgoing,
    len: usize,
    mut encrypt: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> io::Result<()> {
    let mut room = len + (len / RECORD_BYTES + 1) * RECORD_OVERHEAD;
    loop {
        match encrypt(outgoing.room(room)) {
            Ok(n) => {
                outgoing.len += n;
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size;
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

fn failed(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
