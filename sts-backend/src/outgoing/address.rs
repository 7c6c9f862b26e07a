//! Which addresses a fetch may reach: those of the public internet, unless configuration says otherwise (RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

/// Why `uri` must not be fetched, if so. A host name's addresses are judged when they are known, at each connection.
pub fn uri_problem(uri: &Uri, allow_private_addresses: bool) -> Option<&'static str> {
    if uri.scheme_str() != Some("https") {
        return Some("is not an https URI");
    }
    let authority = uri.authority()?;
    if authority.as_str().contains('@') {
        return Some("names a user");
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let literal: Option<IpAddr> = host.parse().ok();
    if literal.is_some_and(|literal| !is_public(literal)) && !allow_private_addresses {
        return Some(
            "is a loopback, private or otherwise special address; set `allow_private_addresses` beside the address to reach it",
        );
    }
    None
}

/// Whether `address` is one that the whole internet can mean by it: not loopback, private, link-local, shared, reserved,
/// multicast or for documentation, and not an IPv6 form that carries such an IPv4 address.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation();
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    if let Some(inner) = carried_v4(segments) {
        return is_public_v4(inner);
    }
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    let documentation = segments[..2] == [0x2001, 0x0db8] || segments[0] & 0xfff0 == 0x3ff0;
    let protocol_assignments = segments[0] == 0x2001 && segments[1] < 0x0200;
    global_unicast && !documentation && !protocol_assignments
}

/// The IPv4 address inside a mapped, NAT64 or 6to4 one.
fn carried_v4(segments: [u16; 8]) -> Option<Ipv4Addr> {
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(inner(high, low)),
        [0x2002, high, low, ..] => Some(inner(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_pass() {
        for text in ["8.8.8.8", "142.250.1.1", "100.63.0.1", "172.32.0.1", "2606:4700::1", "64:ff9b::8.8.8.8"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::169.254.169.254",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }
}
