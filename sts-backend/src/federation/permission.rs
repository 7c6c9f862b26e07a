//! The words for what may be done with the things in a bucket, a container, a table or a queue.

use std::{collections::BTreeSet, fmt};

use token::claims::Scope;

/// One word. What it means at each provider stands in that provider's docs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Fetch things whose name is known.
    Read,
    /// Find out what there is.
    List,
    /// Put things there.
    Write,
    /// Remove things.
    Delete,
}

impl Permission {
    /// Every word.
    pub const ALL: [Self; 4] = [Self::Read, Self::List, Self::Write, Self::Delete];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }

    /// The permissions that `scope` has. It must have some, and nothing else: what is not understood opens nothing.
    pub fn read_all(scope: &Scope) -> Result<BTreeSet<Self>, String> {
        if scope.is_empty() {
            return Err("`permissions` is empty; give some of `read`, `list`, `write` and `delete`".to_owned());
        }
        let known = |word: &str| Self::ALL.into_iter().find(|permission| permission.word() == word);
        scope
            .iter()
            .map(|word| {
                known(word).ok_or_else(|| {
                    format!("`permissions` has `{word}`; `read`, `list`, `write` and `delete` are known here")
                })
            })
            .collect()
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Vec<Permission>, String> {
        Permission::read_all(&Scope::parse(words).unwrap()).map(|permissions| permissions.into_iter().collect())
    }

    #[test]
    fn words_are_known_or_refused() {
        assert_eq!(read("list read"), Ok(vec![Permission::Read, Permission::List]));
        assert_eq!(read("delete write list read"), Ok(Permission::ALL.to_vec()));
        for (words, complaint) in
            [("", "is empty"), ("read admin", "has `admin`"), ("Read", "has `Read`"), ("*", "has `*`")]
        {
            assert!(read(words).unwrap_err().contains(complaint), "{words}");
        }
    }
}
