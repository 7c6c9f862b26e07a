//! Who counts as one source.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where a request came from, as far as limits are concerned: an IPv4 address, or an IPv6 network of 64 bits (a host can take
/// any address in its own: RFC 4291, section 2.5.1; RFC 6177). Ports do not count. What is no address is a name, cut off at
/// 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source(Kind);

/// One that is not known.
impl Default for Source {
    fn default() -> Self {
        Self(Kind::Name("".into()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    V4([u8; 4]),
    V6Network([u16; 4]),
    Name(Box<str>),
}

impl Source {
    /// Reads an address as the host writes it, with or without a port. An unknown source is the empty name, and one source.
    pub fn read(text: &str) -> Self {
        let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
        Self(match address.map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => Kind::V4(address.octets()),
            Ok(IpAddr::V6(address)) => Kind::V6Network(network(address)),
            Err(_) => Kind::Name(text.get(..text.floor_char_boundary(MOST_BYTES)).unwrap_or_default().into()),
        })
    }
}

fn network(address: Ipv6Addr) -> [u16; 4] {
    let [a, b, c, d, ..] = address.segments();
    [a, b, c, d]
}

const MOST_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_host_is_one_source_whatever_it_writes() {
        for (one, other, same) in [
            ("10.0.0.1:51234", "10.0.0.1:443", true),
            ("10.0.0.1:51234", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("[2001:db8:1:2::1]:80", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
            ("[2001:db8:1:2::1]:80", "2001:db8:1:3::1", false),
            ("@envoy/internal", "@envoy/other", false),
            ("", "10.0.0.1", false),
        ] {
            assert_eq!(Source::read(one) == Source::read(other), same, "{one} {other}");
        }
    }

    #[test]
    fn a_name_is_bounded() {
        let long = "ä".repeat(1_000);
        let Source(Kind::Name(name)) = Source::read(&long) else { panic!("a name") };
        assert_eq!(name.len(), 64);
    }

    proptest! {
        #[test]
        fn any_text_is_a_source(text: String) {
            prop_assert_eq!(Source::read(&text), Source::read(&text));
        }
    }
}
