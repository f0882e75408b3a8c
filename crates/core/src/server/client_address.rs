//! Where a client is, behind proxies that are trusted to tell.
//!
//! `X-Forwarded-For` is a list to which every proxy adds the address that it was called from, and anybody can send
//! one. So it is read from its end, and only as long as the address so far is that of a trusted proxy: the first one
//! that is not is the client's, whatever stands before it.

use crate::headers::FORWARDED_FOR;
use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The client's address, when `peer` has connected.
#[must_use]
pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    // A listener on `[::]` shows callers of IPv4 in the clothes of IPv6.
    let mut address = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&address) {
        return address;
    }
    // Several lines are one list, in their order.
    for line in headers.get_all(FORWARDED_FOR).iter().rev() {
        for part in line.as_bytes().rsplit(|byte| *byte == b',') {
            // What cannot be read was written by nobody who can be trusted.
            let Some(next) = parse(part) else { return address };
            address = next;
            if !is_trusted(&address) {
                return address;
            }
        }
    }
    address
}

/// An address with or without a port, that of IPv6 in brackets or not.
fn parse(part: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(part).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"].map(|network| network.parse().unwrap());
        of(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_s_word_is_not_believed() {
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("::1", &["198.51.100.1"]), "::1");
    }

    #[test]
    fn the_first_address_that_is_not_a_proxy_s_is_the_client_s() {
        for (lines, expected) in [
            (&["198.51.100.1"][..], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            (&["1.1.1.1,198.51.100.1 ,10.9.9.9,192.0.2.7"], "198.51.100.1"),
            // Lines are one list.
            (&["1.1.1.1", "198.51.100.1, 10.1.1.1", "10.2.2.2"], "198.51.100.1"),
            // Proxies all the way: the one that is farthest.
            (&["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_ends_the_walk_at_the_last_good_address() {
        for (line, expected) in [
            ("198.51.100.1, unknown", "10.0.0.1"),
            ("198.51.100.1, unknown, 10.2.2.2", "10.2.2.2"),
            ("198.51.100.1, , 10.2.2.2", "10.2.2.2"),
            ("", "10.0.0.1"),
            ("198.51.100.256", "10.0.0.1"),
            ("198.51.100.1:notaport", "10.0.0.1"),
            ("[::1", "10.0.0.1"),
            ("198.51.100.1, evil.example", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[line]), expected, "{line}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_read() {
        for (line, expected) in [
            ("198.51.100.1:8080", "198.51.100.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            // A proxy in other clothes is still a proxy.
            ("198.51.100.1, ::ffff:10.2.2.2", "198.51.100.1"),
            ("198.51.100.1, [fd00::7]:1234", "198.51.100.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[line]), expected, "{line}");
        }
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:203.0.113.9", &[]), "203.0.113.9");
    }
}
