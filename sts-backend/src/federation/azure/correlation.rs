//! One name for a credential in Azure's record and in ours.

use std::fmt::Write;

use token::digest::FieldDigest;

/// The GUID by which Azure's logs name what we name `jti`: in lower case, without braces, as `scid` must be. Of RFC 9562's
/// version 8, made of a digest, so that it can be made again from the record.
pub fn id(jti: &str) -> String {
    let mut digest = FieldDigest::new("azure correlation id").field(jti).finish();
    digest[6] = digest[6] & 0x0f | 0x80;
    digest[8] = digest[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in digest.iter().take(16).enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::entra::is_guid;

    #[test]
    fn one_jti_has_one_id() {
        assert_eq!(id("a"), id("a"));
        assert_ne!(id("a"), id("b"));
    }

    proptest! {
        #[test]
        fn every_jti_gives_a_guid_of_version_8(jti in ".{0,60}") {
            let id = id(&jti);
            prop_assert!(is_guid(&id), "{id}");
            prop_assert_eq!(&id[14..15], "8");
            prop_assert!("89ab".contains(&id[19..20]));
        }
    }
}
