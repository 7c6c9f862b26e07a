//! Names and secrets that nobody can guess.

/// `length` characters of `alphabet`, which has at most 256.
///
/// # Panics
/// The system gives no random bytes.
pub fn of(alphabet: &[u8], length: usize) -> String {
    let mut bytes = vec![0; length];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect()
}

/// Letters and digits.
pub fn word(length: usize) -> String {
    of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length)
}

/// As `11111111-2222-4333-8444-555555555555`.
pub fn guid() -> String {
    let hex = |length| of(b"0123456789abcdef", length);
    format!("{}-{}-4{}-8{}-{}", hex(8), hex(4), hex(3), hex(3), hex(12))
}
