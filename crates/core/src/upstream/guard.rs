//! Which addresses may be connected to.
//!
//! Checked on the resolved address at the moment of connecting, literal addresses included, so that neither a
//! name that resolves inwards nor a name that changes its mind can reach what is private.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// May a provider without `allow_private` be reached at this address?
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b); // RFC 6598, carrier-grade NAT
    let protocol = a == 192 && b == 0 && c == 0; // RFC 6890, protocol assignments
    let benchmark = a == 198 && (b == 18 || b == 19); // RFC 2544
    let this_network = a == 0; // RFC 1122
    let reserved = a >= 240; // RFC 1112, broadcast included
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local() // holds the cloud metadata address
        || address.is_multicast()
        || address.is_documentation()
        || shared
        || protocol
        || benchmark
        || this_network
        || reserved)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = embedded_v4(address) {
        return is_public_v4(v4);
    }
    let [first, second, ..] = address.segments();
    let documentation = (first == 0x2001 && second == 0xdb8) || first & 0xfff0 == 0x3ff0; // RFC 3849, RFC 9637
    let site_local = first & 0xffc0 == 0xfec0; // RFC 3879
    let local_nat64 = address.segments().starts_with(&[0x64, 0xff9b, 1]); // RFC 8215
    let teredo = first == 0x2001 && second == 0; // RFC 4380
    let low = address.segments().starts_with(&[0; 6]); // `::`, `::1`, and IPv4-compatible ones
    let discard = address.segments().starts_with(&[0x100, 0, 0, 0]); // RFC 6666
    !(address.is_unique_local()
        || address.is_unicast_link_local()
        || address.is_multicast()
        || documentation
        || site_local
        || local_nat64
        || teredo
        || low
        || discard)
}

/// IPv4 addresses in IPv6 clothes: mapped, translated (RFC 2765), NAT64, 6to4.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(from(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        for (address, public) in [
            ("1.1.1.1", true),
            ("2606:4700::1111", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::a9fe:a9fe", false),
            ("2002:7f00:1::", false),
            ("::7f00:1", false),
            ("::ffff:0:7f00:1", false),
            ("64:ff9b:1::1", false),
            ("2001:0:1::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
