//! Our words for what may be done, as the letters of a shared access signature.

use token::claims::Scope;

use crate::federation::permission::Permission;

/// In the order that Azure wants letters in: `racwdxltmeop` (Azure Storage, "Create a user delegation SAS"). Write includes
/// the creation of blobs and appending to them, so `c` and `a` would add nothing.
const LETTERS: [(Permission, char); 4] =
    [(Permission::Read, 'r'), (Permission::Write, 'w'), (Permission::Delete, 'd'), (Permission::List, 'l')];

/// `sp` for `permissions`, which hold nothing but those words ([`Permission::read_all`]).
pub fn letters(permissions: &Scope) -> String {
    let has = |permission: Permission| permissions.iter().any(|word| word == permission.word());
    LETTERS.iter().filter(|(permission, _)| has(*permission)).map(|(_, letter)| letter).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn of(permissions: &str) -> String {
        letters(&Scope::parse(permissions).unwrap())
    }

    #[test]
    fn words_become_letters_in_azure_s_order() {
        for (permissions, wanted) in [
            ("read", "r"),
            ("list read", "rl"),
            ("write delete", "wd"),
            ("delete list write read", "rwdl"),
            ("Read r w admin", ""),
            ("", ""),
        ] {
            assert_eq!(of(permissions), wanted, "{permissions}");
        }
    }

    #[test]
    fn every_word_has_one_letter_of_its_own() {
        let letters: BTreeSet<_> = Permission::ALL.map(|permission| of(permission.word())).into();
        assert_eq!(letters.len(), Permission::ALL.len());
        assert!(letters.iter().all(|letter| letter.len() == 1));
    }
}
