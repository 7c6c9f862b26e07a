//! How much of each proof runs: a tenth or less by default, all of it with `CLOAKROOM_WHOLE=1`.

/// `part` by default, `all` where all was asked for.
pub fn scaled<T>(part: T, all: T) -> T {
    if whole() { all } else { part }
}

/// Whether all was asked for.
pub fn whole() -> bool {
    std::env::var_os("CLOAKROOM_WHOLE").is_some_and(|value| value == "1")
}
