//! Each party gets its own keys and nobody else's.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::{Result, pki::Pki};

/// What each party's folder holds. The workload's comes last: when its file is there, so are all.
const PARTIES: [(&str, &[&str]); 5] = [
    ("sts", &["ca.crt", "sts.crt", "sts.key", "kek.bin"]),
    ("egress", &["ca.crt", "egress.crt", "egress.key"]),
    ("destination", &["ca.crt", "destination.crt", "destination.key"]),
    ("clouds", &["clouds.crt", "clouds.key"]),
    ("workload", &["ca.crt"]),
];

/// Makes all keys and puts them where they belong below `folder`, unless they are there.
pub fn hand_out(folder: &Path) -> Result<()> {
    if folder.join("workload/ca.crt").exists() {
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let pki = Pki::create(&scratch.path().join("pki"))?;
    for (party, files) in PARTIES {
        for file in files {
            let to = folder.join(party).join(file);
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&to)
                .map_err(|error| format!("{}: {error}", to.display()))?;
            file.write_all(&fs::read(pki.folder().join(to.file_name().unwrap_or_default()))?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_another_s_key() {
        let folder = tempfile::tempdir().unwrap();
        for (party, _) in PARTIES {
            fs::create_dir(folder.path().join(party)).unwrap();
        }
        hand_out(folder.path()).unwrap();
        for (party, files) in PARTIES {
            let mut found: Vec<_> = fs::read_dir(folder.path().join(party))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort();
            let mut wanted = files.to_vec();
            wanted.sort();
            assert_eq!(found, wanted);
            assert!(found.iter().filter(|name| name.ends_with(".key")).all(|name| *name == format!("{party}.key")));
        }
        let before = fs::read(folder.path().join("sts/kek.bin")).unwrap();
        hand_out(folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join("sts/kek.bin")).unwrap(), before, "a restart keeps the keys");
    }
}
