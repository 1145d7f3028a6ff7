//! The header of the PROXY protocol, version 2, which tells the target who the client is.
//! See "The PROXY protocol", section 2.2, of HAProxy's documents.

use std::net::{IpAddr, SocketAddr};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command PROXY: the connection is on behalf of another.
const VERSION_AND_COMMAND: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// The header for a connection from `client` to our address `here`.
pub(super) fn v2(client: SocketAddr, here: SocketAddr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.push(VERSION_AND_COMMAND);
    match (client.ip().to_canonical(), here.ip().to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(here)) => {
            header.extend([TCP_OVER_IPV4, 0, 12]);
            header.extend(client.octets());
            header.extend(here.octets());
        }
        (client, here) => {
            header.extend([TCP_OVER_IPV6, 0, 36]);
            header.extend(sixteen(client));
            header.extend(sixteen(here));
        }
    }
    header.extend(client.port().to_be_bytes());
    header.extend(here.port().to_be_bytes());
    header
}

fn sixteen(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(client: &str, here: &str) -> Vec<u8> {
        v2(client.parse().expect("an address"), here.parse().expect("an address"))
    }

    #[test]
    fn ipv4() {
        let expected = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c\
                         \xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x34\x01\xbb";
        assert_eq!(header("192.0.2.1:4660", "198.51.100.2:443"), expected);
        assert_eq!(header("[::ffff:192.0.2.1]:4660", "[::ffff:198.51.100.2]:443"), expected);
    }

    #[test]
    fn ipv6() {
        let header = header("[2001:db8::1]:1", "[2001:db8::2]:2");
        assert_eq!(header[12..16], [0x21, 0x21, 0, 36]);
        assert_eq!(header.len(), 16 + 36);
        assert_eq!(header[16..32], [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(header[48..], [0, 1, 0, 2]);
    }
}
