//! A folder of a bucket: what the names of objects must begin with to be opened.
//!
//! Prefixes are put into the policies of clouds, between quotes and beside wildcards. None that could mean anything there is
//! let in, so nothing has to be escaped, and one folder is one folder at every provider.

/// The longest name of an object, in bytes, at AWS and at Google.
const MAX_LENGTH: usize = 1024;

/// What may stand in one besides letters and digits. Not `*`, `?` and `$`, which mean more than themselves to IAM; not quotes
/// and backslashes, which could end a text; not `%`, since a prefix is the name itself and not its form in a URI.
const MARKS: &str = "!&()+,-./:;=@_~ ";

/// What is wrong with `prefix`, if anything.
pub fn check(prefix: &str) -> Result<(), String> {
    if prefix.len() > MAX_LENGTH {
        return Err(format!("`prefix` is longer than {MAX_LENGTH} bytes"));
    }
    let refused = |character: &char| !character.is_ascii_alphanumeric() && !MARKS.contains(*character);
    if let Some(character) = prefix.chars().find(refused) {
        return Err(format!(
            "`prefix` has `{}`; letters, digits and `{MARKS}` are accepted",
            character.escape_default()
        ));
    }
    let Some(folders) = prefix.strip_suffix('/') else {
        return Err(format!("`prefix` is `{prefix}`; end it with `/`, or it would open `{prefix}-other/` too"));
    };
    if folders.split('/').any(|folder| matches!(folder, "" | "." | "..")) {
        return Err(format!("`prefix` is `{prefix}`; folders that are empty, `.` or `..` do not outlast proxies"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_folder_is_a_folder_and_nothing_that_means_more() {
        for prefix in
            ["team-a/", "a/b/c/", "dt=2026-11-22/", "a b/", "(x)!/", "..a/", &format!("{}/", "a".repeat(1023))]
        {
            assert_eq!(check(prefix), Ok(()), "{prefix}");
        }
        for (prefix, complaint) in [
            ("", "end it with `/`"),
            ("team-a", "`team-a-other/`"),
            ("/", "empty"),
            ("/a/", "empty"),
            ("a//b/", "empty"),
            ("a/../b/", "`..`"),
            ("./", "`.`"),
            ("*/", "has `*`"),
            ("team-?/", "has `?`"),
            ("${aws:username}/", "has `$`"),
            ("a'/", "has `\\'`"),
            ("a\"/", "has `\\\"`"),
            ("a\\/", "has `\\\\`"),
            ("a%2f/", "has `%`"),
            ("é/", "has `\\u{e9}`"),
            ("a\n/", "has `\\n`"),
            (&format!("{}/", "a".repeat(1024)), "longer than"),
        ] {
            let problem = check(prefix).expect_err(prefix);
            assert!(problem.contains(complaint), "{prefix}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn what_is_let_in_is_what_was_meant(prefix in "\\PC{0,24}/?") {
            if check(&prefix).is_ok() {
                prop_assert!(prefix.is_ascii() && prefix.ends_with('/'));
                let meaning_more = "*?${}'\"\\`<>|%\n";
                prop_assert!(!prefix.contains(|character| meaning_more.contains(character)), "{}", prefix);
            }
        }
    }
}
